//! `audit`: one message, from its first event to its current status.

mod details;
mod lookup;

use std::io::Write;

use anyhow::Result;

use super::{Format, Outcome, UsageError};
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::cli::common::ledger;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::terminal::{self, palette};
use crate::cli::common::text::{number, position};
use crate::config::Settings;
use crate::domain::account_names::AccountNames;
use crate::domain::message::lifecycle::Counts;
use crate::domain::message::status_reported::Label;
use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, ErrorCodes, MessageSid, Position, Status, Timestamp};
use crate::projection::erased::ErasedMessage;
use crate::projection::fold::{Entry, Folded};
use crate::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use crate::seal::stored::last_seal;
use crate::store::Store;
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::twilio::failure_texts;
use crate::wire::{self, TimelineEntry, explanation};

/// The arguments of `audit`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The SID of the message; or a number in any spelling, or a tag, such as order=17: of several messages
    /// the newest are listed
    #[arg(value_name = "SID|NUMBER|TAG")]
    sid: String,

    /// The account of the message, by SID or name, if two accounts have a message with this SID; empty
    /// for no account
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// Show the message as of this position of the log
    #[arg(long, value_name = "N", value_parser = position)]
    as_of_position: Option<Position>,

    /// Show the message as of this time: a length of time ago (24h, 7d), yesterday, a day, a local time
    /// (2026-11-25T10:00), or RFC 3339
    #[arg(long, value_name = "TIME", conflicts_with = "as_of_position")]
    as_of: Option<String>,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the message, or says that there is none.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let message_sid = MessageSid::parse(&args.sid)
        .ok_or_else(|| UsageError("the message SID is empty".to_owned()))?;
    match audit(message_sid, &args, settings)? {
        None => lookup::run(&args, settings),
        Some(done) => Ok(done),
    }
}

/// Prints the message with this SID, or that it was erased; `None` if there is none.
fn audit(message_sid: MessageSid, args: &Args, settings: &Settings) -> Result<Option<Outcome>> {
    let error_codes = settings.error_codes(None)?;
    let store = ledger::for_one_message(settings)?;
    let names = settings.account_names()?;
    let account_sid = args.account_sid.as_deref().map(|written| match written {
        "" => Ok(None),
        written => settings.account(written).map(Some),
    });
    let time = |text: &String| args.time_zone.time("as-of", text, settings).map(AsOf::Time);
    let as_of = match (&args.as_of, args.as_of_position) {
        (Some(text), _) => time(text)?,
        (None, position) => position.map_or(AsOf::Head, AsOf::Position),
    };
    let query = MessageQuery {
        message_sid,
        account_sid: account_sid.transpose()?,
        rule: ledger::rule(settings, &*store)?,
        as_of,
    };
    match find_message(&*store, &query)? {
        MessageResult::NotFound => Ok(None),
        MessageResult::Erased(ErasedMessage { position, at }) => {
            let at = args.time_zone.zone(settings)?.show(at);
            eprint_line(format_args!(
                "error: this message was erased at {at}, as the event at position {} records",
                number(position)
            ));
            Ok(Some(Outcome::NotFound))
        }
        MessageResult::BeyondHead(beyond) => Err(UsageError(beyond.to_string()).into()),
        MessageResult::Ambiguous(accounts) => {
            Err(UsageError(several_accounts(&accounts, &names)).into())
        }
        MessageResult::Found { folded, as_of_position } => {
            let message = whole(&folded, as_of_position, &error_codes).with_account_name(&names);
            let sealed = sealed(&*store, &folded)?;
            print(&message, &folded, sealed.as_deref(), args, settings)?;
            Ok(Some(Outcome::Done))
        }
    }
}

/// Says that a message SID is not enough, and what to add.
pub fn several_accounts(accounts: &[AccountSid], names: &AccountNames) -> String {
    let describe = |sid: &AccountSid| printable(&names.describe(sid.as_str())).into_owned();
    let names: Vec<_> = accounts.iter().map(describe).collect();
    format!(
        "several accounts have this message SID; add --account-sid, one of: {}",
        names.join(", ")
    )
}

fn print(
    message: &wire::Message,
    folded: &Folded,
    sealed: Option<&str>,
    args: &Args,
    settings: &Settings,
) -> Result<()> {
    let zone = args.time_zone.zone(settings)?;
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table => {
            let mut text = for_people(message, folded, &zone, out.columns());
            sealed.iter().for_each(|line| text.push(line));
            out.show(&text)?;
        }
        Format::Json => {
            let written = serde_json::to_writer_pretty(&mut out, message);
            // serde_json's error hides the closed pipe inside it.
            written.map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
    }
    Ok(())
}

/// Whether the message is sealed, and by whom; `None` if the ledger has no seals.
fn sealed(store: &dyn Store, folded: &Folded) -> Result<Option<String>> {
    let Some(seal) = last_seal(store)? else { return Ok(None) };
    let (size, at, sid) = (seal.statement.size, seal.sealed_at, &folded.key.message_sid);
    let last = folded.timeline.last().map_or(0, |entry| entry.event.position);
    if last > size {
        let size = number(size);
        return Ok(Some(format!("\nnot sealed yet: the last seal is of {size} events\n")));
    }
    let by = match seal.attested(store)?.witnesses().len() {
        0 => String::new(),
        1 => ", confirmed by 1 witness".to_owned(),
        count => format!(", confirmed by {count} witnesses"),
    };
    Ok(Some(format!(
        "\nsealed at {at} with {} events{by}; `evidence {}` makes a file that proves it\n",
        number(size),
        printable(sid.as_str())
    )))
}

/// The message with its timeline.
pub fn whole(folded: &Folded, as_of_position: Position, error_codes: &ErrorCodes) -> wire::Message {
    let Folded { key, lifecycle, timeline } = folded;
    let entries = timeline.iter().map(|Entry { event, reported, effect, change }| {
        let texts = failure_texts::parse(event);
        TimelineEntry::new(event, texts, reported, *effect, *change)
    });
    let message = wire::Message::new(key, lifecycle, as_of_position, error_codes);
    message.with_timeline(&lifecycle.evidence, entries)
}

/// The message as text: its status, the reason for it, and its timeline with times in this zone, for a
/// screen with this many columns.
pub fn for_people(
    message: &wire::Message,
    folded: &Folded,
    zone: &Zone,
    screen_columns: Option<usize>,
) -> Styled {
    let mut text = summary(message, folded.lifecycle.evidence.is_open(), zone);
    text.push(&format!("\n{}\n\n", explanation::why(&folded.lifecycle.evidence).join("\n")));
    text.append(&timeline(folded, zone, screen_columns));
    text
}

fn summary(message: &wire::Message, is_open: bool, zone: &Zone) -> Styled {
    let or_dash = |text: &Option<String>| printable(text.as_deref().unwrap_or("-")).into_owned();
    let mut marks = vec![match (message.terminal, message.settled) {
        (true, _) => "terminal",
        (false, true) => "settled",
        (false, false) if is_open => "open",
        (false, false) if message.labels.contains(&Label::Inbound.name()) => {
            "not an outbound message"
        }
        (false, false) => "no status reported",
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
        ("account", account(message)),
        ("from", format!("{}  to  {}", or_dash(&message.from), or_dash(&message.to))),
        ("channel", printable(&message.channel).into_owned()),
        ("service", or_dash(&message.messaging_service_sid)),
    ];
    if let (Some(code), Some(title)) = (message.error_code, &message.error_title) {
        rows.push(("error", format!("{code} {title}")));
    }
    if let Some(explanation) = &message.explanation {
        let texts = [
            ("ErrorMessage", &explanation.error_message),
            ("ChannelStatusMessage", &explanation.channel_status_message),
        ];
        for (name, text) in texts {
            rows.extend(text.as_ref().map(|text| ("", format!("{name}: {}", printable(text)))));
        }
    }
    if let Some(date) = &message.raw_dlr_done_date {
        rows.push(("receipt", format!("{} (carrier time, zone unknown)", printable(date))));
    }
    if !message.tags.is_empty() {
        rows.push(("tags", tags(message)));
    }
    rows.extend(details::rows(message, zone));
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

/// The name of the account, if it has one, and its SID.
fn account(message: &wire::Message) -> String {
    let sid = message.account_sid.as_deref().unwrap_or("-");
    let name = message.account_name.as_ref();
    printable(&name.map_or_else(|| sid.to_owned(), |name| format!("{name} ({sid})"))).into_owned()
}

/// The tags as the query of a URL would have them, but readable.
fn tags(message: &wire::Message) -> String {
    let pairs = message.tags.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| printable(&format!("{name}={value}")).into_owned())
    });
    let dropped = message.tags_dropped.then(|| "… (further ones are not kept)".to_owned());
    pairs.chain(dropped).collect::<Vec<_>>().join(" ")
}

fn timeline(folded: &Folded, zone: &Zone, screen_columns: Option<usize>) -> Styled {
    let has_both_clocks =
        folded.timeline.iter().any(|entry| entry.reported.occurred_at().is_some());
    let mut columns = vec![
        Column::right("position").short_heading("pos"),
        Column::time("received", zone),
        Column::right("after"),
    ];
    columns.extend(has_both_clocks.then(|| Column::time("happened", zone)));
    columns.extend(["source", "status", "effect"].map(Column::left));
    columns.push(Column::prose("details"));
    let mut rows = Table::new(columns);
    let start = folded.timeline.first().map(|entry| entry.event.received_at);
    for entry in &folded.timeline {
        let word = entry.reported.status.map(Status::name);
        let word = word.or(entry.reported.unrecognised.as_deref());
        let happened = entry.reported.occurred_at().map(|at| Cell::time(at, zone));
        let mut cells = vec![
            Cell::number(entry.event.position),
            Cell::time(entry.event.received_at, zone),
            Cell::text(elapsed(start, entry.event.received_at)),
        ];
        cells.extend(has_both_clocks.then(|| happened.unwrap_or_else(|| Cell::text("-"))));
        cells.extend([
            Cell::text(entry.event.source.name()),
            Cell::status(word.unwrap_or("-")),
            Cell::effect(entry.effect),
            Cell::text(details(entry)),
        ]);
        rows.row(cells);
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

/// The effect of an event in words, and the link if it is a click.
fn details(entry: &Entry) -> String {
    let Entry { event, reported, effect, change } = entry;
    let explained = explanation::of_event(event, reported, *effect, *change);
    let link = reported.click().and_then(|click| click.link.as_deref());
    let parts: Vec<_> = [Some(explained.as_str()), link].into_iter().flatten().collect();
    printable(&parts.join("; ")).into_owned()
}
