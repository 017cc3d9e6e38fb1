//! Feedback over HTTP, with idempotency keys and tokens.

use std::time::Duration;

use serde_json::{Value, json};

use super::{alone, hello, post, posted, serving};
use crate::support::twilio::{Fault, Twilio};
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, Request, Response, delivered, sid};

fn reporting(target: &str, key: Option<&str>, feedback: Value) -> Request {
    let request = Request::new("POST", &format!("/v1/messages/{target}"));
    let request = request.header("Content-Type", "application/json").body(feedback.to_string());
    key.map_or(request.clone(), |key| request.header("Idempotency-Key", key))
}

fn confirmed(message: &str, key: Option<&str>) -> Request {
    reporting(&format!("{message}/feedback"), key, json!({"outcome": "confirmed"}))
}

/// A server that knows a message of the fake.
fn with_message(twilio: &Twilio) -> (App, String) {
    let app = serving(twilio);
    knows(twilio, &app, 1);
    (app, sid(1))
}

fn knows(twilio: &Twilio, app: &App, number: u32) {
    twilio.has(&sid(number), "delivered");
    assert_eq!(app.receive(delivered(&sid(number))).code, 200);
}

/// Asserts that a response is a problem with this code, and with this in its detail.
#[track_caller]
fn is_problem(answer: &Response, code: u16, expected: &str) {
    assert_eq!(answer.code, code, "{}", answer.json());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(expected), "{detail}");
}

#[test]
fn feedback_is_reported_over_http() {
    let twilio = Twilio::start();
    let (app, message) = with_message(&twilio);

    let answer = app.ask(confirmed(&message, None));

    assert_eq!(answer.code, 200, "{}", answer.json());
    let recorded = answer.json();
    assert_eq!(
        (&recorded["outcome"], &recorded["message_sid"]),
        (&json!("confirmed"), &json!(message))
    );
    assert_eq!(twilio.feedback(), [(message.clone(), "confirmed".to_owned())]);
    for (position, stage) in [("intent_position", "intent"), ("answer_position", "answer")] {
        let event = app.get(&format!("/v1/events/{}", recorded[position])).json();
        assert_eq!((&event["source"], &event["notes"]["stage"]), (&json!("send"), &json!(stage)));
        assert_eq!(event["notes"]["send_id"], recorded["send_id"]);
    }
    assert_eq!(app.message(&message)["events"], 2);
    let unconfirmed = json!({"outcome": "unconfirmed"});
    let answer = app.ask(reporting(&format!("{message}/feedback"), None, unconfirmed));
    assert_eq!(answer.json()["outcome"], "unconfirmed");
}

#[test]
fn an_idempotency_key_reports_once_across_restarts() {
    let twilio = Twilio::start();
    let (mut app, message) = with_message(&twilio);
    knows(&twilio, &app, 2);
    let first = app.ask(confirmed(&message, Some("code-17")));
    assert_eq!((first.code, first.header("idempotency-replayed")), (200, None));
    let again = |app: &App| {
        let again = app.ask(confirmed(&message, Some("code-17")));
        assert_eq!((again.code, again.json()), (200, first.json()));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    };
    again(&app);
    app.kill();
    app.restart();
    again(&app);

    let used = "this Idempotency-Key was used for another request";
    is_problem(&app.ask(confirmed(&sid(2), Some("code-17"))), 422, used);
    let other = json!({"outcome": "unconfirmed"});
    let other = reporting(&format!("{message}/feedback"), Some("code-17"), other);
    is_problem(&app.ask(other), 422, used);
    is_problem(&post(&app, Some("code-17"), hello()), 422, used);
    assert_eq!(post(&app, Some("order-17"), hello()).code, 201);
    is_problem(&app.ask(confirmed(&message, Some("order-17"))), 422, used);
    assert_eq!(twilio.feedback().len(), 1);
}

#[test]
fn a_server_killed_while_reporting_does_not_report_again_under_the_same_key() {
    let twilio = Twilio::start();
    let (mut app, message) = with_message(&twilio);
    twilio.next(Fault::Hang(Duration::from_secs(5)));
    let (request, admin) = (app.with_token(confirmed(&message, Some("k"))), app.admin());
    let asker = std::thread::spawn(move || std::panic::catch_unwind(|| request.send(admin)));
    app.eventually("Twilio has recorded it", || twilio.feedback().len() == 1);
    app.kill();
    let _no_answer = asker.join();
    app.restart();
    assert_eq!(app.ask(confirmed(&message, Some("k"))).code, 504);
    assert_eq!(twilio.feedback().len(), 1);
    assert_eq!(app.ask(confirmed(&message, Some("l"))).code, 200);
}

#[test]
fn concurrent_requests_with_one_key_report_once() {
    let twilio = Twilio::start();
    let (app, message) = with_message(&twilio);
    twilio.slow(Duration::from_millis(200));
    let codes: Vec<_> = std::thread::scope(|scope| {
        let ask = || app.ask(confirmed(&message, Some("k"))).code;
        let askers: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).collect()
    });
    assert_eq!(twilio.feedback().len(), 1);
    assert_eq!(codes.iter().filter(|code| **code == 200).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 409).count(), 3, "{codes:?}");
}

#[test]
fn invalid_feedback_gets_a_problem_and_leaves_no_event() {
    let twilio = Twilio::start();
    let (app, message) = with_message(&twilio);
    let path = format!("{message}/feedback");
    let problem = |feedback: Value, detail: &str| {
        is_problem(&app.ask(reporting(&path, None, feedback)), 400, detail);
    };
    problem(json!({"outcome": "Yes"}), "outcome `Yes` is not confirmed or unconfirmed");
    problem(json!({"outcome": "CONFIRMED"}), "outcome `CONFIRMED` is not confirmed or unconfirmed");
    problem(json!({"outcome": true}), "expected a string");
    problem(json!({}), "missing field `outcome`");
    problem(json!({"outcome": "confirmed", "when": "now"}), "unknown field `when`");
    problem(json!("confirmed"), "the body is no such feedback");
    let unknown = app.ask(confirmed(&sid(9), None));
    is_problem(&unknown, 404, &format!("no event of message `{}` is in the log", sid(9)));
    let elsewhere = reporting(&format!("{path}?account=1"), None, json!({"outcome": "confirmed"}));
    is_problem(&app.ask(elsewhere), 400, "there is no parameter `account` here");
    let form = Request::new("POST", &format!("/v1/messages/{path}")).body("outcome=confirmed");
    assert_eq!(app.ask(form).code, 415);
    for key in ["", "a b"] {
        assert_eq!(app.ask(confirmed(&message, Some(key))).code, 400, "{key}");
    }
    let foreign = confirmed(&message, None).header("Origin", "http://evil.example");
    assert_eq!(app.ask(foreign).code, 403);
    assert_eq!(twilio.requests(), [""; 0]);
    assert_eq!(app.events().len(), 1);
}

#[test]
fn of_several_accounts_the_query_names_one() {
    let twilio = Twilio::start();
    twilio.has_subaccount(OTHER_ACCOUNT, "other", "active", OTHER_TOKEN);
    let (app, message) = with_message(&twilio);
    assert_eq!(app.receive_of_other_account(delivered(&message)).code, 200);
    let several = app.ask(confirmed(&message, None));
    is_problem(&several, 409, "several accounts have this message SID; add account_sid, one of");
    for account in [OTHER_ACCOUNT, ACCOUNT] {
        let target = format!("{message}/feedback?account_sid={account}");
        let answer = app.ask(reporting(&target, None, json!({"outcome": "confirmed"})));
        assert_eq!(answer.code, 200, "{}", answer.json());
        assert!(twilio.requests().last().unwrap().contains(account));
    }
}

#[test]
fn a_refusal_and_a_missing_answer_are_reported_as_for_sends() {
    let twilio = Twilio::start();
    let (app, message) = with_message(&twilio);
    let ask = || app.ask(confirmed(&message, None));
    twilio.next(Fault::Refuse(400, 20001, "Invalid parameter"));
    let refused = ask();
    is_problem(&refused, 422, "Twilio refused the feedback: Invalid parameter");
    let refused = refused.json();
    assert_eq!((&refused["twilio_code"], &refused["twilio_status"]), (&json!(20001), &json!(400)));
    twilio.next(Fault::Response(401, None));
    assert_eq!(ask().code, 502);
    twilio.next(Fault::Response(429, Some(60)));
    is_problem(&ask(), 503, "nothing was sent");
    twilio.next(Fault::Cut);
    let unknown = ask();
    is_problem(&unknown, 504, "whether Twilio has recorded the feedback is not known");
    assert_eq!(ask().code, 200, "the same again is harmless");
    let logged: Vec<_> = app.events().iter().map(|event| event["notes"]["stage"].clone()).collect();
    assert_eq!(logged.iter().filter(|stage| **stage == "intent").count(), 5, "{logged:?}");
    assert_eq!(logged.iter().filter(|stage| **stage == "no_answer").count(), 2, "{logged:?}");
}

#[test]
fn feedback_needs_a_send_token_which_need_not_read() {
    let twilio = Twilio::start();
    let mut app = alone(&twilio);
    let tokens = [("shop", "send"), ("support", "read"), ("desk", "read:masked send")];
    for (name, scope) in tokens {
        app.configure(&format!(
            "[api_tokens.{name}]\ntoken_file = \"{name}\"\nscope = \"{scope}\"\n"
        ));
        std::fs::write(app.folder().join(name), format!("0123456789abcdef-{name}")).unwrap();
    }
    app.restart();
    knows(&twilio, &app, 1);
    assert_eq!(app.receive(delivered("15558675310")).code, 200);
    let with = |name: &str, request: Request| -> Response {
        let token = format!("Bearer 0123456789abcdef-{name}");
        request.header("Authorization", &token).send(app.admin())
    };
    let report = || confirmed(&sid(1), None);
    assert_eq!(app.ask(report()).code, 401);
    let refused = with("support", report());
    is_problem(&refused, 403, "sending takes an API token that has `send` in its scope");
    assert_eq!(twilio.requests(), [""; 0]);
    for name in ["shop", "desk"] {
        assert_eq!(with(name, report()).code, 200, "{name}");
        // Otherwise the answer would tell whether such a number is in the log.
        assert_eq!(with(name, confirmed("15558675310", None)).code, 403, "{name}");
    }
    assert_eq!(twilio.feedback().len(), 2);
}

#[test]
fn without_tokens_feedback_is_not_allowed() {
    let twilio = Twilio::start();
    let mut app = alone(&twilio);
    app.restart();
    knows(&twilio, &app, 1);
    let refused = app.ask(confirmed(&sid(1), None));
    is_problem(&refused, 403, "sending takes an API token that has `send` in its scope");
    assert_eq!(twilio.requests(), [""; 0]);
    // Reading what is there needs no token, and neither does the message.
    assert_eq!(app.get(&format!("/v1/messages/{}", sid(1))).code, 200);
    assert_eq!(app.ask(posted(None, hello())).code, 403);
}
