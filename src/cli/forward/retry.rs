//! `forward retry`: sends events again that a target has not accepted.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use super::events;
use crate::cli::common::flags::time_zone::now;
use crate::cli::common::terminal;
use crate::cli::common::text::{number, position};
use crate::config::Settings;
use crate::domain::Position;
use crate::store::forward::Which;
use crate::store::inspect;
use crate::telemetry::eprint_line;

/// The arguments of `forward retry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    name: String,

    /// Only the event at this position, failed or waiting [default: every failed one]
    #[arg(long, value_name = "N", value_parser = position)]
    position: Option<Position>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Makes the events due now and prints how many there are; exit code 4 if there is none at the position.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let Args { name, position, format } = args;
    let which = position.map_or(Which::Failed, Which::At);
    let retried = match super::open_for(name, settings)? {
        Some(mut store) => store.retry(name, which, now())?,
        None => 0,
    };
    if let (Some(position), 0) = (position, retried) {
        eprint_line(format_args!(
            "error: {name} has no unaccepted event at position {}",
            number(*position)
        ));
        return Ok(Outcome::NotFound);
    }
    let mut out = terminal::stdout();
    match format {
        Format::Table if retried == 0 => writeln!(out, "{name} has no failed events.")?,
        Format::Table => {
            let when = match inspect::is_held(&settings.database()?)? {
                true => "now",
                false => "once serve is running",
            };
            writeln!(out, "{name}: sending {} again {when}.", events(retried))?;
        }
        Format::Json => writeln!(out, "{:#}", json!({ "target": name, "retried": retried }))?,
    }
    Ok(Outcome::Done)
}
