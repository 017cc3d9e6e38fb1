//! `quarantine purge`: deletes stored requests permanently.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::filters::bad_flag;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::store;
use crate::wire::filter;

/// The arguments of `quarantine purge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only requests that arrived before this time: RFC 3339, or a day in UTC
    #[arg(long, value_name = "TIME")]
    before: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Deletes the requests without confirmation and prints how many there were.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let before = args.before.as_deref().map(|text| filter::time_flag("before", text));
    let before = before.transpose().map_err(bad_flag)?;
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
