//! Unusual callbacks: each has a valid signature, so it is stored byte for byte.

use std::io::Write;
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::NewEvent;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::twilio::callback::ParsedCallback;
use serde_json::{Value, json};

use crate::support::events::event;
use crate::support::{
    ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, Request, Response, TOKEN, delivered, json_signature,
    sent, sid, signature, status,
};

// What a body may say.

#[test]
fn an_unknown_status_is_stored_and_shown_but_does_not_change_the_status() {
    let app = App::start();

    assert_kept(&app, "/message-status", status(&sid(1), "teleported").bytes());
    let message = app.message(&sid(1));
    assert_eq!(message["status"], "unknown");
    assert_eq!(message["unrecognised"], 1);
    assert_eq!(message["timeline"][0]["status"], "teleported");
    assert_eq!(message["timeline"][0]["effect"], "unrecognised");

    assert_kept(&app, "/message-status", sent(&sid(1)).bytes());
    assert_kept(&app, "/message-status", status(&sid(1), "received").bytes());
    let message = app.message(&sid(1));
    assert_eq!(message["status"], "sent");
    assert_eq!(message["unrecognised"], 2);
}

#[test]
fn a_blank_or_missing_status_is_accepted() {
    let app = App::start();
    let blank = status(&sid(1), "");
    let missing = sent(&sid(2)).without("MessageStatus").without("SmsStatus");

    assert_kept(&app, "/message-status", blank.bytes());
    assert_kept(&app, "/message-status", missing.bytes());

    assert_eq!(app.message(&sid(1))["status"], "unknown");
    assert_eq!(app.message(&sid(2))["status"], "unknown");
}

#[test]
fn unknown_parameters_are_verified_and_stored() {
    let app = App::start();
    let body = [
        &delivered(&sid(1)).bytes()[..],
        b"&ZzNewParam2030=x&aaNew=&_underscore&%C3%89moji=%F0%9F%99%82&=nameless&a%00b=1",
    ];

    assert_kept(&app, "/message-status", body.concat());

    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn a_callback_without_a_message_sid_is_stored_without_a_message() {
    let mut app = App::start();
    let neither = delivered(&sid(1)).without("MessageSid").without("SmsSid");
    let blank = delivered("").with("SmsSid", "");

    let event = assert_kept(&app, "/message-status", neither.bytes());
    assert_eq!((&event["account_sid"], &event["message_sid"]), (&json!(ACCOUNT), &Value::Null));
    let event = assert_kept(&app, "/message-status", blank.bytes());
    assert_eq!((&event["account_sid"], &event["message_sid"]), (&json!(ACCOUNT), &Value::Null));

    app.stop();
    assert_eq!(app.messages(), Vec::<Value>::new());
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
}

#[test]
fn sms_sid_replaces_a_missing_or_blank_message_sid() {
    let app = App::start();

    let missing = delivered(&sid(1)).without("MessageSid");
    assert_eq!(assert_kept(&app, "/message-status", missing.bytes())["message_sid"], sid(1));
    let blank = delivered(&sid(2)).with("MessageSid", "");
    assert_eq!(assert_kept(&app, "/message-status", blank.bytes())["message_sid"], sid(2));
}

#[test]
fn a_message_sid_of_any_form_is_stored_labelled_and_found() {
    let mut app = App::start();
    let long = "x".repeat(2048);
    // (the SID, how a path names it)
    for (sid, path) in [
        ("SM1", "SM1"),
        ("SM\0x", "SM%00x"),
        (&*long, &*long),
        ("a/b", "a%2Fb"),
        ("a%41b", "a%2541b"),
        ("a b+c", "a%20b+c"),
        ("..", "%2E%2E"),
        ("?#&=", "%3F%23&="),
        ("ñ🙂", "%C3%B1%F0%9F%99%82"),
        ("'; DROP TABLE events --", "'%3B%20DROP%20TABLE%20events%20--"),
        (" ", "%20"),
    ] {
        let event = assert_kept(&app, "/message-status", delivered(sid).bytes());
        assert_eq!(event["message_sid"], sid);
        let message = app.message(path);
        assert_eq!(message["message_sid"], sid);
        assert_eq!(message["status"], "delivered");
        assert_eq!(message["timeline"][0]["labels"], json!(["odd-message-sid"]), "{sid:?}");
    }
    app.stop();
    assert_eq!(app.messages().len(), 11);
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
}

#[test]
fn invalid_utf_8_is_stored_unchanged() {
    let app = App::start();

    // As raw bytes the body is no text.
    let raw = [&delivered(&sid(1)).bytes()[..], b"&Body=caf\xe9\0\xff"].concat();
    let event = assert_kept(&app, "/message-status", raw.clone());
    assert_eq!(event["body_base64"], STANDARD.encode(&raw));
    assert_eq!(event.get("body"), None);
    let message = app.message(&sid(1));
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["timeline"][0]["body_base64"], STANDARD.encode(&raw));

    // Escaped they are, and stay escaped.
    let escaped = [&delivered(&sid(2)).bytes()[..], b"&Body=caf%E9%00%FF"].concat();
    assert_kept(&app, "/message-status", escaped);
}

#[test]
fn the_first_value_of_a_repeated_parameter_counts() {
    let app = App::start();
    let again = format!("&MessageStatus=sent&MessageSid={}&To=%2B1999", sid(2));
    let body = [&delivered(&sid(1)).bytes()[..], again.as_bytes()].concat();

    assert_kept(&app, "/message-status", body);

    let message = app.message(&sid(1));
    assert_eq!(message["status"], "delivered");
    assert_eq!(message["to"], "+15558675310");
    assert_eq!(app.get(&format!("/v1/messages/{}", sid(2))).code, 404);
}

#[test]
fn an_empty_body_is_stored() {
    let mut app = App::start();
    for body in ["", "&", "&&&=&", "%", "=", "\r\n", "{\"MessageSid\":\"SM1\"}"] {
        assert_kept(&app, "/message-status", body.into());
    }
    app.stop();
    assert_eq!(app.messages(), Vec::<Value>::new());
}

#[test]
fn a_body_without_an_account_is_stored_without_one() {
    let app = App::start();
    let body = delivered(&sid(1)).without("AccountSid").bytes();

    let event = assert_kept(&app, "/message-status", body);

    assert_eq!(event["account_sid"], Value::Null);
    assert_eq!(app.message(&sid(1))["account_sid"], Value::Null);
}

#[test]
fn events_without_an_account_do_not_hide_the_message_of_an_account() {
    let app = App::start();
    let unnamed = status(&sid(1), "failed").without("AccountSid").bytes();
    let signed = signature(OTHER_TOKEN, &app.url("/message-status"), &unnamed);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(unnamed).send(app.callbacks()).code, 200);
    assert_eq!(app.message(&sid(1))["status"], "failed", "no account has this SID yet");
    assert_kept(&app, "/message-status", delivered(&sid(1)).bytes());

    assert_eq!(app.message(&sid(1))["status"], "delivered");
    assert_eq!(app.json(&["audit", &sid(1), "--format", "json"])["account_sid"], ACCOUNT);
    let path = format!("/v1/messages/{}", sid(1));
    let of_none = app.get(&format!("{path}?account_sid=")).json();
    assert_eq!((&of_none["status"], &of_none["events"]), (&json!("failed"), &json!(1)));
    let before = app.get(&format!("{path}?as_of_position=1")).json();
    assert_eq!(before["status"], "failed", "as of then no account had it");

    let theirs = sent(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signed = signature(OTHER_TOKEN, &app.url("/message-status"), &theirs);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signed);
    assert_eq!(request.body(theirs).send(app.callbacks()).code, 200);
    let answer = app.get(&path);
    assert_eq!(answer.code, 409);
    let detail = answer.json()["detail"].to_string();
    assert!(detail.contains(&format!("one of: {ACCOUNT}, {OTHER_ACCOUNT}")), "{detail}");
}

#[test]
fn one_message_sid_in_two_accounts_is_two_messages() {
    let mut app = App::start();
    let theirs = sent(&sid(1)).with("AccountSid", OTHER_ACCOUNT).bytes();
    let signature = signature(OTHER_TOKEN, &app.url("/message-status"), &theirs);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    assert_eq!(request.body(theirs).send(app.callbacks()).code, 200);
    assert_kept(&app, "/message-status", delivered(&sid(1)).bytes());

    let path = format!("/v1/messages/{}", sid(1));
    assert_eq!(app.get(&path).code, 409);
    let status = |account: &str| app.get(&format!("{path}?account_sid={account}")).json();
    assert_eq!(status(ACCOUNT)["status"], "delivered");
    assert_eq!(status(OTHER_ACCOUNT)["status"], "sent");
    app.stop();
    assert_eq!(app.messages().len(), 2);
}

/// Regression: the signature was checked as for JSON, but the body was parsed as a form.
#[test]
fn a_media_type_with_parameters_is_still_json() {
    let headers = Headers::new([("content-type".to_owned(), b"application/json; a=\xff".to_vec())]);
    let body = br#"{"text":"&MessageSid=SM1&MessageStatus=failed&"}"#.to_vec();
    let event = NewEvent { headers, body, ..event(delivered("SM1")) };
    let reading = ParsedCallback::parse(&event);
    assert_eq!((reading.message_sid, reading.reported), (None, None));
}

#[test]
fn a_json_body_is_stored_and_changes_no_message() {
    let mut app = App::start();
    let body = format!(r#"{{"MessageSid":"{}", "AccountSid":"{ACCOUNT}","x":["é"]}}"#, sid(1));
    let hash = sha256_hex(body.as_bytes());
    let target = format!("/message-status?bodySHA256={hash}");
    for content_type in ["application/json", "application/cloudevents+json; charset=utf-8"] {
        let request = Request::new("POST", &target)
            .header("Content-Type", content_type)
            .header("X-Twilio-Signature", &json_signature(TOKEN, &app.url(&target)));
        assert_eq!(request.body(body.clone()).send(app.callbacks()).code, 200);
    }

    let events = app.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["body"], body);
    assert_eq!(events[0]["url"], app.url(&target));
    assert_eq!(events[0]["message_sid"], sid(1));
    app.stop();
    assert_eq!(app.messages(), Vec::<Value>::new());
}

// What a request line may say.

#[test]
fn path_and_query_are_stored_unchanged() {
    let app = App::start();
    for target in [
        "/message-status?id=order%2F42&n=a%2Bb",
        "/message-status?next=//x//y&a=1&a=1&a=",
        "/message-status?b=2&a=1&B=3",
        "/message-status?",
        "/message-status??a=?",
        "/message-status?&&",
        "/message-status?q='It's+amazing'|{}[]^`",
        "/message-status?a=%zz%",
        "/message-status?a=%C3%B1&bodysha256=0",
        "/message%2Dstatus?a=1",
        "/%6Dessage-status",
    ] {
        assert_kept(&app, target, delivered(&sid(1)).bytes());
    }
    let long = format!("/message-status?a={}", "x".repeat(3_900));
    assert_kept(&app, &long, delivered(&sid(1)).bytes());
}

#[test]
fn the_same_body_with_another_query_is_no_duplicate() {
    let app = App::start();

    assert_kept(&app, "/message-status?attempt=1", delivered(&sid(1)).bytes());
    assert_kept(&app, "/message-status?attempt=2", delivered(&sid(1)).bytes());

    assert_eq!(app.message(&sid(1))["duplicates"], 0);
}

// What headers may say.

#[test]
fn an_event_has_the_documented_fields_in_order() {
    let app = App::start();

    let event = assert_kept(&app, "/message-status", delivered(&sid(1)).bytes());

    let fields: Vec<_> = event.as_object().unwrap().keys().collect();
    assert_eq!(
        fields,
        [
            "position",
            "event_id",
            "received_at",
            "source",
            "method",
            "url",
            "headers",
            "body",
            "account_sid",
            "message_sid",
            "verified_by",
            "notes",
            "salt",
            "status",
            "error_code",
            "from",
            "to",
            "tags",
            "occurred_at",
        ]
    );
    assert_eq!(event["position"], 1);
    assert_eq!(event["source"], "callback");
    assert_eq!(event["method"], "POST");
    assert_eq!(event["account_sid"], ACCOUNT);
    assert_eq!(event["message_sid"], sid(1));
    assert_eq!(event["verified_by"], "primary");
    assert_eq!(event["notes"], json!({}));
    let id = uuid::Uuid::parse_str(event["event_id"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 7);
    let received_at = event["received_at"].as_str().unwrap();
    assert_eq!(received_at.len(), "2026-01-31T12:00:00.000000Z".len(), "{received_at}");
    assert!(received_at.ends_with('Z'), "{received_at}");
}

#[test]
fn twilios_headers_are_stored_sorted_and_credentials_are_not() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);
    let head = format!(
        "POST /message-status HTTP/1.1\r\n\
         Host: hooks.example.com\r\n\
         X-Twilio-Zone: first\r\n\
         x-use-static-proxy: true\r\n\
         Accept: */*\r\n\
         Authorization: Bearer secret\r\n\
         Proxy-Authorization: Basic secret\r\n\
         Cookie: session=secret\r\n\
         X-Forwarded-For: 192.0.2.1\r\n\
         X-TWILIO-SIGNATURE: {signature}\r\n\
         x-twilio-zone:   Second, with spaces  \r\n\
         X-Home-Region: us1\r\n\
         User-Agent: TwilioProxy/1.1\r\n\
         I-Twilio-Idempotency-Token: 32e709c9-0e95-47c0-8f0d-c6c868cf6241\r\n\
         X-Twilio-Empty:\r\n\
         Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\
         I-Twilio-New: x\r\n\
         Content-Length: {}\r\n\
         Connection: close\r\n",
        body.len()
    );
    let request = [head.as_bytes(), b"X-Twilio-Zone: caf\xe9\r\n\r\n", &body].concat();

    assert_eq!(send(&app, &request).code, 200);

    assert_eq!(
        app.events()[0]["headers"],
        json!([
            ["content-type", "application/x-www-form-urlencoded; charset=utf-8"],
            ["i-twilio-idempotency-token", "32e709c9-0e95-47c0-8f0d-c6c868cf6241"],
            ["i-twilio-new", "x"],
            ["user-agent", "TwilioProxy/1.1"],
            ["x-home-region", "us1"],
            ["x-twilio-empty", ""],
            ["x-twilio-signature", signature],
            ["x-twilio-zone", "first"],
            ["x-twilio-zone", "Second, with spaces"],
            ["x-twilio-zone", {"base64": "Y2Fm6Q=="}],
        ])
    );
}

#[test]
fn a_second_content_type_or_signature_changes_nothing() {
    let app = App::start();
    let body = delivered(&sid(1)).bytes();
    let good = signature(TOKEN, &app.url("/message-status"), &body);
    let receive = |signatures: [&str; 2]| {
        let request = app
            .form("/message-status")
            .header("Content-Type", "application/json")
            .header("X-Twilio-Signature", signatures[0])
            .header("X-Twilio-Signature", signatures[1]);
        request.body(body.clone()).send(app.callbacks()).code
    };

    assert_eq!(receive([&good, "Zm9yZ2Vk"]), 200);
    assert_eq!(receive(["Zm9yZ2Vk", &good]), 403);

    // What was checked as a form is read as a form.
    assert_eq!(app.events()[0]["message_sid"], sid(1));
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

// Helpers.

/// Sends a signed callback, and finds it as the log's last event with the same URL and bytes.
#[track_caller]
fn assert_kept(app: &App, target: &str, body: Vec<u8>) -> Value {
    let answer = app.receive_at(target, body.clone());
    assert_eq!(answer.code, 200, "{target}: {}", String::from_utf8_lossy(&answer.body));
    let event = app.events().pop().expect("an event");
    let kept = match (event["body"].as_str(), event["body_base64"].as_str()) {
        (Some(text), None) => text.as_bytes().to_vec(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap(),
        _ => panic!("not one body: {event}"),
    };
    assert_eq!(kept, body, "{event}");
    assert_eq!(event["url"], app.url(target));
    event
}

fn send(app: &App, request: &[u8]) -> Response {
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(request).unwrap();
    Response::read(&mut stream)
}

fn sha256_hex(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
