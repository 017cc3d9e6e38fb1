//! `forward list`: how far each target has got; of one target also the events that it has not accepted.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::flags::time_zone::{TimeZoneFlag, now};
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::cli::common::terminal::styled::Styled;
use crate::config::Settings;
use crate::domain::time::zone::Zone;
use crate::domain::{Position, Status, Timestamp};
use crate::forward::status::{TargetStatus, answer_as_json};
use crate::store::forward::{ForwardStore, UnacceptedEvent};
use crate::store::{self, Access, Store, StoreError};
use crate::text::in_words;
use crate::twilio::callback::ParsedCallback;
use crate::wire::forward as wire;

/// The arguments of `forward list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this target, with the events that it has not accepted
    name: Option<String>,

    /// The maximum number of events, in order of position
    #[arg(long, value_name = "N", default_value_t = 50, requires = "name",
          value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// Only events after this position
    #[arg(long, value_name = "N", default_value_t = 0, requires = "name",
          value_parser = crate::cli::common::text::position)]
    after: Position,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the list.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let zone = args.time_zone.zone(settings)?;
    let database = settings.database()?;
    let log = store::open(&database, Access::Read)?;
    let forward = store::read_forward_store(&database)?;
    if let Some(name) = &args.name {
        super::check_name(name, settings, forward.as_deref())?;
    }
    let statuses = TargetStatus::read_all(&*log, forward.as_deref(), &settings.targets()?, now())?;
    let one = args.name.as_ref().and_then(|name| statuses.iter().find(|it| it.name == *name));
    let mut out = terminal::paged(settings);
    match (one, args.format) {
        (None, Format::Table) => out.show(&for_people(&statuses, &zone, out.columns()))?,
        (None, Format::Json) => {
            let data: Vec<_> = statuses.iter().map(TargetStatus::as_json).collect();
            writeln!(out, "{:#}", json!({ "data": data }))?;
        }
        (Some(one), format) => {
            let unaccepted = Unaccepted::read(args, one, &*log, forward.as_deref())?;
            match format {
                Format::Table => {
                    let mut text = for_people(std::slice::from_ref(one), &zone, out.columns());
                    text.append(&unaccepted.for_people(&zone, out.columns()));
                    out.show(&text)?;
                }
                Format::Json => {
                    let data: Vec<_> = unaccepted.0.iter().map(Entry::as_json).collect();
                    writeln!(out, "{:#}", json!({ "target": one.as_json(), "data": data }))?;
                }
            }
        }
    }
    Ok(Outcome::Done)
}

fn for_people(statuses: &[TargetStatus], zone: &Zone, columns: Option<usize>) -> Styled {
    if statuses.is_empty() {
        return Styled::from("No target is configured.\n");
    }
    let mut table = Table::new([
        Column::left("target"),
        Column::right("position").short_heading("pos"),
        Column::right("behind"),
        Column::right("by time").optional(),
        Column::right("waiting"),
        Column::right("failed"),
        Column::right("accepted").optional(),
        Column::left("last answer").short_heading("answer"),
        Column::time("answered", zone).optional(),
        Column::prose("state"),
    ]);
    for status in statuses {
        let state = status.state.as_ref();
        let answer = state.and_then(|state| state.last_answer.as_ref());
        table.row([
            Cell::text(&status.name),
            state.map_or(Cell::text("-"), |state| Cell::number(state.read_to.position)),
            Cell::number(status.lag_events),
            Cell::text(match status.lag_events {
                0 => "-".to_owned(),
                _ => in_words(status.lag),
            }),
            Cell::number(status.counts.waiting),
            Cell::number(status.counts.failed),
            Cell::number(state.map_or(0, |state| state.accepted)),
            Cell::text(answer.map_or("-", |answer| &answer.text)),
            answer.map_or(Cell::text("-"), |answer| Cell::time(answer.at, zone)),
            Cell::text(state_in_words(status, zone)),
        ]);
    }
    table.fit(columns)
}

/// What has to be known about a target, the most important first.
fn state_in_words(status: &TargetStatus, zone: &Zone) -> String {
    let name = &status.name;
    let Some(state) = &status.state else { return "never started".to_owned() };
    if status.url.is_none() {
        return format!("no longer configured; `forward forget {name}` removes it");
    }
    if status.other_log {
        return format!(
            "has read another log; `forward skip {name} --to POSITION` has it continue in this one"
        );
    }
    match (state.failing_since, status.counts.failed, status.lag_events) {
        (Some(since), _, _) => format!("failing since {}", zone.show(since)),
        (None, 1.., _) => {
            format!("gave up events; `forward retry {name}` sends them again")
        }
        (None, 0, 1..) => "catching up".to_owned(),
        (None, 0, 0) => "up to date".to_owned(),
    }
}

/// Unaccepted events, with what is known about each from the log.
struct Unaccepted(Vec<Entry>);

struct Entry {
    event: UnacceptedEvent,
    message_sid: Option<String>,
    status: Option<String>,
}

impl Unaccepted {
    fn read(
        args: &Args,
        of: &TargetStatus,
        log: &dyn Store,
        forward: Option<&dyn ForwardStore>,
    ) -> Result<Self> {
        let Some(forward) = forward else { return Ok(Self(Vec::new())) };
        let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
        let events = forward.unaccepted(&of.name, args.after, limit)?;
        let entries = events.into_iter().map(|event| Entry::read(event, log));
        Ok(Self(entries.collect::<Result<_, _>>()?))
    }

    fn for_people(&self, zone: &Zone, columns: Option<usize>) -> Styled {
        if self.0.is_empty() {
            return Styled::default();
        }
        let mut table = Table::new([
            Column::right("position").short_heading("pos"),
            Column::left("message"),
            Column::left("status"),
            Column::right("attempts"),
            Column::time("first tried", zone).optional(),
            Column::left("state"),
            Column::time("due or given up", zone),
            Column::left("last answer").short_heading("answer"),
        ]);
        let time = |at: Option<Timestamp>| at.map_or(Cell::text("-"), |at| Cell::time(at, zone));
        for Entry { event, message_sid, status } in &self.0 {
            table.row([
                Cell::number(event.position),
                Cell::sid(message_sid.as_deref().unwrap_or("-")),
                Cell::status(status.as_deref().unwrap_or("-")),
                Cell::number(event.attempts.into()),
                time(event.first_attempt_at),
                Cell::text(state_of(event)),
                time(event.failed_at.or(Some(event.due_at))),
                Cell::text(event.last_answer.as_ref().map_or("-", |answer| &answer.text)),
            ]);
        }
        let mut text = Styled::from("\n");
        text.append(&table.fit(columns));
        text
    }
}

impl Entry {
    fn read(event: UnacceptedEvent, log: &dyn Store) -> Result<Self, StoreError> {
        let recorded = match log.read_at(&[event.position]) {
            // Of a target that has read another log.
            Err(StoreError::NoSuchEvent { .. }) => {
                return Ok(Self { event, message_sid: None, status: None });
            }
            recorded => recorded?.remove(0),
        };
        let reading = ParsedCallback::parse(&recorded);
        let word = reading.reported.as_ref().and_then(|reported| {
            reported.status.map(Status::name).or(reported.unrecognised.as_deref())
        });
        Ok(Self {
            event,
            message_sid: reading.message_sid.as_deref().map(str::to_owned),
            status: word.map(str::to_owned),
        })
    }

    fn as_json(&self) -> wire::UnacceptedEvent {
        let Self { event, message_sid, status } = self;
        let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
        wire::UnacceptedEvent {
            position: event.position,
            message_sid: message_sid.clone(),
            status: status.clone(),
            state: state_of(event),
            attempts: event.attempts,
            first_attempt_at: text(event.first_attempt_at),
            next_attempt_at: text(event.failed_at.is_none().then_some(event.due_at)),
            failed_at: text(event.failed_at),
            last_answer: event.last_answer.as_ref().map(answer_as_json),
        }
    }
}

fn state_of(event: &UnacceptedEvent) -> &'static str {
    match event.failed_at {
        Some(_) => "failed",
        None => "waiting",
    }
}
