//! Sending: what Twilio is asked, what the log has of it, and that nothing is sent twice.

use std::process::Output;
use std::time::{Duration, Instant};

use delivery_ledger::send::Draft;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::twilio::{API_KEY, Fault, TEXT, Twilio};
use crate::support::{ACCOUNT, Answer, App, Request, assert_problem};

const TO: [&str; 2] = ["--to", "+15558675310"];
/// The tests configure another account, which the fake does not have.
const RECONCILE: [&str; 5] = ["reconcile", "--format", "json", "--account-sid", ACCOUNT];
const SEND_TOKEN: &str = "0123456789abcdef-send";
const READ_TOKEN: &str = "0123456789abcdef-read";

/// A ledger beside a fake Twilio, no server.
fn alone(twilio: &Twilio) -> App {
    let (name, url) = twilio.variable();
    let public = ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com");
    App::not_started(&[(name, &url), public, ("TWILIO_API_TIMEOUT", "1s")])
}

/// The same with a server.
fn serving(twilio: &Twilio) -> App {
    let mut app = alone(twilio);
    app.ask_with_a_token("read send");
    app.restart();
    app
}

fn send(app: &App, arguments: &[&str]) -> Output {
    app.run(&[&["send", "--format", "json"], &TO[..], arguments].concat())
}

#[track_caller]
fn sent(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn post(app: &App, key: Option<&str>, message: Value) -> Answer {
    app.ask(posted(key, message))
}

fn posted(key: Option<&str>, message: Value) -> Request {
    let request = Request::new("POST", "/v1/messages").header("Content-Type", "application/json");
    let request = request.body(message.to_string());
    key.map_or(request.clone(), |key| request.header("Idempotency-Key", key))
}

fn hello() -> Value {
    json!({"to": "+15558675310", "from": "+15017250604", "body": TEXT})
}

// The command.

/// What was sent was sent, and must not seem to have failed.
#[test]
fn who_does_not_read_what_came_of_sending_and_reconciling_sees_no_failure() {
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
fn the_guides_three_ways_give_twilio_these_parameters() {
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
fn a_message_begins_with_its_intent_and_twilios_first_word() {
    let twilio = Twilio::start();
    let app = alone(&twilio);

    let said = sent(&send(&app, &["--from", "+15017250604", "--body", TEXT]));

    let sid = said["message_sid"].as_str().unwrap();
    assert_eq!((&said["outcome"], &said["status"]), (&json!("made"), &json!("queued")));
    let events = app.events();
    assert_eq!(events.len(), 2);
    for (event, stage) in events.iter().zip(["intent", "answer"]) {
        assert_eq!(event["source"], "send");
        assert_eq!(event["notes"]["send_id"], said["send_id"]);
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
fn the_text_is_kept_where_that_is_asked_for() {
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
fn a_callback_url_that_twilio_would_not_take_is_refused_before_anything_leaves() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let long = format!("https://example.com/{}", "a".repeat(3981));
    for (url, said) in [
        ("https://my_host.example.com/", "has an underscore in its host name"),
        ("http://example.com/", "does not begin with https://"),
        (&*long, "is longer than the 4000 characters"),
        ("https:///path", "has no host"),
        ("https://:443/path", "has no host"),
        ("https://a.example.com/a b", "percent-encode"),
    ] {
        let output = send(&app, &["--from", "+1", "--body", "Hi", "--status-callback", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(stderr(&output).contains(said), "{url}: {}", stderr(&output));
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
fn a_message_that_cannot_be_sent_is_refused_before_anything_leaves() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    for (arguments, said) in [
        (&["--body", "Hi"][..], "nobody to send it from"),
        (&["--from", "+1"], "nothing to send"),
        (&["--from", "+1", "--body", &*"a".repeat(1601)], "1601 characters"),
        (&["--from", "+1", "--body", "Hi", "--no-status-callback"], "a messaging service"),
        (&["--from", "+1", "--body", "Hi", "--send-at", "2026-12-01T10:00:00Z"], "schedule"),
        (&["--from", "+1", "--body", "Hi", "--send-at", "tomorrow"], "is not a time"),
    ] {
        let output = send(&app, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    assert_eq!(twilio.requests(), [""; 0]);
}

#[test]
fn too_many_requests_are_tried_again_and_make_one_message() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.next(Fault::Answer(429, Some(1)));
    let began = Instant::now();
    sent(&send(&app, &["--from", "+1", "--body", "Hi"]));
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After was 1");
    assert_eq!((twilio.requests().len(), twilio.made().len()), (2, 1));
}

#[test]
fn what_may_have_been_sent_is_not_sent_again_and_reconcile_finds_it() {
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
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(said["outcome"], "unknown");

        let found = app.json(&RECONCILE);
        assert_eq!((&found["appended"], &found["sends_found"]), (&json!(1), &json!(1)));
        let event = app.events().pop().unwrap();
        assert_eq!(event["notes"]["may_answer_send"], said["send_id"]);
        assert_eq!(app.messages()[0]["status"], "queued");
        assert!(!event.to_string().contains(TEXT), "{event}");
    }
}

#[test]
fn a_send_without_an_answer_is_found_although_its_callback_was_faster() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.next(Fault::DoneBut(500));
    let said = send(&app, &["--from", "+15017250604", "--body", "Hi"]);
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let sid = twilio.sids().remove(0);
    // All that Twilio's list will say of it is known.
    assert_eq!(app.receive(crate::support::status(&sid, "queued")).code, 200);

    app.json(&RECONCILE);
    let again = app.json(&RECONCILE);

    let tied: Vec<_> =
        app.events().into_iter().filter(|event| event["source"] == "reconcile").collect();
    assert_eq!(tied.len(), 1);
    assert_eq!(tied[0]["notes"]["may_answer_send"], said["send_id"]);
    assert_eq!(again["appended"], 0);
}

#[test]
fn where_nothing_reached_twilio_it_can_be_tried_again() {
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
fn twilios_refusal_is_told_with_its_code() {
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
fn a_crash_between_intent_and_answer_is_seen_and_mended() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let arguments = ["send", "--to", "+15558675310", "--from", "+15017250604", "--body", "Hi"];
    let command = app.command(&arguments).env("TWILIO_API_TIMEOUT", "60s");
    let mut child = command.spawn();
    app.eventually("it was made", || twilio.made().len() == 1);
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
fn an_api_key_is_used_where_there_is_one() {
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
fn a_message_sent_beside_a_server_is_seen_by_it() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let said = sent(&send(&app, &["--from", "+15017250604", "--body", "Hi"]));
    let sid = said["message_sid"].as_str().unwrap();
    app.caught_up_to(2);
    assert_eq!(app.message(sid)["status"], "queued");
    assert_eq!(app.receive(crate::support::delivered(sid)).code, 200);
    assert_eq!(app.message(sid)["status"], "delivered");
}

#[test]
fn how_twilio_connects_is_configured() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let path = ["--callback-path", "/hooks/{}"];
    for (overrides, arguments, wanted) in [
        ("none", &arguments[..], "https://hooks.example.com/message-status"),
        ("#ct=500", &arguments, "https://hooks.example.com/message-status#ct=500"),
        (
            "",
            &[&arguments[..], &["--callback-path", "/own"]].concat(),
            "https://hooks.example.com/own#rc=5&rp=all",
        ),
        (
            "",
            &[&arguments[..], &["--public-url", "https://a.example/b/"]].concat(),
            "https://a.example/b/message-status#rc=5&rp=all",
        ),
    ] {
        let command = app.command(arguments).env("DELIVERY_LEDGER_CALLBACK_OVERRIDES", overrides);
        let output = command.output();
        assert!(output.status.success(), "{}", stderr(&output));
        let url = ("StatusCallback".to_owned(), wanted.to_owned());
        assert!(twilio.made().last().unwrap().contains(&url), "{:?}", twilio.made().last());
    }
    let refused = app.run(&[&arguments[..], &path].concat());
    assert!(stderr(&refused).contains("--callback-path"), "{}", stderr(&refused));
}

#[test]
fn a_base_url_that_is_none_is_refused() {
    for (url, said) in [
        ("api.twilio.com", "is not of the form https://api.twilio.com"),
        ("ftp://api.twilio.com", "is not of the form"),
        ("https://", "is not of the form"),
        ("https://user@api.twilio.com", "has no user name"),
        ("https://api.twilio.com?x", "has no user name, query or fragment"),
    ] {
        let app = App::not_started(&[
            ("TWILIO_API_BASE_URL", url),
            ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com"),
        ]);
        let output = send(&app, &["--from", "+1", "--body", "Hi"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(said), "{url}: {}", stderr(&output));
        assert!(!app.log_file().exists());
    }
}

#[test]
fn a_proxy_that_the_environment_names_is_used() {
    let twilio = Twilio::start();
    let (_, proxy) = twilio.variable();
    let app = alone(&twilio);
    let arguments = ["send", "--to", "+1555", "--from", "+1", "--body", "Hi"];
    let command = app.command(&arguments).env("TWILIO_API_BASE_URL", "http://twilio.invalid");
    let output = command.env("http_proxy", &proxy).output();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("travel to twilio.invalid unencrypted"));
    assert_eq!(twilio.made().len(), 1);
}

// POST /v1/messages.

#[test]
fn without_the_systems_certificates_callbacks_are_taken_all_the_same() {
    let none = [("SSL_CERT_FILE", "/dev/null"), ("SSL_CERT_DIR", "/nonexistent")];
    let mut app = App::not_started(&none);
    app.ask_with_a_token("send");
    app.restart();
    assert_eq!(app.receive(crate::support::delivered("SM1")).code, 200);
    assert_eq!(post(&app, None, hello()).code, 404);
    assert!(app.stderr().contains("no messages are sent over HTTP"), "{}", app.stderr());
}

#[test]
fn a_message_is_sent_over_http() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let answer = post(&app, None, hello());
    assert_eq!(answer.code, 201, "{}", answer.json());
    let made = answer.json();
    let sid = made["message_sid"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(&*format!("/v1/messages/{sid}")));
    assert_eq!(made["status"], "queued");
    assert_eq!(app.message(sid)["status"], "queued");
    assert_eq!(app.events()[0]["notes"]["send_id"], made["send_id"]);
    assert!(!app.events()[0].to_string().contains(TEXT));
    let callback = "https://hooks.example.com/message-status#rc=5&rp=all".to_owned();
    assert!(twilio.made()[0].contains(&("StatusCallback".to_owned(), callback)));
}

#[test]
fn one_key_makes_one_message_also_after_a_restart() {
    let twilio = Twilio::start();
    let mut app = serving(&twilio);
    let first = post(&app, Some("order-17"), hello());
    assert_eq!((first.code, first.header("idempotency-replayed")), (201, None));
    let again = |app: &App| {
        let again = post(app, Some("order-17"), hello());
        assert_eq!((again.code, again.json()), (201, first.json()));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    };
    again(&app);
    app.kill();
    app.restart();
    again(&app);

    let mut other = hello();
    other["body"] = json!("another text");
    let refused = post(&app, Some("order-17"), other);
    assert_eq!(refused.code, 422);
    assert_eq!(refused.json()["detail"], "this Idempotency-Key was used for another message");
    assert_eq!(post(&app, Some("order-18"), hello()).code, 201);
    assert_eq!(twilio.made().len(), 2);
}

#[test]
fn a_key_whose_outcome_is_not_known_sends_nothing_more() {
    let twilio = Twilio::start();
    let mut app = serving(&twilio);
    twilio.next(Fault::DoneBut(500));
    let unknown = post(&app, Some("k"), hello());
    assert_eq!(unknown.code, 504);
    let detail = unknown.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("is not known"), "{detail}");
    assert_eq!(post(&app, Some("k"), hello()).code, 504);
    app.kill();
    app.restart();
    let after = post(&app, Some("k"), hello());
    assert_eq!((after.code, &after.json()["send_id"]), (504, &unknown.json()["send_id"]));
    assert_eq!(twilio.requests().len(), 1);
}

#[test]
fn a_server_killed_while_it_sends_does_not_send_again() {
    let twilio = Twilio::start();
    let mut app = serving(&twilio);
    twilio.next(Fault::Hang(Duration::from_secs(5)));
    let (request, admin) = (app.with_token(posted(Some("k"), hello())), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("it was made", || twilio.made().len() == 1);
    app.kill();
    let _no_answer = asker.join();
    app.restart();
    assert_eq!(post(&app, Some("k"), hello()).code, 504);
    assert_eq!(twilio.made().len(), 1);
}

#[test]
fn the_same_key_at_the_same_time_makes_one_message() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.slow(Duration::from_millis(300));
    let codes: Vec<_> = std::thread::scope(|scope| {
        let ask = || post(&app, Some("k"), hello()).code;
        let askers: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert_eq!(twilio.made().len(), 1);
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 409).count(), 7, "{codes:?}");
}

#[test]
fn where_nothing_was_sent_the_key_can_be_used_again() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.next(Fault::Answer(429, Some(60)));
    let later = post(&app, Some("k"), hello());
    assert_eq!((later.code, later.header("retry-after")), (503, Some("1")));
    assert_eq!(post(&app, Some("k"), hello()).code, 201);
    assert_eq!((twilio.requests().len(), twilio.made().len()), (2, 1));
}

#[test]
fn whoever_hangs_up_has_sent_the_message_all_the_same() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.slow(Duration::from_millis(300));
    {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(app.admin()).unwrap();
        stream.write_all(&app.with_token(posted(Some("k"), hello())).bytes(app.admin())).unwrap();
        app.eventually("the intent is kept", || !app.events().is_empty());
    }
    app.eventually("so is the answer", || app.events().len() == 2);
    assert_eq!(post(&app, Some("k"), hello()).code, 201);
    assert_eq!(twilio.made().len(), 1);
}

#[test]
fn what_cannot_be_sent_is_told_as_a_problem() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let problem = |message: Value, code: u16, said: &str| {
        let answer = post(&app, None, message);
        assert_eq!(answer.code, code, "{}", answer.json());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said), "{detail}");
        answer.json()
    };
    let with = |name: &str, value: Value| {
        let mut message = hello();
        message[name] = value;
        message
    };
    problem(with("boddy", json!("x")), 400, "unknown field `boddy`");
    problem(json!([]), 400, "the body is no such message");
    problem(json!({"from": "+1"}), 400, "missing field `to`");
    problem(with("send_at", json!("soon")), 422, "send_at `soon`");
    problem(with("send_at", json!("2026-12-01T10:00:00Z")), 422, "schedule");
    problem(with("content_variables", json!({"1": "x"})), 422, "content template");
    problem(with("status_callback", json!("https://a_b/")), 422, "underscore");
    problem(with("account_sid", json!("AC1")), 422, "no token is configured for account AC1");
    let mut both = with("no_status_callback", json!(true));
    both["status_callback"] = json!("https://example.com/");
    problem(both, 422, "exclude each other");
    assert_eq!(twilio.requests(), [""; 0]);
    assert_eq!(app.events(), [Value::Null; 0]);

    let refused = problem(with("to", json!("+15005550001")), 422, "not a valid phone number");
    assert_eq!((&refused["twilio_code"], &refused["twilio_status"]), (&json!(21211), &json!(400)));
    twilio.next(Fault::Answer(401, None));
    problem(hello(), 502, "Twilio refused");
    twilio.next(Fault::Cut);
    problem(hello(), 504, "is not known");
}

#[test]
fn other_requests_to_send_are_refused() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let own = format!("http://{}", app.admin());
    let json = |request: Request| request.header("Content-Type", "application/json");
    let send = || Request::new("POST", "/v1/messages").body(hello().to_string());
    let code = |request: Request| app.ask(request).code;
    assert_eq!(code(send()), 415);
    assert_eq!(code(send().header("Content-Type", "text/plain")), 415);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost"] {
        assert_eq!(code(json(send()).header("Origin", origin)), 403, "{origin}");
    }
    for key in ["", "a b", "ä", &"k".repeat(256)] {
        assert_eq!(code(json(send()).header("Idempotency-Key", key)), 400, "{key}");
    }
    let twice = json(send()).header("Idempotency-Key", "a").header("Idempotency-Key", "b");
    assert_eq!(code(twice), 400);
    assert_eq!(code(json(Request::new("POST", "/v1/messages?x=1").body(hello().to_string()))), 400);
    assert_eq!(code(json(send()).body(vec![b' '; 65 * 1024])), 413);
    let put = app.ask(Request::new("PUT", "/v1/messages"));
    assert_eq!((put.code, put.header("allow")), (405, Some("GET, HEAD, POST")));
    assert_eq!(twilio.requests(), [""; 0]);
    assert_eq!(code(json(send()).header("Origin", &own)), 201);
    assert_eq!(Request::new("POST", "/v1/messages").send(app.callbacks()).code, 404);
}

#[test]
fn sending_takes_a_token_for_it_and_that_one_shows_nothing() {
    let twilio = Twilio::start();
    let mut app = alone(&twilio);
    app.configure(
        "[api_tokens.shop]\ntoken_file = \"shop\"\nscope = \"send\"\n\
         [api_tokens.support]\ntoken_file = \"support\"\nscope = \"read\"\n\
         [api_tokens.desk]\ntoken_file = \"desk\"\nscope = \"read:masked send\"\n",
    );
    std::fs::write(app.folder().join("shop"), SEND_TOKEN).unwrap();
    std::fs::write(app.folder().join("support"), READ_TOKEN).unwrap();
    std::fs::write(app.folder().join("desk"), "0123456789abcdef-desk").unwrap();
    app.restart();
    let with = |token: &str, request: Request| {
        request.header("Authorization", &format!("Bearer {token}")).send(app.admin())
    };
    assert_eq!(post(&app, None, hello()).code, 401);
    let refused = with(READ_TOKEN, posted(None, hello()));
    assert_problem(&refused, 403, "sending takes an API token that has `send` in its scope");
    assert_eq!(twilio.requests(), [""; 0]);

    let made = with(SEND_TOKEN, posted(None, hello()));
    assert_eq!(made.code, 201);
    let message = format!("/v1/messages/{}", made.json()["message_sid"].as_str().unwrap());
    let masked = "0123456789abcdef-desk";
    assert_eq!(with(masked, posted(None, hello())).code, 201);
    assert_eq!(with(masked, Request::new("GET", &message)).json()["to"], "+*******5310");
    let events = with(masked, Request::new("GET", "/v1/events")).json().to_string();
    assert!(events.contains("5310") && !events.contains("8675310"), "{events}");
    for path in [
        &*message,
        "/v1/messages",
        "/v1/events",
        "/v1/events/1",
        "/v1/events/1/body",
        "/v1/events/stream",
        "/v1/exports/messages",
        "/v1/exports/events",
        "/v1/reports/delivery?by=day",
    ] {
        assert_eq!(with(SEND_TOKEN, Request::new("GET", path)).code, 403, "{path}");
        if path != "/v1/events/stream" {
            assert_eq!(with(READ_TOKEN, Request::new("GET", path)).code, 200, "{path}");
        }
    }
}

#[test]
fn without_a_token_everything_is_shown_and_nothing_sent() {
    let twilio = Twilio::start();
    let mut app = alone(&twilio);
    app.restart();
    assert_eq!(app.get("/v1/messages").code, 200);
    let refused = post(&app, None, hello());
    assert_problem(&refused, 403, "sending takes an API token that has `send` in its scope");
    assert_eq!(twilio.requests(), [""; 0]);
    assert_eq!(app.events(), [Value::Null; 0]);
}

#[test]
fn a_server_ends_in_time_while_twilio_does_not_answer() {
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let mut app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "60s")]);
    app.ask_with_a_token("read send");
    app.restart();
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let (request, admin) = (app.with_token(posted(None, hello())), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("it was made", || twilio.made().len() == 1);
    app.stop(); // within ten seconds, else the harness complains
    let _no_answer = asker.join();
    assert_eq!(app.events().len(), 1, "the intent, which says that a message may be there");
}

// What is asked, as a law.

proptest! {
    #[test]
    fn a_form_without_the_text_is_the_form_but_for_it(
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

#[test]
fn an_account_of_which_nothing_is_configured_is_not_asked_for() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let output = send(&app, &["--from", "+1", "--body", "Hi", "--account-sid", "AC1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no token is configured for account AC1"));
    assert_eq!(twilio.requests(), [""; 0]);
    let named = ["--from", "+1", "--body", "Hi", "--account-sid", ACCOUNT];
    sent(&send(&app, &named));
}
