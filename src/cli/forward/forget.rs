//! `forward forget`: removes what is stored about a target.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::terminal;
use crate::config::Settings;

/// The arguments of `forward forget`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    name: String,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Removes the state without confirmation, with the events that were not accepted.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let Args { name, format } = args;
    let (mut unaccepted, mut forgotten) = (0, false);
    if let Some(mut store) = super::open_for(name, settings)? {
        let counts = store.counts(name)?;
        unaccepted = counts.waiting + counts.failed;
        forgotten = store.remove(name)?;
    }
    let is_configured = settings.each_target().iter().any(|target| target.name == *name);
    let mut out = terminal::stdout();
    match format {
        Format::Table if !forgotten => writeln!(out, "Nothing is stored about {name}.")?,
        Format::Table => {
            let next = match is_configured {
                true => "; it begins anew, at its `from`",
                false => "",
            };
            let events = super::events(unaccepted);
            writeln!(out, "{name} is forgotten, with {events} that it had not accepted{next}.")?;
        }
        Format::Json => {
            let json = json!({ "target": name, "forgotten": forgotten, "unaccepted": unaccepted });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(Outcome::Done)
}
