//! The JSON of a message, signed as Standard Webhooks
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::forwarding;
use crate::support::application::{Application, Received, Reply};
use crate::support::{delivered, sent, sid};

const SECRET: &[u8] = b"a secret of twenty-four bytes and more";

/// The signature that the specification asks for, computed independently of the product.
fn expected_signature(received: &Received) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET).unwrap();
    for part in ["webhook-id", "webhook-timestamp"] {
        mac.update(received.header(part).unwrap().as_bytes());
        mac.update(b".");
    }
    mac.update(&received.body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn settings() -> String {
    format!("format = \"message\"\nsecret = \"whsec_{}\"", STANDARD.encode(SECRET))
}

#[test]
fn a_target_can_get_the_message_as_it_stands() {
    let application = Application::start();
    let app = forwarding(&application, &settings());
    app.receive(sent(&sid(1)).bytes());
    app.receive(delivered(&sid(1)).bytes());
    app.eventually("both arrive", || application.received().len() == 2);
    for received in application.received() {
        assert_eq!(received.method, "POST");
        assert_eq!(received.target, "/hook");
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.header("x-twilio-signature"), None);
        assert_eq!(received.header("webhook-signature"), Some(&*expected_signature(&received)));
        assert_eq!(received.header("webhook-id"), received.header("delivery-ledger-event-id"));
    }
    let last = application.received().pop().unwrap();
    let message: serde_json::Value = serde_json::from_slice(&last.body).unwrap();
    let of_api = app.message(&sid(1));
    for member in
        ["message_sid", "status", "account_sid", "to", "events", "status_times", "as_of_position"]
    {
        assert_eq!(message[member], of_api[member], "{member}");
    }
}

#[test]
fn a_repetition_has_the_same_id_and_a_signature_of_its_own_time() {
    let application = Application::start();
    let mut calls = 0;
    application.answers(move |_| {
        calls += 1;
        Reply::Code(if calls == 1 { 500 } else { 200 })
    });
    let app = forwarding(&application, &settings());
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is repeated", || application.received().len() == 2);
    let [first, second] = <[_; 2]>::try_from(application.received()).unwrap();
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    assert_eq!(second.header("webhook-signature"), Some(&*expected_signature(&second)));
}
