//! `streams check`: which sinks at Twilio send to this ledger, which event types, and which are missing.

use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};

use super::ledger_streams::{LedgerSink, LedgerStreams};
use super::{Connection, Outcome, Selected, advice, destination};
use crate::cli::Format;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::cli::common::terminal::palette::{BAD, GOOD, ODD};
use crate::cli::common::terminal::styled::Styled;
use crate::config::Settings;
use crate::domain::AccountSid;
use crate::twilio_api::event_streams::{EventType, LEDGER_EVENT_TYPES, SinkStatus};

/// The arguments of `streams check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    selected: Selected,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// What was found at Twilio.
struct Found {
    account_sid: AccountSid,
    destinations: Vec<String>,
    streams: LedgerStreams,
    missing: Vec<EventType>,
}

/// Prints what Twilio sends; with a finding if an event type is missing.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let settings = args.selected.applied_to(settings);
    let account_sid = args.selected.account(&settings)?;
    let destinations = destination::all(&settings)?;
    let streams = Connection::new(&settings, &account_sid)?.read(&destinations)?;
    let missing = streams.missing(LedgerSink::sends);
    let found = Found { account_sid, destinations, streams, missing };
    let mut out = terminal::stdout();
    match args.format {
        Format::Table => {
            let account = settings.account_names()?.describe(found.account_sid.as_str());
            out.show(&found.for_people(&account, out.columns()))?;
        }
        Format::Json => writeln!(out, "{:#}", found.as_json())?,
    }
    match found.missing.is_empty() {
        true => Ok(Outcome::Done),
        false => Ok(Outcome::CheckFoundSomething),
    }
}

impl Found {
    fn for_people(&self, account: &str, columns: Option<usize>) -> Styled {
        let mut text = Styled::default();
        text.push(&format!(
            "Event Streams of {account} to {}\n\n",
            self.destinations.join(" and ")
        ));
        match self.streams.0.is_empty() {
            true => text.push("No sink sends to this ledger.\n"),
            false => text.append(&self.sinks(columns)),
        }
        text.push("\n");
        text.append(&self.types(columns));
        text.push(&match self.missing.len() {
            0 => "\nNothing is missing.\n".to_owned(),
            missing => format!(
                "\n{missing} of {} event types are missing; `delivery-ledger streams setup` shows what it \
                 would create.\n",
                LEDGER_EVENT_TYPES.len()
            ),
        });
        text
    }

    fn sinks(&self, columns: Option<usize>) -> Styled {
        let mut table = Table::new([
            Column::left("sink"),
            Column::left("status"),
            Column::left("method"),
            Column::left("subaccounts").optional(),
            Column::prose("remarks"),
        ]);
        for of in &self.streams.0 {
            let style = if of.sink.status == SinkStatus::Active { GOOD } else { BAD };
            table.row([
                Cell::sid(&of.sink.sid),
                Cell::text(of.sink.status.name()).style(style),
                Cell::text(&of.webhook.method),
                Cell::text(if includes_subaccounts(of) { "yes" } else { "no" }),
                Cell::text(remark(of).unwrap_or("-")),
            ]);
        }
        table.fit(columns)
    }

    fn types(&self, columns: Option<usize>) -> Styled {
        let mut table = Table::new([
            Column::left("event type"),
            Column::right("version"),
            Column::left("subscription"),
            Column::prose("remarks"),
        ]);
        for wanted in &LEDGER_EVENT_TYPES {
            let sent = self.streams.find(wanted, LedgerSink::sends);
            let row = match sent {
                Some((subscription, event)) => [
                    Cell::text(wanted.name),
                    Cell::number(event.schema_version.into()),
                    Cell::sid(&subscription.sid),
                    match event.schema_version < wanted.schema_version {
                        true => {
                            Cell::text(format!("version {} has more facts", wanted.schema_version))
                                .style(ODD)
                        }
                        false => Cell::text("-"),
                    },
                ],
                None => {
                    let elsewhere = self.streams.find(wanted, |_| true).is_some();
                    let text = if elsewhere { "missing: its sink is of no use" } else { "missing" };
                    [
                        Cell::text(wanted.name),
                        Cell::text("-"),
                        Cell::text("-"),
                        Cell::text(text).style(BAD),
                    ]
                }
            };
            table.row(row);
        }
        table.fit(columns)
    }

    fn as_json(&self) -> Value {
        let names = |types: &[EventType]| types.iter().map(|of| of.name).collect::<Vec<_>>();
        let subscribed = LEDGER_EVENT_TYPES.into_iter().filter(|of| !self.missing.contains(of));
        let subscribed: Vec<_> = subscribed.collect();
        json!({
            "account_sid": self.account_sid.as_str(),
            "destinations": self.destinations,
            "sinks": self.streams.0.iter().map(sink_as_json).collect::<Vec<_>>(),
            "subscribed": names(&subscribed),
            "missing": names(&self.missing),
        })
    }
}

fn sink_as_json(of: &LedgerSink) -> Value {
    let subscriptions = of.subscriptions.iter().map(|of| {
        json!({
            "sid": of.subscription.sid,
            "subaccounts": of.subscription.receive_events_from_subaccounts,
            "types": of.types,
        })
    });
    json!({
        "sid": of.sink.sid,
        "destination": of.webhook.destination,
        "method": of.webhook.method,
        "status": of.sink.status.name(),
        "remark": remark(of),
        "subscriptions": subscriptions.collect::<Vec<_>>(),
    })
}

fn includes_subaccounts(of: &LedgerSink) -> bool {
    of.subscriptions.iter().any(|of| of.subscription.receive_events_from_subaccounts == Some(true))
}

/// What to do about a sink; `None` if it sends events.
fn remark(of: &LedgerSink) -> Option<&'static str> {
    match of.is_post() {
        true => advice(of.sink.status),
        false => Some("only POST is received here: delete it at Twilio"),
    }
}
