//! `messages`: the messages that match a filter, newest first.

use std::io::Write;

use anyhow::Result;
use clap::ValueEnum;

use super::{Outcome, UsageError};
use crate::cli::common::flags::filters::{Filters, check_tags};
use crate::cli::common::flags::time_zone::now;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::domain::account_names::AccountNames;
use crate::domain::message::filter::MessageFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{Position, Timestamp};
use crate::export::{Content, ExportRow, write_csv};
use crate::projection::erased;
use crate::store::{Message, Store};
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::wire::message_page::{self, CURSOR_OF_ANOTHER_LIST, Cursor, ListHash, MessagePage};
use crate::wire::{self, MessageRow};

/// The arguments of `messages`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The maximum number of messages
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: usize,

    /// Continue after an earlier list, whose last line on stderr has this
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,

    #[arg(long, value_enum, default_value_t = ListFormat::Table)]
    format: ListFormat,

    #[command(flatten)]
    filters: Filters,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ListFormat {
    Table,
    /// The page that the API returns
    Json,
    /// The columns of `export messages`
    Csv,
}

/// Some messages, newest first.
pub struct Listed {
    pub messages: Vec<Message>,
    /// The id below which the list continues; `None` at its end.
    pub next_before: Option<u64>,
    pub as_of_position: Position,
}

/// Catches up with the log and lists messages.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let after = args.after.as_deref().map(|text| {
        Cursor::parse(text).ok_or_else(|| {
            let text = text.escape_debug();
            UsageError(format!("--after: `{text}` is not {}", message_page::CURSOR_EXPECTED))
        })
    });
    let after = after.transpose()?;
    if args.limit == 0 {
        return Err(UsageError("--limit: 0 is no number of messages; at least 1".to_owned()).into());
    }
    let now = after.map_or_else(now, |first: Cursor| first.now);
    let filter = args.filters.messages_at(now, settings)?;
    let list_hash = ListHash::new(&filter);
    if after.is_some_and(|after| after.list != list_hash) {
        return Err(UsageError(format!("--after: {CURSOR_OF_ANOTHER_LIST}")).into());
    }
    let zone = args.filters.time_zone(settings)?;
    let error_codes = settings.error_codes(None)?;
    let names = settings.account_names()?;
    let store = ledger::up_to_date(settings)?;
    check_tags(&filter, store.views(), true)?;
    let listed = list(&*store, &filter, after.map(|after| after.before), args.limit)?;
    let shown = |message: &Message| {
        let row = wire::Message::new(
            &message.key,
            &message.lifecycle,
            listed.as_of_position,
            &error_codes,
        );
        row.with_account_name(&names)
    };
    let messages: Vec<_> = listed.messages.iter().map(shown).collect();
    let next_cursor = listed.next_before.map(|before| Cursor { before, now, list: list_hash });
    let (is_empty, next_cursor) = (messages.is_empty(), next_cursor.map(|next| next.to_string()));
    let mut out = terminal::paged(settings);
    match args.format {
        ListFormat::Table if is_empty => {}
        ListFormat::Table => {
            let columns = out.columns();
            out.show(&table(&messages, &names, &zone).fit(columns))?;
        }
        ListFormat::Json => {
            let page = MessagePage {
                data: messages,
                next_cursor: next_cursor.clone(),
                as_of_position: listed.as_of_position,
                searched_for: Some(filter.searched_for()).filter(|all| is_empty && !all.is_empty()),
            };
            serde_json::to_writer_pretty(&mut out, &page).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        ListFormat::Csv => {
            let all: Vec<_> = listed.messages.iter().map(Message::whole).collect();
            let row = |message| MessageRow::new(message, listed.as_of_position, &error_codes);
            let rows: Vec<_> = all.iter().map(row).collect();
            write_csv(Content::Messages, rows.iter().map(ExportRow::Message), &mut out)?;
        }
    }
    out.flush()?;
    drop(out);
    if is_empty {
        match filter.searched_for().is_empty() {
            true => eprint_line(format_args!("no message found")),
            false => args.filters.hint_at_nothing_found(&filter, settings)?,
        }
    }
    if let Some(cursor) = next_cursor {
        eprint_line(format_args!("there are more: --after {cursor}, or a greater --limit"));
    }
    Ok(Outcome::Done)
}

/// At most `limit` messages with ids below one that match a filter.
pub fn list(
    store: &dyn Store,
    filter: &MessageFilter,
    mut before: Option<u64>,
    limit: usize,
) -> Result<Listed> {
    let mut messages = Vec::new();
    loop {
        let page = erased::list(store, filter, before, limit - messages.len())?;
        messages.extend(page.messages);
        before = page.next_before;
        // A page is short if too many messages have to be read to fill it.
        if before.is_none() || messages.len() == limit {
            let as_of_position = page.checkpoint.position;
            return Ok(Listed { messages, next_before: before, as_of_position });
        }
    }
}

/// The table of some messages, with times in this zone.
pub fn table(messages: &[wire::Message], names: &AccountNames, zone: &Zone) -> Table {
    let has_names = !names.is_empty();
    let short_heading = format!("received ({})", zone.short_name());
    let mut columns = vec![
        Column::time("first received", zone).short_heading(short_heading),
        Column::left("message"),
        Column::left("status"),
        Column::left("to"),
        Column::left("from").optional(),
    ];
    columns.extend(has_names.then(|| Column::left("account").optional()));
    columns.push(Column::prose("details"));
    let mut table = Table::new(columns);
    for message in messages {
        let address = |address: &Option<String>| match address {
            Some(address) => Cell::address(address),
            None => Cell::text("-"),
        };
        let mut cells = vec![
            received_at(message, zone),
            Cell::sid(&message.message_sid),
            Cell::status(message.status),
            address(&message.to),
            address(&message.from),
        ];
        let name = message.account_name.as_deref().or(message.account_sid.as_deref());
        cells.extend(has_names.then(|| Cell::text(printable(name.unwrap_or("-")))));
        cells.push(Cell::text(details(message)));
        table.row(cells);
    }
    table
}

fn received_at(message: &wire::Message, zone: &Zone) -> Cell {
    let text = &message.first_received_at;
    Timestamp::parse(text).map_or_else(|| Cell::text(text), |at| Cell::time(at, zone))
}

/// The error, what is unusual, clicks and feedback, and the tags.
fn details(message: &wire::Message) -> String {
    let error = message.error_code.map(|code| {
        format!("{code} {}", printable(message.error_title.as_deref().unwrap_or_default()))
    });
    let conflict = message.conflict.then(|| "in conflict".to_owned());
    let labels = message.labels.iter().map(ToString::to_string);
    let clicks = match message.clicks {
        0 => None,
        1 => Some("1 click".to_owned()),
        clicks => Some(format!("{clicks} clicks")),
    };
    let feedback = message.feedback.map(|outcome| format!("feedback {outcome}"));
    let tags = message.tags.iter().flat_map(|(name, values)| {
        values.iter().map(move |value| printable(&format!("{name}={value}")).into_owned())
    });
    let parts = error.into_iter().chain(conflict).chain(labels).chain(clicks).chain(feedback);
    let tags = tags.collect::<Vec<_>>().join(" ");
    let parts: Vec<_> = parts.chain(Some(tags).filter(|tags| !tags.is_empty())).collect();
    parts.join("; ")
}
