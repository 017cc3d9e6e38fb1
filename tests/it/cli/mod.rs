//! The commands, as a user at a terminal or a script runs them.

mod audit;
mod config;
mod demo;
mod export;
mod forward;
mod help;
mod init;
mod messages;
mod pipes;
mod replay;
mod simulate;
mod tail;
mod terminal;
mod usage;

use std::process::Output;

use serde_json::Value;

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid, status};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs a command that must succeed, and returns its stdout.
fn run(ledger: &Ledger, arguments: &[&str]) -> String {
    let output = ledger.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    stdout(&output)
}

fn json_of(ledger: &Ledger, arguments: &[&str]) -> Value {
    serde_json::from_str(&run(ledger, arguments)).unwrap()
}

/// A message that was delivered, then reported as sent, as delivered again, and as failed.
fn eventful() -> Ledger {
    Ledger::with_events(&one_a_second([
        event(delivered(&sid(1))),
        event(sent(&sid(1))),
        event(sent(&sid(2))),
        event(delivered(&sid(1))),
        event(failed(&sid(1), "30003").with("SmsStatus", "sent")),
        event(status(&sid(1), "tunnelled")),
    ]))
}
