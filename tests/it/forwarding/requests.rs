//! What a target gets of a callback.

use delivery_ledger::domain::hash::hex;
use sha2::{Digest, Sha256};

use super::{forwarding, target};
use crate::support::application::Application;
use crate::support::{
    App, OTHER_TOKEN, Request, TOKEN, assert_problem, delivered, json_signature, sent, sid,
    signature,
};

#[test]
fn the_request_arrives_byte_for_byte_and_is_signed_for_the_url_of_the_target() {
    let application = Application::start();
    let mut app = App::not_started(&[]);
    app.configure(&target("orders", &application.url("/hook?own=1&x=%2F"), ""));
    app.restart();
    let body = sent(&sid(1)).with("Ünknown", "a b&c").bytes();
    app.receive_at("/message-status?tag=it's%20%22new%22&tag=2", body.clone());
    app.eventually("it arrives", || !application.received().is_empty());
    let [received] = <[_; 1]>::try_from(application.received()).unwrap();
    assert_eq!(received.method, "POST");
    // What no URL may contain is percent-encoded, and the signature is of that.
    assert_eq!(received.target, "/hook?own=1&x=%2F&tag=it%27s%20%22new%22&tag=2");
    assert_eq!(received.body, body);
    assert!(received.is_signed, "{received:?}");
    assert_eq!(received.header("content-type"), Some("application/x-www-form-urlencoded"));
    let event = &app.events()[0];
    for (name, expected) in [
        ("Position", "1"),
        ("Event-Id", event["event_id"].as_str().unwrap()),
        ("Received-At", event["received_at"].as_str().unwrap()),
        ("Status", "sent"),
        ("Effect", "advanced"),
        ("Attempt", "1"),
    ] {
        assert_eq!(received.header(&format!("Delivery-Ledger-{name}")), Some(expected), "{name}");
    }
}

#[test]
fn the_status_is_that_of_the_message_after_the_event_and_the_effect_says_what_it_did() {
    let application = Application::start();
    let app = forwarding(&application, "");
    for body in [sent(&sid(1)), delivered(&sid(1)), sent(&sid(1)).with("RawDlrDoneDate", "2")] {
        app.receive(body.bytes());
    }
    app.receive(sent(&sid(2)).bytes());
    app.eventually("all arrive", || application.received().len() == 4);
    let mut received = application.received();
    received.sort_by_key(|received| received.position());
    let said: Vec<_> = received
        .iter()
        .map(|it| {
            ["Status", "Effect"].map(|name| it.header(&format!("Delivery-Ledger-{name}")).unwrap())
        })
        .collect();
    assert_eq!(
        said,
        [
            ["sent", "advanced"],
            ["delivered", "advanced"],
            ["delivered", "late"],
            ["sent", "advanced"]
        ]
    );
}

#[test]
fn json_is_signed_by_its_hash_in_the_query() {
    let application = Application::start();
    let app = forwarding(&application, "");
    let body = br#"[{"type": "com.twilio.example"}]"#;
    let hash = |body: &[u8]| hex(&Sha256::digest(body));
    let path = format!("/message-status?bodySHA256={}", hash(body));
    let request = Request::new("POST", &path)
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", &json_signature(TOKEN, &app.url(&path)))
        .body(body);
    assert_eq!(request.send(app.callbacks()).code, 200);
    app.eventually("it arrives", || !application.received().is_empty());
    let received = &application.received()[0];
    // Each event of a batch is sent on its own.
    let event = br#"{"type": "com.twilio.example"}"#;
    assert_eq!(received.body, event);
    assert_eq!(received.target, format!("/hook?bodySHA256={}", hash(event)));
    assert!(received.is_signed, "{received:?}");
    assert_eq!(received.header("Delivery-Ledger-Status"), None);
}

#[test]
fn each_account_signs_with_its_own_token() {
    let application = Application::start();
    let app = forwarding(&application, "");
    app.receive_of_other_account(sent(&sid(1)));
    app.eventually("it arrives", || !application.received().is_empty());
    let received = &application.received()[0];
    let expected = signature(OTHER_TOKEN, &application.url("/hook"), &received.body);
    assert_eq!(received.header("X-Twilio-Signature"), Some(&*expected));
}

#[test]
fn a_ledger_refuses_what_it_has_forwarded_itself() {
    let application = Application::start();
    let app = forwarding(&application, "");
    let body = sent(&sid(1)).bytes();
    app.receive(body.clone());
    app.eventually("it arrives", || !application.received().is_empty());
    let ledger_id =
        application.received()[0].header("Delivery-Ledger-Ledger-Id").unwrap().to_owned();
    let again = |ledger_id: &str| {
        let request = app.form("/message-status").body(body.clone());
        let signature = signature(TOKEN, &app.url("/message-status"), &body);
        let request = request.header("X-Twilio-Signature", &signature);
        request.header("Delivery-Ledger-Ledger-Id", ledger_id).send(app.callbacks())
    };
    assert_problem(
        &again(&ledger_id),
        508,
        "this ledger forwarded the request itself: one of its targets leads back to it",
    );
    let other = "019a0000-0000-7000-8000-000000000000";
    assert_eq!(
        again(&format!("{ledger_id}, {other}")).code,
        508,
        "the other one forwarded it back"
    );
    // One ledger may forward to another, which names both if it forwards it further.
    assert_eq!(again(other).code, 200);
    app.eventually("it arrives", || application.received().len() == 2);
    let received = application.received();
    let ids = received[1].header("Delivery-Ledger-Ledger-Id").unwrap();
    assert_eq!(ids, format!("{other}, {ledger_id}"));
    assert_eq!(app.events().len(), 2);
}
