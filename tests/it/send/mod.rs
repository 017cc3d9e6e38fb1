//! Sending messages and feedback: the requests to Twilio, the events in the log, and that nothing is sent twice.

mod command;
mod connection;
mod feedback;
mod feedback_http;
mod http;
mod keys;

use std::process::Output;

use serde_json::{Value, json};

use crate::support::twilio::{TEXT, Twilio};
use crate::support::{App, Request, Response};

const TO: [&str; 2] = ["--to", "+15558675310"];

/// A ledger and a fake Twilio, without a server.
fn alone(twilio: &Twilio) -> App {
    let (name, url) = twilio.variable();
    let public = ("DELIVERY_LEDGER_PUBLIC_URL", "https://hooks.example.com");
    App::not_started(&[(name, &url), public, ("TWILIO_API_TIMEOUT", "1s")])
}

/// The same with a server.
fn serving(twilio: &Twilio) -> App {
    let mut app = alone(twilio);
    app.use_token_with_scope("read send");
    app.restart();
    app
}

fn send(app: &App, arguments: &[&str]) -> Output {
    app.run(&[&["send", "--format", "json"], &TO[..], arguments].concat())
}

#[track_caller]
fn sent(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn post(app: &App, key: Option<&str>, message: Value) -> Response {
    app.ask(posted(key, message))
}

fn posted(key: Option<&str>, message: Value) -> Request {
    let request = Request::new("POST", "/v1/messages").header("Content-Type", "application/json");
    let request = request.body(message.to_string());
    key.map_or(request.clone(), |key| request.header("Idempotency-Key", key))
}

fn hello() -> Value {
    json!({"to": "+15558675310", "from": "+15017250604", "body": TEXT})
}
