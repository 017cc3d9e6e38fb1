//! `streams check`: what Twilio sends to this ledger, and what is missing.

use serde_json::{Value, json};

use super::{
    DESTINATION, SINK, SUBSCRIPTION, TYPES, ledger, posts, printed, stderr, streams, webhook,
    with_public_url,
};
use crate::support::twilio::Twilio;
use crate::support::{ACCOUNT, App};

/// The exit code, and the JSON.
fn check(app: &App) -> (Option<i32>, Value) {
    let output = streams(app, &["check", "--format", "json"]);
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|_| panic!("{}", stderr(&output))))
}

#[test]
fn nothing_is_missing_after_setup() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    printed(&streams(&app, &["setup", "--yes"]));
    let before = posts(&twilio);

    let (code, found) = check(&app);

    assert_eq!((code, &found["missing"]), (Some(0), &json!([])));
    assert_eq!(found["destinations"], json!([DESTINATION]));
    assert_eq!(found["account_sid"], ACCOUNT);
    let sink = &found["sinks"][0];
    assert_eq!((&sink["status"], &sink["remark"]), (&json!("active"), &Value::Null));
    assert_eq!(sink["subscriptions"][0]["types"].as_array().unwrap().len(), TYPES.len());
    let table = printed(&streams(&app, &["check"]));
    assert!(table.ends_with("Nothing is missing.\n"), "{table}");
    assert_eq!(posts(&twilio), before, "it only reads");
}

#[test]
fn without_a_sink_everything_is_missing() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    let (code, found) = check(&app);
    let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
    assert_eq!((code, &found["missing"]), (Some(3), &json!(names)));
    assert_eq!((&found["subscribed"], &found["sinks"]), (&json!([]), &json!([])));
    let output = streams(&app, &["check"]);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(table.contains("No sink sends to this ledger.\n"), "{table}");
    assert!(table.contains("8 of 8 event types are missing; `delivery-ledger streams setup`"));
}

#[test]
fn missing_types_and_old_versions_are_named() {
    let twilio = Twilio::start();
    let app = ledger(&twilio);
    twilio.has_sink(ACCOUNT, SINK, "active", "webhook", webhook(DESTINATION));
    let mut types = TYPES;
    types[0].1 = 4;
    twilio.has_subscription(ACCOUNT, SUBSCRIPTION, SINK, &types[..7]);

    let (code, found) = check(&app);

    assert_eq!((code, &found["missing"]), (Some(3), &json!([TYPES[7].0])));
    let table = String::from_utf8(streams(&app, &["check"]).stdout).unwrap();
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap();
    assert!(line(TYPES[0].0).contains("version 8 has more facts"), "{table}");
    assert!(line(TYPES[7].0).ends_with("missing"), "{table}");
}

#[test]
fn a_sink_that_twilio_does_not_send_to_counts_for_nothing_and_says_what_to_do() {
    for (status, advice) in [
        ("initialized", "it was not validated"),
        ("validating", "it was not validated"),
        ("failed", "Twilio no longer sends to it"),
        ("resting", "see Twilio's Console"),
    ] {
        let twilio = Twilio::start();
        let app = ledger(&twilio);
        twilio.has_sink(ACCOUNT, SINK, status, "webhook", webhook(DESTINATION));
        twilio.has_subscription(ACCOUNT, SUBSCRIPTION, SINK, &TYPES);
        let (code, found) = check(&app);
        assert_eq!(code, Some(3), "{status}");
        assert_eq!(found["missing"].as_array().unwrap().len(), TYPES.len(), "{status}");
        let remark = found["sinks"][0]["remark"].as_str().unwrap();
        assert!(remark.contains(advice), "{status}: {remark}");
    }
}

#[test]
fn a_sink_at_any_of_the_public_urls_counts() {
    let twilio = Twilio::start();
    let urls = "https://one.example.com,https://two.example.com";
    let app = with_public_url(&twilio, urls);
    let two = webhook("https://two.example.com/event-streams");
    twilio.has_sink(ACCOUNT, SINK, "active", "webhook", two);
    twilio.has_subscription(ACCOUNT, SUBSCRIPTION, SINK, &TYPES);
    assert_eq!(check(&app).0, Some(0));
    let one = ["check", "--public-url", "https://one.example.com"];
    assert_eq!(streams(&app, &one).status.code(), Some(3));
}
