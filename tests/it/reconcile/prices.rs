//! Prices, which Twilio often knows some time after the outcome.

use serde_json::json;

use super::{counts, reconcile, with};
use crate::support::twilio::Twilio;
use crate::support::{delivered, sid};

#[test]
fn a_price_that_arrives_later_is_a_new_fact() {
    let twilio = Twilio::start();
    twilio.has(&sid(1), "delivered");
    let app = with(&twilio, [(2, delivered(&sid(1)))]);
    assert_eq!(counts(&reconcile(&app, &[]), &["appended", "known"]), [0, 1], "no price yet");

    twilio.has_with(&sid(1), "delivered", json!({ "price": "-0.00790", "num_segments": "2" }));
    assert_eq!(counts(&reconcile(&app, &[]), &["appended", "known"]), [1, 0]);
    assert_eq!(counts(&reconcile(&app, &[]), &["appended", "known"]), [0, 1]);

    let message = app.json(&["audit", &sid(1), "--format", "json"]);
    let facts = [&message["price"], &message["currency"], &message["segments"]];
    assert_eq!(facts, [&json!("-0.0079"), &json!("USD"), &json!(2)]);
    assert_eq!(message["status"], "delivered");
}

#[test]
fn messages_without_a_price_are_fetched_if_that_is_asked_for() {
    let twilio = Twilio::start();
    let priced = json!({ "price": "-0.00790" });
    (1..=4).for_each(|number| twilio.has_with(&sid(number), "delivered", priced.clone()));
    // Too young, of the right age, and too old.
    let events = [(0, 1), (2, 2), (71, 3), (80, 4)];
    let app = with(&twilio, events.map(|(hours, number)| (hours, delivered(&sid(number)))));

    let without = reconcile(&app, &["--no-list"]);
    assert_eq!(counts(&without, &["fetched", "appended"]), [0, 0]);
    let summary = reconcile(&app, &["--no-list", "--prices"]);
    assert_eq!(counts(&summary, &["fetched", "appended"]), [2, 2]);
    let again = reconcile(&app, &["--no-list", "--prices"]);
    assert_eq!(counts(&again, &["fetched", "appended"]), [0, 0], "their prices are known");
    let price = |number| app.json(&["audit", &sid(number), "--format", "json"])["price"].clone();
    assert_eq!(
        [1, 2, 3, 4].map(price),
        [json!(null), json!("-0.0079"), json!("-0.0079"), json!(null)]
    );
}
