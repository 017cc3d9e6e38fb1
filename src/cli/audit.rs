//! `audit`: one message, from its first event to its current status.

use std::io::Write;

use anyhow::Result;

use super::{Format, Outcome, UsageError};
use crate::cli::common::styled::Styled;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::text::{number, position};
use crate::cli::common::{ledger, palette, terminal};
use crate::config::Settings;
use crate::domain::message::lifecycle::Counts;
use crate::domain::message::status_reported::Label;
use crate::domain::{
    AccountSid, Effect, ErrorCodes, MessageSid, Position, Rule, Status, Timestamp,
};
use crate::import::note;
use crate::projection::fold::{Entry, Folded};
use crate::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::wire::message::status_name;
use crate::wire::{self, TimelineEntry};

/// The arguments of `audit`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The SID of the message
    sid: String,

    /// The account of the message, if two accounts have a message with this SID; empty for no account
    #[arg(long, value_name = "AC…")]
    account_sid: Option<String>,

    /// Show the message as of this position of the log
    #[arg(long, value_name = "N", value_parser = position)]
    as_of_position: Option<Position>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the message, or says that there is none.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let message_sid = MessageSid::parse(&args.sid)
        .ok_or_else(|| UsageError("the message SID is empty".to_owned()))?;
    let error_codes = settings.error_codes(None)?;
    let store = ledger::for_one_message(settings)?;
    let query = MessageQuery {
        message_sid,
        account_sid: args.account_sid.as_deref().map(AccountSid::parse),
        rule: ledger::rule(settings, &*store)?,
        as_of: args.as_of_position.map_or(AsOf::Head, AsOf::Position),
    };
    match find_message(&*store, &query)? {
        MessageResult::NotFound => {
            eprint_line(format_args!("no event of message {} is in the log", printable(&args.sid)));
            Ok(Outcome::NotFound)
        }
        MessageResult::BeyondHead(beyond) => Err(UsageError(beyond.to_string()).into()),
        MessageResult::Ambiguous(accounts) => Err(UsageError(several_accounts(&accounts)).into()),
        MessageResult::Found { folded, as_of_position } => {
            print(&folded, as_of_position, &error_codes, &args, settings)?;
            Ok(Outcome::Done)
        }
    }
}

fn several_accounts(accounts: &[AccountSid]) -> String {
    let names: Vec<_> = accounts.iter().map(|sid| printable(sid.as_str())).collect();
    format!(
        "several accounts have this message SID; add --account-sid, one of: {}",
        names.join(", ")
    )
}

fn print(
    folded: &Folded,
    as_of_position: Position,
    error_codes: &ErrorCodes,
    args: &Args,
    settings: &Settings,
) -> Result<()> {
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table => {
            out.show(&for_people(folded, as_of_position, error_codes, out.columns()))?;
        }
        Format::Json => {
            let entries = folded.timeline.iter();
            let entries = entries
                .map(|entry| TimelineEntry::new(&entry.event, &entry.reported, entry.effect));
            let message =
                wire::Message::new(&folded.key, &folded.lifecycle, as_of_position, error_codes);
            let written = serde_json::to_writer_pretty(&mut out, &message.with_timeline(entries));
            // serde_json's error hides the closed pipe inside it.
            written.map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// The message as text: its status, the reason for it, and its timeline, for a screen with this many
/// columns.
pub fn for_people(
    folded: &Folded,
    as_of_position: Position,
    error_codes: &ErrorCodes,
    screen_columns: Option<usize>,
) -> Styled {
    let message = wire::Message::new(&folded.key, &folded.lifecycle, as_of_position, error_codes);
    let mut text = summary(&message, folded.lifecycle.evidence.is_open());
    text.push(&format!("\n{}\n", why(folded)));
    text.append(&timeline(folded, screen_columns));
    text
}

fn summary(message: &wire::Message, is_open: bool) -> Styled {
    let or_dash = |text: &Option<String>| printable(text.as_deref().unwrap_or("-")).into_owned();
    let mut marks = vec![match (message.terminal, message.settled) {
        (true, _) => "terminal",
        (false, true) => "settled",
        (false, false) if is_open => "open",
        (false, false) => "not an outbound message",
    }];
    marks.extend(message.conflict.then_some("in conflict"));
    marks.extend(message.labels.iter().copied());
    let Counts { events, duplicates, late, unrecognised } = Counts {
        events: message.events,
        duplicates: message.duplicates,
        late: message.late,
        unrecognised: message.unrecognised,
    };
    let mut rows = vec![
        ("account", or_dash(&message.account_sid)),
        ("from", format!("{}  to  {}", or_dash(&message.from), or_dash(&message.to))),
        ("channel", printable(&message.channel).into_owned()),
        ("service", or_dash(&message.messaging_service_sid)),
    ];
    if let (Some(code), Some(title)) = (message.error_code, &message.error_title) {
        rows.push(("error", format!("{code} {title}")));
    }
    if let Some(date) = &message.raw_dlr_done_date {
        rows.push(("receipt", format!("{} (carrier time, zone unknown)", printable(date))));
    }
    if !message.tags.is_empty() {
        rows.push(("tags", tags(message)));
    }
    rows.push((
        "events",
        format!("{events}: {late} late, {duplicates} duplicate, {unrecognised} unrecognised"),
    ));
    rows.push((
        "as of",
        format!("position {}, rule {}", number(message.as_of_position), message.rule),
    ));
    let mut text = Styled::from("message  ");
    text.push(&format!("{}  ", printable(&message.message_sid)));
    text.push_in(palette::status(message.status), message.status);
    text.push(&format!(" ({})\n", marks.join(", ")));
    rows.into_iter().for_each(|(name, value)| text.push(&format!("{name:<8} {value}\n")));
    text
}

/// The tags as the query of a URL would have them, but readable.
fn tags(message: &wire::Message) -> String {
    let pairs = message.tags.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| printable(&format!("{name}={value}")).into_owned())
    });
    let dropped = message.tags_dropped.then(|| "… (further ones are not kept)".to_owned());
    pairs.chain(dropped).collect::<Vec<_>>().join(" ")
}

/// The reason for the status, in one or two sentences.
fn why(folded: &Folded) -> String {
    let evidence = &folded.lifecycle.evidence;
    let status = status_name(evidence.status());
    let position = evidence.deciding.as_ref().map_or(0, |deciding| deciding.position);
    let decided = match (evidence.status(), evidence.rule) {
        (None, _) if evidence.kinds.is_inbound() => {
            "Every status is one of an inbound message, so nothing is expected of it.".to_owned()
        }
        (None, _) => "No event reported a known status.".to_owned(),
        (Some(of), Rule::FailureTerminal) if of.is_failure() => format!(
            "It is {status} because under this rule a reported failure outranks every other status (position {position})."
        ),
        (Some(of), Rule::DeliveryWins) if of.is_success() && evidence.has_conflict() => format!(
            "It is {status} because under this rule evidence of success outranks a failure (position {position})."
        ),
        (Some(_), _) => format!(
            "It is {status} because no reported status ranks higher; the order of arrival does not matter (position {position})."
        ),
    };
    match evidence.has_conflict() {
        true => {
            let reported: Vec<_> = evidence
                .status_times
                .statuses()
                .filter(|s| s.is_success() || s.is_failure())
                .collect();
            let reported: Vec<_> = reported.into_iter().map(|status| status.name()).collect();
            format!(
                "{decided}\nThere is evidence of success and of failure: {}.\n",
                reported.join(", ")
            )
        }
        false => format!("{decided}\n"),
    }
}

fn timeline(folded: &Folded, screen_columns: Option<usize>) -> Styled {
    let mut rows = Table::new([
        Column::right("position").short_heading("pos"),
        Column::left("received at (UTC)").short_heading("received (UTC)"),
        Column::right("after"),
        Column::left("source"),
        Column::left("status"),
        Column::left("effect"),
        Column::prose("details"),
    ]);
    let start = folded.timeline.first().map(|entry| entry.event.received_at);
    let mut before = None;
    for (index, entry) in folded.timeline.iter().enumerate() {
        let word = entry.reported.status.map(Status::name);
        let word = word.or(entry.reported.unrecognised.as_deref());
        rows.row([
            Cell::number(entry.event.position),
            Cell::time(entry.event.received_at),
            Cell::text(elapsed(start, entry.event.received_at)),
            Cell::text(entry.event.source.name()),
            Cell::status(word.unwrap_or("-")),
            Cell::effect(entry.effect),
            Cell::text(details(entry, before, index == 0)),
        ]);
        before = entry.status_after;
    }
    rows.fit(screen_columns)
}

fn elapsed(start: Option<Timestamp>, at: Timestamp) -> String {
    let micros = at.micros() - start.unwrap_or(at).micros();
    match micros.abs() {
        0..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..120_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        120_000_000..7_200_000_000 => format!("{:.1} min", micros as f64 / 60e6),
        _ => format!("{:.1} h", micros as f64 / 3600e6),
    }
}

fn details(entry: &Entry, before: Option<Status>, first: bool) -> String {
    let after = status_name(entry.status_after);
    let moved = match (first, before == entry.status_after) {
        (true, _) => format!("first event; {after}"),
        (false, true) => format!("stays {after}"),
        (false, false) => format!("{} -> {after}", status_name(before)),
    };
    let mut parts = vec![match entry.effect {
        Effect::Duplicate(position) => {
            format!("the same as position {}; {moved}", number(position))
        }
        Effect::Late => format!("ranks below the status already reported; {moved}"),
        Effect::Conflict => format!("contradicts a status already reported; {moved}"),
        Effect::Unrecognised => format!("no known status; {moved}"),
        Effect::Confirmed | Effect::Advanced => moved,
    }];
    parts.extend(entry.reported.error_code.map(|code| format!("error {}", code.number())));
    parts.extend(origin(entry));
    parts.extend(entry.reported.labels.iter().map(|label| remark(*label).to_owned()));
    parts.join("; ")
}

/// The origin of an imported event: another ledger or a file. `None` if it was not imported.
fn origin(entry: &Entry) -> Option<String> {
    let note = |name: &str| entry.event.notes.get(name).map(|value| printable(value));
    let of_ledger = note(note::POSITION).map(|position| match note(note::LEDGER) {
        Some(ledger) => format!("imported, position {position} of ledger {ledger}"),
        None => format!("imported, position {position} of another ledger"),
    });
    let of_file = note(note::FILE).map(|file| {
        let line = note(note::LINE).map_or(String::new(), |line| format!(", line {line}"));
        let repaired =
            note(note::REPAIRED).map_or(String::new(), |what| format!(", repaired ({what})"));
        format!("imported from {file}{line}{repaired}")
    });
    let parts: Vec<String> = of_file.into_iter().chain(of_ledger).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn remark(label: Label) -> &'static str {
    match label {
        Label::StatusWordsDiffer => "MessageStatus and SmsStatus differ",
        Label::OddMessageSid => "an unusual message SID",
        Label::Inbound => "an inbound message",
        Label::Simulated => "sent by a simulation",
        Label::SwallowedParameter => "contains the name of a parameter that is missing",
        Label::RepeatedParameter => "a parameter occurs more than once",
        Label::ReusedSignature => "another event has the same signature",
    }
}
