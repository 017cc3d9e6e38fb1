//! What becomes of the events of a batch later: a recheck, an import, a check of the signature, forwarding.

use super::{PATH, accept, cloud_event, hash_of, of_account, send};
use crate::support::application::Application;
use crate::support::{App, OTHER_ACCOUNT, OTHER_TOKEN, TOKEN, json_signature, sid};

fn check(app: &App, position: &str) -> (Option<i32>, String) {
    let output = app.run(&["check-signature", "--batch", position]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A batch with every kind of whitespace between its three events.
fn odd_batch() -> String {
    let [one, two, three] = [1, 2, 3].map(|n| of_account(&format!("EZ{n}"), &sid(n), "delivered"));
    format!("\r\n[\t{one},\r\n {two} , {three}]\n")
}

#[test]
fn a_rejected_batch_that_a_recheck_accepts_is_split_too() {
    let mut app = App::start_with(&["--public-url", "https://wrong.example.com"]);
    let body = odd_batch();
    // Twilio signed the right URL.
    let target = format!("{PATH}?bodySHA256={}", hash_of(&body));
    let url = format!("https://hooks.example.com{target}");
    for token in [TOKEN, "no token of ours"] {
        let request = crate::support::Request::new("POST", &target)
            .header("Content-Type", "application/json")
            .header("X-Twilio-Signature", &json_signature(token, &url));
        assert_eq!(request.body(body.clone()).send(app.callbacks()).code, 403);
    }
    app.eventually("both are kept", || {
        let kept = app.json(&["quarantine", "list", "--format", "json"]);
        kept["data"].as_array().is_some_and(|kept| kept.len() == 2)
    });
    app.stop();

    let output = app.run(&["quarantine", "recheck", "--public-url", "https://hooks.example.com"]);

    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(stdout, "2 rechecked: 1 appended, 1 still refused\n");
    let events = app.events();
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["notes"]["quarantine"] == "signature_wrong"));
    let (code, printed) = check(&app, "2");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(&hash_of(&body)), "{printed}");
}

#[test]
fn an_imported_batch_keeps_its_notes_and_missing_events_are_named() {
    let app = App::start();
    accept(&app, &odd_batch());
    let export = app.run(&["export", "events", "--format", "ndjson"]).stdout;
    let lines: Vec<_> = export.split_inclusive(|byte| *byte == b'\n').collect();
    let import = |lines: &[&[u8]]| {
        let to = App::start();
        std::fs::write(to.folder().join("events.ndjson"), lines.concat()).unwrap();
        let output = to.run(&["import", "events.ndjson"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        to
    };

    let all = import(&lines);
    let (code, printed) = check(&all, "3");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains(&hash_of(&odd_batch())), "{printed}");

    let some = import(&[lines[0], lines[2]]);
    let (code, printed) = check(&some, "1");
    assert_eq!(code, Some(3));
    assert!(printed.starts_with("invalid: the request had 3 events"), "{printed}");
    assert!(printed.trim_end().ends_with("by their index from 0: 1"), "{printed}");
}

#[test]
fn each_event_of_a_batch_is_forwarded_with_its_own_hash_and_signature() {
    let application = Application::start();
    let mut app = App::not_started(&[]);
    app.configure(&format!(
        "\n[forward.orders]\nurl = \"{}\"\nfrom = \"start\"\n",
        application.url("/hook?a=1")
    ));
    app.restart();
    let unknown = "AC00000000000000000000000000000009";
    let of = |account: &str, n: u32| {
        cloud_event(account, &format!("EZ{n}"), &sid(n), "sent").to_string()
    };
    let each = [of_account("EZ1", &sid(1), "sent"), of(OTHER_ACCOUNT, 2), of(unknown, 3)];
    assert_eq!(send(&app, PATH, TOKEN, &format!("[ {} ]", each.join(" ,"))).code, 200);

    app.eventually("all arrive", || application.received().len() == 3);

    for received in application.received() {
        let at = each.iter().position(|event| event.as_bytes() == received.body).unwrap();
        let target = format!("/hook?a=1&bodySHA256={}", hash_of(&each[at]));
        assert_eq!(received.target, target);
        let token = if at == 1 { OTHER_TOKEN } else { TOKEN };
        let expected = json_signature(token, &application.url(&target));
        assert_eq!(received.header("x-twilio-signature"), Some(&*expected), "event {at}");
    }
}
