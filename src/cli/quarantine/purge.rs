//! `quarantine purge`: deletes stored requests permanently.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::store;

/// The arguments of `quarantine purge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only requests that arrived before this time: a length of time ago (30d), yesterday, a day, a local
    /// time (2026-11-25T10:00), or RFC 3339
    #[arg(long, value_name = "TIME")]
    before: Option<String>,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Deletes the requests without confirmation and prints how many there were.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let time = |text| args.time_zone.time("before", text, settings);
    let before = args.before.as_deref().map(time).transpose()?;
    let purged = match store::open_quarantine(&settings.database()?)? {
        Some(mut quarantine) => quarantine.purge(before)?,
        None => 0,
    };
    let mut out = crate::cli::common::terminal::stdout();
    match args.format {
        Format::Table => writeln!(out, "{} removed", number(purged))?,
        Format::Json => writeln!(out, "{:#}", json!({ "removed": purged }))?,
    }
    Ok(Outcome::Done)
}
