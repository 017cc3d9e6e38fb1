//! `seal show`: prints a seal.

use anyhow::Result;

use super::super::{Format, Outcome};
use super::new::print;
use crate::cli::common::text::{number, position};
use crate::config::Settings;
use crate::domain::Position;
use crate::seal::stored::{last_seal, seal_of_size};
use crate::store::{self, Access};
use crate::telemetry::eprint_line;

/// The arguments of `seal show`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of events that it is of; without it, the last seal is printed
    #[arg(value_parser = position)]
    size: Option<Position>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the note, with the lines of witnesses.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let store = store::open(&settings.database()?, Access::Read)?;
    let seal = match args.size {
        Some(size) => seal_of_size(&*store, size)?,
        None => last_seal(&*store)?,
    };
    match (seal, args.size) {
        (Some(seal), _) => print(&*store, seal, args.format),
        (None, Some(size)) => {
            let events = number(size);
            eprint_line(format_args!("no seal is of {events} events; `seal list` shows which are"));
            Ok(Outcome::NotFound)
        }
        (None, None) => {
            eprint_line(format_args!("nothing was sealed yet; `seal` makes the first one"));
            Ok(Outcome::NotFound)
        }
    }
}
