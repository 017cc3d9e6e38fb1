//! `restore`: creates a ledger from a backup. It never overwrites an existing ledger.

use std::path::PathBuf;

use anyhow::Result;

use super::{Format, Outcome, backup, erase};
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

    /// A record that `erase --record` printed: what it names is erased again. Can be repeated
    #[arg(long, value_name = "FILE")]
    erasures: Vec<PathBuf>,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Creates the ledger and prints its head and hash.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let records = args.erasures.iter().map(|file| erase::repeat::read(file));
    let records = records.collect::<Result<Vec<_>>>()?;
    let erased = erase::repeat::events(&records)?;
    let interrupt = Interrupt::listen()?;
    let source = Database::Sqlite(args.file.clone());
    let opened = store::open(&source, Access::Read);
    if let Ok(source) = &opened {
        records.iter().try_for_each(|record| erase::repeat::check(record, &**source))?;
    }
    let head = opened.and_then(|source| source.head());
    let bar = progress::over_events(head.unwrap_or(0), "restore");
    let origin = if args.branch { Origin::New } else { Origin::Same };
    let copied = restore(&args.file, &database, origin, &mut |position| {
        bar.set_position(position);
        interrupt.asked()
    });
    bar.finish_and_clear();
    let is_to_erase = copied.is_ok() && !records.is_empty();
    if is_to_erase {
        erase::repeat::begin(settings)?;
    }
    let outcome = backup::print("ledger", &database.place(), copied, args.format)?;
    if is_to_erase {
        erase::repeat::run(erased, &interrupt, settings)?;
    }
    Ok(outcome)
}
