//! What `erase` prints: what would be erased, what was, and the record for the backups.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use crate::cli::common::terminal;
use crate::cli::common::text::number;
use crate::cli::{Format, Outcome};
use crate::domain::Position;
use crate::erase::{Erased, ErasureRecord, RecordedErasure, Selection};
use crate::store::Store;

/// Prints what would be erased.
pub fn print_preview(found: &Selection, format: Format) -> Result<Outcome> {
    let mut out = terminal::stdout();
    let (events, messages) = (found.events(), found.messages());
    let is_complete = found.looked_at == found.up_to;
    match format {
        Format::Table => {
            let more = if is_complete { "" } else { " and more" };
            writeln!(out, "messages  {}{more}\nevents    {}", number(messages), number(events))?;
            write_mentions(&mut out, &found.mentions, found.mentions_count)?;
            writeln!(out, "\nNothing was erased.")?;
        }
        Format::Json => {
            let json = json!({
                "dry_run": true,
                "messages": messages,
                "events": events,
                "complete": is_complete,
                "mentioned_in": found.mentions_count,
                "mentions": found.mentions,
            });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(outcome(found.mentions_count))
}

/// Prints what was erased.
pub fn print(log: &dyn Store, erased: &Erased, format: Format) -> Result<Outcome> {
    let mut out = terminal::stdout();
    let Erased { erasures, requests, files, server_keeps, mentions, mentions_count } = erased;
    let messages: u64 = erasures.iter().map(|erasure| erasure.messages).sum();
    let events: u64 = erasures.iter().map(|erasure| erasure.events.len() as u64).sum();
    match format {
        Format::Table => {
            writeln!(
                out,
                "messages  {}\nevents    {}\nrequests  {} of the quarantine\nfiles     {} of jobs",
                number(messages),
                number(events),
                number(*requests),
                number(*files),
            )?;
            write_mentions(&mut out, mentions, *mentions_count)?;
            if let Some(what) = server_keeps {
                writeln!(out, "\n{what}.")?;
            }
            writeln!(
                out,
                "\nBackups, exports and other copies are not reached. Store the record of all erasures with the \
                 backups, for `restore --erasures`:\n  erase --record > erasures.json"
            )?;
        }
        Format::Json => {
            let recorded: Vec<_> = erasures.iter().map(RecordedErasure::from).collect();
            let json = json!({
                "ledger_id": log.ledger_id().to_string(),
                "erasures": recorded,
                "messages": messages,
                "events": events,
                "requests": requests,
                "files": files,
                "mentioned_in": mentions_count,
                "mentions": mentions,
                "server_keeps": server_keeps,
            });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(outcome(*mentions_count))
}

/// Prints the record of all erasures, as JSON in any format: it is to be stored.
pub fn print_record(record: &ErasureRecord) -> Result<Outcome> {
    writeln!(terminal::stdout(), "{}", serde_json::to_string_pretty(record)?)?;
    Ok(Outcome::Done)
}

fn write_mentions(out: &mut impl Write, mentions: &[Position], count: u64) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let mut positions: Vec<_> = mentions.iter().copied().map(number).collect();
    if count > mentions.len() as u64 {
        positions.push("…".to_owned());
    }
    writeln!(
        out,
        "\n{} events of other messages mention the address, at positions {}. They are not erased with it; \
         erase those messages by --message if they should be.",
        number(count),
        positions.join(", ")
    )?;
    Ok(())
}

/// If other messages mention the address, the ledger still contains it.
fn outcome(mentions: u64) -> Outcome {
    match mentions {
        0 => Outcome::Done,
        _ => Outcome::CheckFoundSomething,
    }
}
