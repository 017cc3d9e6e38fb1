//! The `reconcile` command: despite any failure, nothing is lost, duplicated or moved backwards.

mod failures;
mod open;
mod prices;
mod runs;

use std::collections::BTreeMap;
use std::process::Output;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store;
use delivery_ledger::store::{Access, Database};
use serde_json::Value;
use time::OffsetDateTime;

use crate::support::events::event;
use crate::support::twilio::Twilio;
use crate::support::{ACCOUNT, App, MessageBody};

/// The tests configure another account, which the fake does not have.
const OF_ONE_ACCOUNT: [&str; 5] = ["reconcile", "--format", "json", "--account-sid", ACCOUNT];

/// A ledger and a fake Twilio, with these callbacks received this many hours ago.
fn with(twilio: &Twilio, events: impl IntoIterator<Item = (i64, MessageBody)>) -> App {
    let (name, url) = twilio.variable();
    let app = App::not_started(&[(name, &url), ("TWILIO_API_TIMEOUT", "1s")]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    let hours_ago = |(hours, body): (i64, MessageBody)| NewEvent {
        received_at: Timestamp::from(OffsetDateTime::now_utc() - time::Duration::hours(hours)),
        ..event(body)
    };
    log.append(&events.into_iter().map(hours_ago).collect::<Vec<_>>()).unwrap();
    drop(log);
    app
}

fn reconcile(app: &App, arguments: &[&str]) -> Value {
    app.json(&[&OF_ONE_ACCOUNT, arguments].concat())
}

/// Runs `reconcile`, which must stop early; returns exit code, summary and stderr.
fn stopped(app: &App, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let output: Output = app.run(&[&OF_ONE_ACCOUNT, arguments].concat());
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

fn statuses(app: &App) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = app.messages();
    messages.iter().map(|one| (text(&one["message_sid"]), text(&one["status"]))).collect()
}

fn counts<'a>(summary: &'a Value, names: &[&str]) -> Vec<&'a Value> {
    names.iter().map(|name| &summary[name]).collect()
}
