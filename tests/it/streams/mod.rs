//! `streams setup` and `streams check`: what they create at Twilio, what they find there, and what they refuse.

mod check;
mod refused;
mod setup;

use std::process::Output;

use delivery_ledger::config::{Flags, Settings};
use serde_json::{Value, json};

use crate::support::twilio::Twilio;
use crate::support::{ACCOUNT, App};

const DESTINATION: &str = "https://hooks.example.com/event-streams";

/// A sink of Twilio's, and a subscription.
const SINK: &str = "DG0123456789abcdef0123456789abcdef";
const SUBSCRIPTION: &str = "DF0123456789abcdef0123456789abcdef";

/// Every type that a ledger makes use of, with the version of its schema.
const TYPES: [(&str, u32); 8] = [
    ("com.twilio.messaging.message.queued", 8),
    ("com.twilio.messaging.message.sent", 8),
    ("com.twilio.messaging.message.delivered", 8),
    ("com.twilio.messaging.message.undelivered", 8),
    ("com.twilio.messaging.message.failed", 8),
    ("com.twilio.messaging.message.read", 8),
    ("com.twilio.daptbt.link-shortening.link-clicked", 3),
    ("com.twilio.error-logs.error.logged", 2),
];

/// A ledger with a public URL, and a fake Twilio.
fn ledger(twilio: &Twilio) -> App {
    with_public_url(twilio, "https://hooks.example.com")
}

fn with_public_url(twilio: &Twilio, public_url: &str) -> App {
    let (name, url) = twilio.variable();
    let public = ("DELIVERY_LEDGER_PUBLIC_URL", public_url);
    App::not_started(&[(name, &url), public, ("TWILIO_API_TIMEOUT", "5s")])
}

/// Runs a subcommand for the account of the tests.
fn streams(app: &App, arguments: &[&str]) -> Output {
    app.run(&[&["streams"], arguments, &["--account-sid", ACCOUNT]].concat())
}

#[track_caller]
fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn webhook(destination: &str) -> Value {
    json!({ "destination": destination, "method": "POST", "batch_events": true })
}

/// The requests that change something.
fn posts(twilio: &Twilio) -> Vec<String> {
    let requests = twilio.requests();
    requests.into_iter().filter(|request| !request.starts_with("GET ")).collect()
}

#[test]
fn event_streams_are_on_the_host_next_to_the_apis_or_at_the_same_base_url() {
    let base_url = |variables: &[(&'static str, &str)]| {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Settings::isolated(Flags::default(), variables).event_streams_base_url().unwrap()
    };
    assert_eq!(base_url(&[]), "https://events.twilio.com");
    let region = [("TWILIO_REGION", "ie1"), ("TWILIO_EDGE", "dublin")];
    assert_eq!(base_url(&region), "https://events.dublin.ie1.twilio.com");
    for (api, events) in [
        ("https://api.twilio.com/", "https://events.twilio.com"),
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
        ("https://api.example.com/twilio", "https://api.example.com/twilio"),
        ("https://api.nottwilio.com", "https://api.nottwilio.com"),
    ] {
        assert_eq!(base_url(&[("TWILIO_API_BASE_URL", api)]), events);
    }
}
