//! `restore`: creates a ledger from a backup. It never overwrites an existing ledger.

use std::path::PathBuf;

use anyhow::Result;

use super::{Format, Outcome, backup};
use crate::backup::{Origin, restore};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::progress;
use crate::config::Settings;
use crate::store::{self, Access, Database};

/// The arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A file made by `backup`, or the log of a stopped ledger
    file: PathBuf,

    /// Give the seals of the ledger another origin from here on, because the backup lacks events that were sealed
    #[arg(long)]
    branch: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Creates the ledger and prints its head and hash.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let interrupt = Interrupt::listen()?;
    let source = Database::Sqlite(args.file.clone());
    let head = store::open(&source, Access::Read).and_then(|source| source.head());
    let bar = progress::over_events(head.unwrap_or(0), "restore");
    let origin = if args.branch { Origin::New } else { Origin::Same };
    let copied = restore(&args.file, &database, origin, &mut |position| {
        bar.set_position(position);
        interrupt.asked()
    });
    bar.finish_and_clear();
    backup::print("ledger", &database.place(), copied, args.format)
}
