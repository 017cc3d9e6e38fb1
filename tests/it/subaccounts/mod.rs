//! Subaccounts that a server fetches from Twilio, and their callbacks.

mod failures;
mod fetching;
mod uses;

use serde_json::Value;

use crate::support::twilio::Twilio;
use crate::support::{ACCOUNT, App, delivered, sid, signature};

/// The SID of the subaccount with this number.
fn account(number: u32) -> String {
    format!("AC{:032x}", 0x5000 + number)
}

/// Its token.
fn token(number: u32) -> String {
    format!("{:032x}", 0x7e57_0000_u64 + u64::from(number))
}

/// A fake Twilio with this many subaccounts.
fn twilio_with(subaccounts: u32) -> Twilio {
    let twilio = Twilio::start();
    (0..subaccounts).for_each(|number| has(&twilio, number));
    twilio
}

fn has(twilio: &Twilio, number: u32) {
    twilio.has_subaccount(
        &account(number),
        &format!("customer {number}"),
        "active",
        &token(number),
    );
}

/// A server that fetches them, not started.
fn app_of(twilio: &Twilio) -> App {
    let (name, url) = twilio.variable();
    let app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "2s")]);
    app.configure(&format!("[accounts.{ACCOUNT}]\nsubaccounts = true\n"));
    app
}

/// A running server that has fetched them.
fn serving(twilio: &Twilio, known: usize) -> App {
    let mut app = app_of(twilio);
    app.restart();
    knows(&app, known);
    app
}

/// Waits until the server accepts this many.
fn knows(app: &App, subaccounts: usize) {
    app.eventually(&format!("{subaccounts} subaccounts are in use"), || {
        metric(app, "delivery_ledger_subaccounts") == subaccounts as f64
    });
}

fn metric(app: &App, name: &str) -> f64 {
    let answer = app.get("/metrics");
    let text = String::from_utf8(answer.body).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

/// The code of the response to a callback of this subaccount, signed with this token.
fn callback(app: &App, of: &str, token: &str) -> u16 {
    let body = delivered(&sid(1)).with("AccountSid", of).bytes();
    let signature = signature(token, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature);
    request.body(body).send(app.callbacks()).code
}

/// The requests for lists of accounts.
fn lists(twilio: &Twilio) -> usize {
    twilio
        .requests()
        .iter()
        .filter(|request| request.starts_with("GET /2010-04-01/Accounts.json"))
        .count()
}

fn of_source<'a>(events: &'a [Value], note: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["notes"][note].is_string()).collect()
}
