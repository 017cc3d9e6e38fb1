//! `forward skip`: gives up events that a target has not accepted, or has it continue at another position.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome, UsageError};
use super::events;
use crate::cli::common::terminal;
use crate::cli::common::text::{self, number};
use crate::config::Settings;
use crate::domain::Position;
use crate::store::forward::fit::{self, is_of_log};
use crate::store::forward::{ReadTo, Which};
use crate::store::{self, Access, Store};
use crate::telemetry::eprint_line;

/// The arguments of `forward skip`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    name: String,

    #[command(flatten)]
    what: What,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Exactly one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The event at this position, failed or waiting
    #[arg(long, value_name = "N", value_parser = text::position)]
    position: Option<Position>,

    /// Every failed event
    #[arg(long)]
    failed: bool,

    /// Everything up to this position, or up to the end of the log (head). A position before the present one
    /// sends what follows it again
    #[arg(long, value_name = "POSITION", value_parser = to)]
    to: Option<To>,
}

/// Where a target continues.
#[derive(Debug, Clone, Copy)]
enum To {
    Head,
    Position(Position),
}

fn to(text: &str) -> Result<To, String> {
    match text {
        "head" => Ok(To::Head),
        text => text::position(text)
            .map(To::Position)
            .map_err(|_| "it is neither head nor a position, such as 42 or 51,522".to_owned()),
    }
}

/// Skips without confirmation, and prints what is never sent; exit code 4 if there is no event at the position.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let Args { name, what, format } = args;
    match (what.to, what.position) {
        (Some(to), _) => continue_at(name, to, *format, settings),
        (None, Some(position)) => skip(name, Which::At(position), *format, settings),
        (None, None) => skip(name, Which::Failed, *format, settings),
    }
}

fn skip(name: &str, which: Which, format: Format, settings: &Settings) -> Result<Outcome> {
    let skipped = match super::open_for(name, settings)? {
        Some(mut store) => store.skip(name, which)?,
        None => 0,
    };
    if let (Which::At(position), 0) = (which, skipped) {
        eprint_line(format_args!(
            "error: {name} has no unaccepted event at position {}",
            number(position)
        ));
        return Ok(Outcome::NotFound);
    }
    let mut out = terminal::stdout();
    match format {
        Format::Table if skipped == 0 => writeln!(out, "{name} has no failed events.")?,
        Format::Table => {
            writeln!(out, "{name}: skipped {}; never sent from now on.", events(skipped))?;
        }
        Format::Json => writeln!(out, "{:#}", json!({ "target": name, "skipped": skipped }))?,
    }
    Ok(Outcome::Done)
}

/// What moving a target does.
struct Move {
    from: From,
    to: Position,
    /// The events that were waiting and are never sent.
    skipped: u64,
    /// The unaccepted ones after the new position, which are read again.
    read_again: u64,
}

/// Where a target was.
#[derive(Clone, Copy)]
enum From {
    Position(Position),
    NeverStarted,
    OtherLog,
}

fn continue_at(name: &str, to: To, format: Format, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    super::check_name(name, settings, store::read_forward_store(&database)?.as_deref())?;
    let log = store::open(&database, Access::Read)?;
    let to = place(&*log, to)?;
    let mut forward = store::create_forward_store(&database)?;
    let from = match forward.target(name)? {
        None => From::NeverStarted,
        Some(state) if is_of_log(&*log, &state)? => From::Position(state.read_to.position),
        Some(_) => From::OtherLog,
    };
    let (mut skipped, mut forgotten) = (0, 0);
    if let From::Position(_) = from {
        let waiting = forward.waiting(name)?;
        skipped = waiting.iter().filter(|event| event.position <= to.position).count() as u64;
        forgotten = forward.move_to(name, to)?.unwrap_or_default();
    } else {
        // Positions of another log say nothing here.
        forward.remove(name)?;
        forward.create(name, log.ledger_id(), to)?;
    }
    let read_again = forgotten.saturating_sub(skipped);
    print(name, &Move { from, to: to.position, skipped, read_again }, format)
}

fn place(log: &dyn Store, to: To) -> Result<ReadTo> {
    let head = log.head()?;
    match to {
        To::Head => Ok(fit::place(log, head)?),
        To::Position(position) if position <= head => Ok(fit::place(log, position)?),
        To::Position(position) => {
            let beyond = format!("--to: {position} is beyond the head, {head}");
            Err(UsageError(beyond).into())
        }
    }
}

impl Move {
    fn from(&self) -> Option<Position> {
        match self.from {
            From::Position(from) => Some(from),
            From::NeverStarted | From::OtherLog => None,
        }
    }

    /// The number of events of the log that it leaves out.
    fn unread(&self) -> u64 {
        self.from().map_or(0, |from| self.to.saturating_sub(from))
    }
}

fn print(name: &str, moved: &Move, format: Format) -> Result<Outcome> {
    let mut out = terminal::stdout();
    let Move { from, to, skipped, read_again } = moved;
    if format == Format::Json {
        let json = json!({
            "target": name,
            "from_position": moved.from(),
            "position": to,
            "skipped": skipped,
            "unread": moved.unread(),
            "read_again": read_again,
        });
        writeln!(out, "{json:#}")?;
        return Ok(Outcome::Done);
    }
    let was = match from {
        From::Position(from) => format!("it was at {}", number(*from)),
        From::NeverStarted => "it had never been started".to_owned(),
        From::OtherLog => "it had read another log".to_owned(),
    };
    writeln!(out, "{name} continues after position {}; {was}.", number(*to))?;
    if *skipped > 0 {
        writeln!(out, "Never sent: {} that had been waiting.", events(*skipped))?;
    }
    match moved.from() {
        Some(from) if *to > from => writeln!(
            out,
            "Never sent: what it would have got of the {} from {} to {}.",
            events(moved.unread()),
            number(from + 1),
            number(*to),
        )?,
        Some(from) if *to < from => writeln!(
            out,
            "Sent again: what it gets of the {} from {} to {}, accepted or not.",
            events(from - to),
            number(to + 1),
            number(from),
        )?,
        _ => {}
    }
    Ok(Outcome::Done)
}
