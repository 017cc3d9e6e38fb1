//! `doctor`: runs every check, and prints the findings with advice. It only reads.

mod output;
mod query_server;

use std::path::Path;

use anyhow::Result;

use super::{Format, Outcome, serve};
use crate::checks::context::CheckContext;
use crate::checks::finding::Outcome as CheckOutcome;
use crate::checks::{self, Cost};
use crate::config::{Flags, Settings};

/// The arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[group(skip)] // the group of serve's arguments has the same name
pub struct Args {
    /// Run only quick checks: no counting, and only the readiness of the server
    #[arg(long)]
    quick: bool,

    /// Fail if no server responds
    #[arg(long)]
    server: bool,

    /// The flags with which serve is started, if any
    #[command(flatten)]
    serve: serve::Args,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the checks and prints the page. An invalid configuration is a finding, not an error.
pub fn run(args: &Args, config: Option<&Path>, flags: Flags) -> Result<Outcome> {
    let cost_max = if args.quick { Cost::Little } else { Cost::More };
    let mut context = context(args, config, flags);
    let server = query_server::query(&context.settings, context.database.as_ref(), cost_max);
    context.server_is_due = args.server;
    context.server = server;
    let report = checks::run(&context, cost_max);
    match args.format {
        Format::Table => output::for_people(&report)?,
        Format::Json => output::as_json(&report)?,
    }
    match report.worst() {
        CheckOutcome::Fail => Ok(Outcome::CheckFoundSomething),
        CheckOutcome::Ok | CheckOutcome::Warn => Ok(Outcome::Done),
    }
}

/// A context with the settings of the file and of the flags.
fn context(args: &Args, config: Option<&Path>, global: Flags) -> CheckContext {
    let (settings, unreadable) = match Settings::load(config, global.clone()) {
        Ok(settings) => (settings, None),
        Err(error) => (Settings::without_file(global), Some(format!("{error:#}"))),
    };
    CheckContext::new(settings.with_flags(args.serve.flags()), unreadable)
}
