//! Commands that send events themselves: `forward test`, and `tail --forward-to`.

use std::net::{SocketAddr, TcpListener};

use delivery_ledger::domain::{NewEvent, Source};
use serde_json::{Value, json};

use super::four_events;
use crate::support::application::{Application, Reply};
use crate::support::events::{event, resource, with_query};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, TOKEN, delivered, sent, sid};

/// The exit code, stdout and stderr of a command, with the account's token in its environment.
fn with_token(ledger: &Ledger, arguments: &[&str]) -> (Option<i32>, String, String) {
    let command = ledger.command(arguments).env("TWILIO_ACCOUNT_SID", ACCOUNT);
    let output = command.env("TWILIO_AUTH_TOKEN", TOKEN).output();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Makes this URL the target `orders`.
fn configure(ledger: &Ledger, url: &str, settings: &str) {
    let file = format!("[forward.orders]\nurl = \"{url}\"\n{settings}\n");
    std::fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
}

/// An address at which nothing listens.
fn unused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn a_test_event_is_signed_and_marked_and_leaves_no_trace() {
    let application = Application::start();
    let ledger = Ledger::with_events(&four_events());
    configure(&ledger, &application.url("/hook?tenant=7"), "");

    let (code, out, err) = with_token(&ledger, &["forward", "test", "orders"]);

    assert_eq!((code, err.as_str()), (Some(0), ""));
    let url = application.url("/hook?…");
    let expected = format!("test event to orders at {url}: accepted with 204 after ");
    assert!(out.starts_with(&expected), "{out}");
    let received = application.received();
    let [request] = &received[..] else { panic!("{received:?}") };
    assert!(request.is_signed, "{request:?}");
    assert_eq!(request.target, "/hook?tenant=7");
    assert_eq!(request.header("Delivery-Ledger-Test"), Some("true"));
    assert_eq!(request.header("Delivery-Ledger-Position"), Some("0"));
    assert_eq!(request.header("Delivery-Ledger-Status"), Some("delivered"));
    assert_eq!(request.parameter("AccountSid").as_deref(), Some(ACCOUNT));
    assert_eq!(
        request.parameter("MessageSid").as_deref(),
        Some("SM00000000000000000000000000000000")
    );
    assert_eq!(ledger.open_for_reading().head().unwrap(), 4);
    assert!(!ledger.file("ledger.forward.db").exists());
}

#[test]
fn a_test_event_of_a_message_is_signed_as_a_webhook() {
    let application = Application::start();
    let ledger = Ledger::with_events(&four_events());
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    configure(
        &ledger,
        &application.url("/hook"),
        &format!("format = \"message\"\nsecret = \"{secret}\""),
    );

    let (code, _, err) = with_token(&ledger, &["forward", "test", "orders"]);

    assert_eq!((code, err.as_str()), (Some(0), ""));
    let received = application.received();
    assert!(received[0].header("webhook-signature").unwrap().starts_with("v1,"));
    let message: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(message["status"], "delivered");
}

#[test]
fn a_target_can_be_tested_before_there_is_a_ledger() {
    let application = Application::start();
    let ledger = Ledger::new();
    configure(&ledger, &application.url("/hook"), "");
    let (code, _, err) = with_token(&ledger, &["forward", "test", "orders"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(application.received().len(), 1);
    assert!(!ledger.log_file().exists());
}

#[test]
fn a_refused_test_fails_with_the_answer_and_advice() {
    let application = Application::start();
    application.answers(|_| Reply::Code(403));
    let ledger = Ledger::with_events(&four_events());
    configure(&ledger, &application.url("/hook"), "");

    let (code, out, err) = with_token(&ledger, &["forward", "test", "orders"]);

    assert_eq!(code, Some(1));
    assert!(out.contains(": 403 after "), "{out}");
    let expected = "error: orders: answered 403; it did not accept the signature: it must validate \
                    for `url`, with the account's auth token\n";
    assert_eq!(err, expected);

    let (code, out, _) = with_token(&ledger, &["forward", "test", "orders", "--format", "json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(1));
    assert_eq!(json["forwarded"]["accepted"], false);
    assert_eq!(json["forwarded"]["failure"], "answered 403");
    assert!(json["forwarded"]["took_ms"].is_u64());
}

#[test]
fn a_test_of_a_target_that_does_not_answer_says_so() {
    let ledger = Ledger::with_events(&four_events());
    configure(&ledger, &format!("http://{}/hook", unused()), "");
    let (code, out, err) = with_token(&ledger, &["forward", "test", "orders"]);
    assert_eq!(code, Some(1));
    assert!(out.contains(": no_connection after "), "{out}");
    assert!(err.starts_with("error: orders: no connection: Connection refused"), "{err}");
}

// tail --forward-to

fn tail(ledger: &Ledger, url: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let tail = ["tail", "--after", "0", "--no-follow", "--forward-to", url];
    with_token(ledger, &[&tail, more].concat())
}

#[test]
fn tail_sends_each_shown_event_as_the_request_that_arrived() {
    let application = Application::start();
    application.answers(|request| match request.position() {
        2 => Reply::Code(500),
        _ => Reply::Code(204),
    });
    let first = with_query(event(sent(&sid(1))), "order=17");
    let events = [first, event(delivered(&sid(1))), event(sent(&sid(1)))];
    let ledger = Ledger::with_events(&events);

    let (code, out, err) = tail(&ledger, &application.url("/hook?own=1"), &[]);

    assert_eq!((code, err.as_str()), (Some(0), ""));
    let received = application.received();
    assert_eq!(application.positions(), [1, 2, 3], "in order, and none again");
    assert!(received.iter().all(|request| request.is_signed && request.attempt() == 1));
    assert_eq!(received[0].target, "/hook?own=1&order=17");
    assert_eq!(received[0].body, events[0].body);
    let header = |name: &str| -> Vec<_> {
        received.iter().map(|request| request.header(name).unwrap()).collect()
    };
    assert_eq!(header("Delivery-Ledger-Status"), ["sent", "delivered", "delivered"]);
    assert_eq!(header("Delivery-Ledger-Effect"), ["advanced", "advanced", "late"]);
    let heading = out.lines().next().unwrap();
    let column = heading.find("forwarded").unwrap();
    let answers: Vec<_> = out.lines().skip(1).map(|line| &line[column..column + 7]).collect();
    assert_eq!(answers, ["204 in ", "500 in ", "204 in "]);
}

#[test]
fn tail_forwards_only_what_its_filters_show() {
    let application = Application::start();
    let ledger = Ledger::with_events(&four_events());
    let (code, _, _) = tail(&ledger, &application.url("/"), &["--status", "sent"]);
    assert_eq!((code, application.positions()), (Some(0), vec![1, 3]));
}

#[test]
fn tail_shows_answers_in_json_and_sends_only_requests_that_arrived() {
    let application = Application::start();
    let other_source = resource(Source::Reconcile, json!({ "sid": sid(1), "status": "sent" }));
    let ledger = Ledger::with_events(&[event(sent(&sid(1))), other_source]);

    let (code, out, _) = tail(&ledger, &application.url("/"), &["--format", "json"]);

    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((code, lines.len()), (Some(0), 2));
    assert_eq!(lines[0]["position"], 1);
    assert_eq!(lines[0]["forwarded"]["answer"], "204");
    assert_eq!(lines[0]["forwarded"]["accepted"], true);
    assert_eq!((&lines[1]["position"], &lines[1]["forwarded"]), (&json!(2), &Value::Null));
    assert_eq!(application.positions(), [1]);
    let (_, plain, _) =
        with_token(&ledger, &["tail", "--after", "0", "--no-follow", "--format", "json"]);
    assert!(!plain.contains("forwarded"), "{plain}");
}

#[test]
fn tail_continues_if_nothing_answers() {
    let ledger = Ledger::with_events(&four_events());
    let url = format!("http://{}/", unused());
    let (code, out, err) = tail(&ledger, &url, &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out.matches("no_connection").count(), 4, "{out}");
    let (_, json, _) = tail(&ledger, &url, &["--format", "json"]);
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let failure = first["forwarded"]["failure"].as_str().unwrap();
    assert!(failure.starts_with("no connection: Connection refused"), "{failure}");
}

#[test]
fn tail_sends_requests_of_unknown_accounts_without_a_signature() {
    let application = Application::start();
    let of_other = sent(&sid(1)).with("AccountSid", OTHER_ACCOUNT);
    let signed = |event: NewEvent| {
        crate::support::events::with_header(event, "x-twilio-signature", "as it arrived")
    };
    let ledger = Ledger::with_events(&[signed(event(of_other))]);

    let (code, _, err) = tail(&ledger, &application.url("/"), &[]);
    assert_eq!((code, err.as_str()), (Some(0), ""));

    let without_token = ["tail", "--after", "0", "--no-follow", "--forward-to"];
    let url = application.url("/");
    let output = ledger.run(&[&without_token[..], &[&url]].concat());
    assert_eq!(output.status.code(), Some(0));
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("requests are not signed"), "{err}");

    let received = application.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|request| request.header("X-Twilio-Signature").is_none()));
}

#[test]
fn tail_refuses_what_is_no_url_and_does_not_repeat_its_password() {
    let ledger = Ledger::with_events(&four_events());
    for (url, expected) in [
        ("127.0.0.1:3000", "does not begin with http:// or https://"),
        ("http://user:hidden@127.0.0.1/", "has a user name or password"),
    ] {
        let (code, _, err) = tail(&ledger, url, &[]);
        assert_eq!(code, Some(2), "{url}: {err}");
        assert!(err.starts_with("error: --forward-to: `"), "{err}");
        assert!(err.contains(expected) && !err.contains("hidden"), "{err}");
    }
}
