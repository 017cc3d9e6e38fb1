//! Sending over HTTP, with idempotency keys and tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{alone, hello, post, posted, serving};
use crate::support::twilio::{Fault, TEXT, Twilio};
use crate::support::{ACCOUNT, App, Request, assert_problem};

const SEND_TOKEN: &str = "0123456789abcdef-send";

const READ_TOKEN: &str = "0123456789abcdef-read";

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
fn the_account_of_a_message_may_be_given_by_name() {
    let twilio = Twilio::start();
    let mut app = alone(&twilio);
    app.configure(&format!("[accounts.{ACCOUNT}]\nname = \"shop-eu\"\n"));
    app.use_token_with_scope("read send");
    app.restart();
    let with_account = |name: &str| {
        let mut message = hello();
        message["account_sid"] = json!(name);
        post(&app, None, message)
    };
    let unknown = with_account("shop-euu");
    assert_eq!(unknown.code, 422);
    let expected = "account_sid `shop-euu` is not an account's SID (AC…) or name; similar: shop-eu";
    assert_eq!(unknown.json()["detail"], expected);
    let sent = with_account("shop-eu");
    assert_eq!(sent.code, 201, "{}", sent.json());
    let message = app.message(sent.json()["message_sid"].as_str().unwrap());
    assert_eq!(
        (&message["account_sid"], &message["account_name"]),
        (&json!(ACCOUNT), &json!("shop-eu"))
    );
}

#[test]
fn an_idempotency_key_creates_one_message_across_restarts() {
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
    assert_eq!(refused.json()["detail"], "this Idempotency-Key was used for another request");
    assert_eq!(post(&app, Some("order-18"), hello()).code, 201);
    assert_eq!(twilio.made().len(), 2);
}

#[test]
fn an_idempotency_key_with_unknown_outcome_sends_nothing_more() {
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
fn a_server_killed_while_sending_does_not_send_again() {
    let twilio = Twilio::start();
    let mut app = serving(&twilio);
    twilio.next(Fault::Hang(Duration::from_secs(5)));
    let (request, admin) = (app.with_token(posted(Some("k"), hello())), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("the message was created", || twilio.made().len() == 1);
    app.kill();
    let _no_answer = asker.join();
    app.restart();
    assert_eq!(post(&app, Some("k"), hello()).code, 504);
    assert_eq!(twilio.made().len(), 1);
}

#[test]
fn concurrent_requests_with_one_key_create_one_message() {
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
fn an_idempotency_key_can_be_reused_if_nothing_was_sent() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.next(Fault::Response(429, Some(60)));
    let later = post(&app, Some("k"), hello());
    assert_eq!((later.code, later.header("retry-after")), (503, Some("1")));
    assert_eq!(post(&app, Some("k"), hello()).code, 201);
    assert_eq!((twilio.requests().len(), twilio.made().len()), (2, 1));
}

#[test]
fn a_message_is_sent_even_if_the_client_disconnects() {
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
fn an_invalid_message_gets_a_problem() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let problem = |message: Value, code: u16, expected: &str| {
        let answer = post(&app, None, message);
        assert_eq!(answer.code, code, "{}", answer.json());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{detail}");
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
    twilio.next(Fault::Response(401, None));
    problem(hello(), 502, "Twilio refused");
    twilio.next(Fault::Cut);
    problem(hello(), 504, "is not known");
}

#[test]
fn malformed_send_requests_are_rejected() {
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
fn sending_needs_a_send_token_which_cannot_read() {
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
fn without_tokens_reading_is_allowed_and_sending_is_not() {
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
fn a_server_stops_in_time_while_twilio_does_not_respond() {
    let twilio = Twilio::start();
    let (name, url) = twilio.variable();
    let mut app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "60s")]);
    app.use_token_with_scope("read send");
    app.restart();
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let (request, admin) = (app.with_token(posted(None, hello())), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("the message was created", || twilio.made().len() == 1);
    app.stop(); // within ten seconds, else the harness complains
    let _no_answer = asker.join();
    assert_eq!(app.events().len(), 1, "the intent, which says that a message may be there");
}
