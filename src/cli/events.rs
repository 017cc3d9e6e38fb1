//! `events`: the events of the log that match a filter, newest first.

use std::io::Write;

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::{Outcome, UsageError};
use crate::cli::common::event_table::{Optional, cells, table};
use crate::cli::common::flags::events::EventFlags;
use crate::cli::common::table::Cell;
use crate::cli::common::text::{number, position};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::domain::account_names::AccountNames;
use crate::domain::event::filter::EventFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCodes, Position, RecordedEvent};
use crate::export::{Content, ExportRow, write_csv};
use crate::projection::effects::Effects;
use crate::store::{self, Access, EventPages, Store};
use crate::telemetry::eprint_line;
use crate::twilio::callback::ParsedCallback;
use crate::wire::ShownEvent;

/// The number of events that are read at a time, from the end of the log to its beginning: some
/// milliseconds of reading.
const BLOCK_EVENTS: u64 = 4096;

/// The arguments of `events`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The maximum number of events
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Only events before this position, to continue an earlier list
    #[arg(long, value_name = "N", value_parser = position)]
    before: Option<Position>,

    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,

    #[command(flatten)]
    filter: EventFlags,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ListFormat {
    Table,
    /// The events as the API returns them
    Json,
    /// The columns of `export events`
    Csv,
}

/// Events, newest first.
struct Listed {
    events: Vec<(RecordedEvent, Vec<Cell>)>,
    /// The position before which the list continues; `None` at its end.
    next_before: Option<Position>,
}

/// Lists events, with or without a running server.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    if args.limit == 0 {
        return Err(UsageError("--limit: 0 is no number of events; at least 1".to_owned()).into());
    }
    let filter = args.filter.filter(settings)?;
    let (error_codes, names) = (settings.error_codes(None)?, settings.account_names()?);
    let store = store::open(&settings.database()?, Access::Read)?;
    let head = store.head()?;
    let last = args.before.map_or(head, |before| head.min(before.saturating_sub(1)));
    let list =
        List { store: &*store, filter, error_codes, names, zone: args.filter.time_zone(settings)? };
    let Listed { events, next_before } = list.newest(last, args.limit)?;
    let is_empty = events.is_empty();
    let mut out = terminal::paged(settings);
    match args.format {
        ListFormat::Table if is_empty => {}
        ListFormat::Table => {
            let mut table =
                table(Optional { account: !list.names.is_empty(), answer: false }, &list.zone);
            events.into_iter().for_each(|(_, cells)| table.row(cells));
            let columns = out.columns();
            out.show(&table.fit(columns))?;
        }
        ListFormat::Json => {
            let data: Vec<_> = events.into_iter().map(|(event, _)| shown(event)).collect();
            let page = json!({ "data": data, "as_of_position": head });
            serde_json::to_writer_pretty(&mut out, &page).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        ListFormat::Csv => {
            let rows: Vec<_> = events.into_iter().map(|(event, _)| shown(event)).collect();
            write_csv(Content::Events, rows.iter().map(ExportRow::Event), &mut out)?;
        }
    }
    out.flush()?;
    drop(out);
    if is_empty {
        let views = ledger::fits(&*store)?.then(|| store.views());
        let hint = args.filter.hint_at_nothing_found(&list.filter, views, settings)?;
        eprint_line(format_args!("no event found{hint}"));
    }
    if let Some(before) = next_before {
        eprint_line(format_args!(
            "there may be more: --before {}, or a greater --limit",
            number(before)
        ));
    }
    Ok(Outcome::Done)
}

fn shown(event: RecordedEvent) -> ShownEvent {
    let reading = ParsedCallback::parse(&event);
    let reported = reading.reported;
    let [account_sid, message_sid] =
        [reading.account_sid, reading.message_sid].map(|sid| sid.map(|sid| sid.into_owned()));
    ShownEvent::new(event, account_sid, message_sid, reported.as_ref(), false)
}

/// What a list is made from.
struct List<'s> {
    store: &'s dyn Store,
    filter: EventFilter,
    error_codes: ErrorCodes,
    names: AccountNames,
    zone: Zone,
}

impl List<'_> {
    /// The newest events up to a position. They are read in blocks, from the last one on.
    fn newest(&self, mut last: Position, limit: usize) -> Result<Listed> {
        let has_effects = ledger::fits(self.store)?;
        let mut found = Vec::new();
        while last > 0 && found.len() < limit {
            let after = last.saturating_sub(BLOCK_EVENTS);
            let mut effects = has_effects.then(|| Effects::new(after));
            let mut block = Vec::new();
            for events in EventPages::new(self.store, after + 1..=last) {
                for event in events? {
                    let reading = ParsedCallback::parse(&event);
                    if let Some(effects) = &mut effects {
                        effects.pass(&event, &reading);
                    }
                    if self.filter.matches(reading.with_event(&event)) {
                        let effect = match &mut effects {
                            Some(effects) => effects.effect(self.store, &event, &reading)?,
                            None => None,
                        };
                        let cells = cells(
                            &event,
                            &reading,
                            effect,
                            &self.error_codes,
                            &self.names,
                            &self.zone,
                        );
                        block.push((event, cells));
                    }
                }
            }
            found.extend(block.into_iter().rev().take(limit - found.len()));
            last = after;
        }
        let first_found = found.last().map(|(event, _)| event.position);
        let next_before = first_found.filter(|first| found.len() == limit && *first > 1);
        Ok(Listed { events: found, next_before })
    }
}
