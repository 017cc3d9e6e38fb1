//! The `send` command.

use std::time::{Duration, Instant};

use delivery_ledger::send::Draft;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{alone, send, sent, serving, stderr};
use crate::support::twilio::{API_KEY, Fault, TEXT, Twilio};
use crate::support::{ACCOUNT, App};

/// The tests configure another account, which the fake does not have.
const RECONCILE: [&str; 5] = ["reconcile", "--format", "json", "--account-sid", ACCOUNT];

// The command.

/// The message was sent, so the command must not appear to have failed.
#[test]
fn send_and_reconcile_succeed_if_their_output_pipe_is_closed() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    for arguments in [
        &["send", "--to", "+15558675310", "--from", "+15017250604", "--body", TEXT][..],
        &RECONCILE,
    ] {
        let (_, closed) = std::io::pipe().unwrap();
        let output = app.command(arguments).stdout(closed).output();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("error:"), "{}", stderr(&output));
    }
    assert_eq!(twilio.made().len(), 1);
}

#[test]
fn the_documented_ways_to_send_give_twilio_the_right_parameters() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let usual = "https://hooks.example.com/message-status#rc=5&rp=all";
    for (arguments, wanted) in [
        (
            &["--from", "+15017250604", "--body", "Hi"][..],
            &[
                ("To", "+15558675310"),
                ("From", "+15017250604"),
                ("Body", "Hi"),
                ("StatusCallback", usual),
            ][..],
        ),
        (
            &["--messaging-service-sid", "MG1", "--no-status-callback", "--body", "Hi"],
            &[("To", "+15558675310"), ("MessagingServiceSid", "MG1"), ("Body", "Hi")],
        ),
        (
            &[
                "--messaging-service-sid",
                "MG1",
                "--content-sid",
                "HX1",
                "--media-url",
                "https://example.com/a.png",
                "--media-url",
                "https://example.com/b.png",
                "--send-at",
                "2026-12-01T10:00:00Z",
                "--status-callback",
                "https://own.example.com/here?order=17#rc=2",
            ],
            &[
                ("To", "+15558675310"),
                ("MessagingServiceSid", "MG1"),
                ("MediaUrl", "https://example.com/a.png"),
                ("MediaUrl", "https://example.com/b.png"),
                ("ContentSid", "HX1"),
                ("SendAt", "2026-12-01T10:00:00.000000Z"),
                ("ScheduleType", "fixed"),
                ("StatusCallback", "https://own.example.com/here?order=17#rc=2"),
            ],
        ),
    ] {
        sent(&send(&app, arguments));
        let made = twilio.made();
        let made: Vec<_> =
            made.last().unwrap().iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(made, wanted);
    }
    let statuses: Vec<_> = app.messages().iter().map(|message| message["status"].clone()).collect();
    assert_eq!(statuses, ["queued", "accepted", "scheduled"]);
}

#[test]
fn a_message_starts_with_its_intent_and_twilios_first_status() {
    let twilio = Twilio::start();
    let app = alone(&twilio);

    let result = sent(&send(&app, &["--from", "+15017250604", "--body", TEXT]));

    let sid = result["message_sid"].as_str().unwrap();
    assert_eq!((&result["outcome"], &result["status"]), (&json!("made"), &json!("queued")));
    let events = app.events();
    assert_eq!(events.len(), 2);
    for (event, stage) in events.iter().zip(["intent", "answer"]) {
        assert_eq!(event["source"], "send");
        assert_eq!(event["notes"]["send_id"], result["send_id"]);
        assert_eq!(event["notes"]["stage"], stage);
        assert_eq!(event["notes"]["content"], "removed");
        assert!(!event.to_string().contains(TEXT), "{event}");
    }
    let message = app.json(&["audit", sid, "--format", "json"]);
    assert_eq!((&message["status"], &message["to"]), (&json!("queued"), &json!("+15558675310")));
    assert_eq!(message["timeline"][0]["source"], "send");
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn the_text_is_stored_if_requested() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    sent(&send(&app, &["--from", "+15017250604", "--body", TEXT, "--keep-content"]));
    for event in app.events() {
        let body = event["body"].as_str().unwrap();
        assert!(body.replace('+', " ").contains(TEXT), "{event}");
        assert_eq!(event["notes"].get("content"), None);
    }
}

#[test]
fn a_callback_url_that_twilio_would_reject_is_refused_before_sending() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let long = format!("https://example.com/{}", "a".repeat(3981));
    for (url, expected) in [
        ("https://my_host.example.com/", "has an underscore in its host name"),
        ("http://example.com/", "does not begin with https://"),
        (&*long, "is longer than the 4000 characters"),
        ("https:///path", "has no host"),
        ("https://:443/path", "has no host"),
        ("https://a.example.com/a b", "percent-encode"),
    ] {
        let output = send(&app, &["--from", "+1", "--body", "Hi", "--status-callback", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(stderr(&output).contains(expected), "{url}: {}", stderr(&output));
    }
    let secret = "https://user:a-password@my_host/";
    let output = send(&app, &["--from", "+1", "--body", "Hi", "--status-callback", secret]);
    assert!(!stderr(&output).contains("a-password"), "{}", stderr(&output));
    let fits = &long[..long.len() - 1];
    sent(&send(&app, &["--from", "+1", "--body", "Hi", "--status-callback", fits]));

    let app = App::not_started(&[("DELIVERY_LEDGER_PUBLIC_URL", "https://my_host")]);
    let output = send(&app, &["--from", "+1", "--body", "Hi"]);
    assert!(stderr(&output).contains("underscore"), "{}", stderr(&output));
    assert!(!app.log_file().exists());
    assert_eq!(twilio.requests().len(), 1);
}

#[test]
fn an_invalid_message_is_refused_before_sending() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    for (arguments, expected) in [
        (&["--body", "Hi"][..], "nobody to send it from"),
        (&["--from", "+1"], "nothing to send"),
        (&["--from", "+1", "--body", &*"a".repeat(1601)], "1601 characters"),
        (&["--from", "+1", "--body", "Hi", "--no-status-callback"], "a messaging service"),
        (&["--from", "+1", "--body", "Hi", "--send-at", "2026-12-01T10:00:00Z"], "schedule"),
        (&["--from", "+1", "--body", "Hi", "--send-at", "tomorrow"], "is not a time"),
    ] {
        let output = send(&app, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    assert_eq!(twilio.requests(), [""; 0]);
}

#[test]
fn a_429_is_retried_and_creates_one_message() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.next(Fault::Response(429, Some(1)));
    let began = Instant::now();
    sent(&send(&app, &["--from", "+1", "--body", "Hi"]));
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After was 1");
    assert_eq!((twilio.requests().len(), twilio.made().len()), (2, 1));
}

#[test]
fn an_unanswered_send_is_not_retried_and_reconcile_finds_it() {
    let (made, hangs) = (Fault::DoneBut(502), Fault::Hang(Duration::from_secs(3)));
    for fault in [made, Fault::DoneAndCut, hangs] {
        let twilio = Twilio::start();
        let app = alone(&twilio);
        twilio.next(fault);

        let output = send(&app, &["--from", "+15017250604", "--body", TEXT]);

        assert_eq!(output.status.code(), Some(1), "{fault:?}");
        assert!(stderr(&output).contains("is not known"), "{}", stderr(&output));
        assert!(stderr(&output).contains("reconcile"), "{}", stderr(&output));
        assert_eq!((twilio.requests().len(), twilio.made().len()), (1, 1), "{fault:?}");
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["outcome"], "unknown");

        let found = app.json(&RECONCILE);
        assert_eq!((&found["appended"], &found["sends_found"]), (&json!(1), &json!(1)));
        let event = app.events().pop().unwrap();
        assert_eq!(event["notes"]["may_answer_send"], result["send_id"]);
        assert_eq!(app.messages()[0]["status"], "queued");
        assert!(!event.to_string().contains(TEXT), "{event}");
    }
}

#[test]
fn an_unanswered_send_is_reconciled_even_if_its_callback_arrived_first() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.next(Fault::DoneBut(500));
    let result = send(&app, &["--from", "+15017250604", "--body", "Hi"]);
    let result: Value = serde_json::from_slice(&result.stdout).unwrap();
    let sid = twilio.sids().remove(0);
    // All that Twilio's list will say of it is known.
    assert_eq!(app.receive(crate::support::status(&sid, "queued")).code, 200);

    app.json(&RECONCILE);
    let again = app.json(&RECONCILE);

    let tied: Vec<_> =
        app.events().into_iter().filter(|event| event["source"] == "reconcile").collect();
    assert_eq!(tied.len(), 1);
    assert_eq!(tied[0]["notes"]["may_answer_send"], result["send_id"]);
    assert_eq!(again["appended"], 0);
}

#[test]
fn a_message_that_never_reached_twilio_can_be_retried() {
    let app = App::not_started(&[
        ("TWILIO_API_BASE_URL", "http://127.0.0.1:9"),
        ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com"),
    ]);
    let output = send(&app, &["--from", "+1", "--body", "Hi"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nothing was sent"), "{}", stderr(&output));
    assert_eq!(app.events()[1]["notes"]["outcome"], "not_sent");
}

#[test]
fn an_error_of_twilios_api_is_reported_with_its_code() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+15005550001", "--from", "+1", "--body", "Hi"];
    let output = app.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("HTTP 400, error 21211"), "{}", stderr(&output));
    twilio.next(Fault::Refuse(401, 20003, "Authenticate"));
    let refused = stderr(&app.run(&arguments));
    assert!(refused.contains("error 20003): Authenticate (see https://"), "{refused}");
    assert!(refused.contains("check the account SID and its auth token"), "{refused}");
    twilio.next(Fault::Refuse(503, 20503, "Service Unavailable"));
    let unknown = stderr(&app.run(&arguments));
    assert!(unknown.contains("HTTP 503, error 20503: Service Unavailable"), "{unknown}");
    assert_eq!(app.messages(), [Value::Null; 0]);
    assert_eq!(app.events()[1]["notes"]["http_status"], "400");
}

#[test]
fn a_crash_between_intent_and_response_is_detected_and_reconciled() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let arguments = ["send", "--to", "+15558675310", "--from", "+15017250604", "--body", "Hi"];
    let command = app.command(&arguments).env("TWILIO_API_TIMEOUT", "60s");
    let mut child = command.spawn();
    app.eventually("the message was created", || twilio.made().len() == 1);
    child.kill().unwrap();
    child.wait().unwrap();

    let stages: Vec<_> = app.events().iter().map(|event| event["notes"]["stage"].clone()).collect();
    assert_eq!(stages, ["intent"]);
    let preview = app.json(&[&RECONCILE[..], &["--dry-run"]].concat());
    assert_eq!(preview["unanswered_sends"], 1);
    assert_eq!(app.json(&RECONCILE)["sends_found"], 1);
    let preview = app.json(&[&RECONCILE[..], &["--dry-run"]].concat());
    assert_eq!(preview["unanswered_sends"], 0);
}

#[test]
fn an_api_key_is_used_if_configured() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    std::fs::write(app.folder().join("secret"), API_KEY.1).unwrap();
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let with_key = |secret: &str| {
        let command = app.command(&arguments).env("TWILIO_AUTH_TOKEN", "not the token");
        command.env("TWILIO_API_KEY", API_KEY.0).env(secret, "secret").output()
    };
    assert!(with_key("TWILIO_API_SECRET_FILE").status.success());
    let refused = with_key("TWILIO_API_SECRET");
    assert!(stderr(&refused).contains("HTTP 401"), "{}", stderr(&refused));
    assert_eq!(twilio.made().len(), 1);
}

#[test]
fn a_running_server_projects_a_message_sent_by_the_command() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let result = sent(&send(&app, &["--from", "+15017250604", "--body", "Hi"]));
    let sid = result["message_sid"].as_str().unwrap();
    app.caught_up_to(2);
    assert_eq!(app.message(sid)["status"], "queued");
    assert_eq!(app.receive(crate::support::delivered(sid)).code, 200);
    assert_eq!(app.message(sid)["status"], "delivered");
}

// What is asked, as a law.

proptest! {
    #[test]
    fn the_stored_form_lacks_only_the_text(
        to in ".{0,20}", body in ".{0,40}", from in proptest::option::of(".{0,20}"),
        media_urls in proptest::collection::vec(".{0,20}", 0..3),
        variables in proptest::option::of(".{0,20}"),
    ) {
        let draft = Draft {
            to,
            from,
            body: Some(body),
            media_urls,
            content_variables: variables,
            ..Draft::default()
        };
        let parse = |form: &[u8]| {
            form_urlencoded::parse(form).into_owned().collect::<Vec<(String, String)>>()
        };
        let whole = parse(&draft.form());
        let text = |(name, _): &(String, String)| name == "Body" || name == "ContentVariables";
        prop_assert!(draft.has_text() && whole.iter().any(text));
        let rest: Vec<_> = whole.iter().filter(|pair| !text(pair)).cloned().collect();
        prop_assert_eq!(parse(&draft.form_without_text()), rest);
        let value = |name: &str| whole.iter().find(|(have, _)| have == name).map(|(_, v)| v.clone());
        prop_assert_eq!(value("To").unwrap_or_default(), draft.to);
        prop_assert_eq!(value("Body"), draft.body);
        prop_assert_eq!(value("From"), draft.from);
    }
}
