//! `copy`: copies a ledger's log into another ledger, on the same engine or the other.

use anyhow::Result;

use super::{Format, Outcome, UsageError, backup};
use crate::backup::copy::copy;
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::progress;
use crate::config::Settings;
use crate::store::{self, Access};

/// The arguments of `copy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The ledger that is copied, as sqlite:PATH or postgres://user@host/database
    #[arg(long, value_name = "URL")]
    from: String,

    /// The ledger that it is copied to. It is created if it does not exist; an interrupted copy continues
    #[arg(long, value_name = "URL")]
    to: String,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Copies the log, and prints its head and hash.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let from = settings.database_at("--from", &args.from)?;
    let to = settings.database_at("--to", &args.to)?;
    if from == to {
        return Err(UsageError("--from and --to are the same ledger".to_owned()).into());
    }
    let interrupt = Interrupt::listen()?;
    let head = store::open(&from, Access::Read)?.head()?;
    let bar = progress::over_events(head, "copy");
    let copied = copy(&from, &to, &mut |position| {
        bar.set_position(position);
        interrupt.asked()
    });
    bar.finish_and_clear();
    backup::print("ledger", &to.place(), copied, args.format)
}
