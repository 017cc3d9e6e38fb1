//! Batches: each CloudEvent is stored with exactly its bytes, and the request can be put together again.

use super::{PATH, accept, of_account, send};
use crate::support::{App, TOKEN, sid};

/// The bodies of the log's events, in order.
fn bodies(app: &App) -> Vec<String> {
    app.events().iter().map(|event| event["body"].as_str().unwrap().to_owned()).collect()
}

/// Runs `check-signature --batch`; returns its exit code and what it prints.
fn check(app: &App, position: &str) -> (Option<i32>, String) {
    let output = app.run(&["check-signature", "--batch", position]);
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn each_cloud_event_of_a_batch_is_an_event_with_its_bytes() {
    let app = App::start();
    let each = [
        of_account("EZ1", &sid(1), "sent"),
        of_account("EZ2", &sid(2), "failed"),
        of_account("EZ3", &sid(1), "delivered"),
    ];
    let body = format!(" [\n{},{} ,\t{}]\n", each[0], each[1], each[2]);
    accept(&app, &body);

    assert_eq!(bodies(&app), each);
    let events = app.events();
    let first = &events[0]["event_id"];
    let notes = |index: usize| events[index]["notes"].clone();
    assert_eq!(
        [notes(0), notes(1), notes(2)],
        [
            serde_json::json!({ "batch": first, "index": "0", "of": "3", "before": " [\n" }),
            serde_json::json!({ "batch": first, "index": "1", "of": "3" }),
            serde_json::json!({
                "batch": first, "index": "2", "of": "3", "before": " ,\t", "after": "]\n",
            }),
        ]
    );
    let status = |number| app.message(&sid(number))["status"].clone();
    assert_eq!((status(1), status(2)), ("delivered".into(), "failed".into()));
    for position in ["1", "2", "3"] {
        let (code, printed) = check(&app, position);
        assert_eq!(code, Some(0), "{printed}");
        assert!(printed.starts_with("valid: signed with the primary token"), "{printed}");
        assert!(printed.contains("events: 3 at positions 1 to 3"), "{printed}");
    }
}

#[test]
fn a_single_cloud_event_is_one_event_without_notes() {
    let app = App::start();
    let event = of_account("EZ1", &sid(1), "delivered");
    accept(&app, &event);
    accept(&app, &format!("[{event}]"));

    let events = app.events();
    assert_eq!(events[0]["notes"], serde_json::json!({}));
    assert_eq!(events[1]["notes"]["of"], "1");
    let message = app.message(&sid(1));
    assert_eq!((&message["events"], &message["duplicates"]), (&2.into(), &1.into()));
    assert_eq!(message["segments"], 2);
    assert_eq!(message["occurred_times"]["delivered"], "2026-01-02T03:04:05.000000Z");
    assert_eq!(check(&app, "1").0, Some(0));
}

#[test]
fn callback_paths_accept_batches_too() {
    let app = App::start();
    let body = format!("[{}]", of_account("EZ1", &sid(1), "sent"));
    assert_eq!(send(&app, "/message-status", TOKEN, &body).code, 200);
    assert_eq!(app.message(&sid(1))["status"], "sent");
}

#[test]
fn a_batch_with_a_broken_element_is_kept_whole_and_is_of_no_message() {
    let app = App::start();
    let good = of_account("EZ1", &sid(1), "sent");
    for broken in
        [format!("[{good},{good},{{\"id\":]"), format!("[{good},{good},7]"), "[]".to_owned()]
    {
        let before = app.events().len();
        accept(&app, &broken);
        let events = app.events();
        assert_eq!(events.len(), before + 1);
        assert_eq!(events[before]["body"], broken);
        assert_eq!(events[before]["message_sid"], serde_json::Value::Null);
    }
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    for (reason, count) in [("not_json", 1), ("not_objects", 1), ("empty", 1), ("too_many", 0)] {
        let line =
            format!("delivery_ledger_batches_kept_whole_total{{reason=\"{reason}\"}} {count}");
        assert!(metrics.contains(&line), "{line}");
    }
}

#[test]
fn ten_thousand_events_are_stored_in_one_request() {
    let app = App::start();
    let body = format!("[{}]", vec!["{}"; 10_000].join(","));
    accept(&app, &body);
    assert_eq!(app.get("/readyz").json()["head"], 10_000);
    let (code, printed) = check(&app, "5000");
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("events: 10000 at positions 1 to 10000"), "{printed}");
}

#[test]
fn a_batch_with_a_wrong_signature_is_rejected() {
    let app = App::start();
    let body = format!("[{}]", of_account("EZ1", &sid(1), "sent"));
    assert_eq!(send(&app, PATH, "another token", &body).code, 403);
    assert_eq!(app.events().len(), 0);
}
