//! `export`: everything, one JSON object a line.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::text::number;
use super::{Outcome, ledger};
use crate::config::Settings;
use crate::export::{self, file::WholeFile};
use crate::store::{self, Access};

/// The arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to write out
    #[arg(value_enum)]
    what: What,

    #[arg(long, value_enum, default_value_t = ExportFormat::Ndjson)]
    format: ExportFormat,

    /// A file, which appears once it is whole [default: stdout]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum What {
    /// Each message as it stands
    Messages,
    /// Each event of the log, as it came
    Events,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// One JSON object a line
    Ndjson,
}

/// Writes the export to its file, or to stdout.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let ExportFormat::Ndjson = args.format;
    let Some(path) = &args.output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(args.what, settings, &mut out)?;
        return Ok(Outcome::Done);
    };
    let act = || format!("--output: cannot write {}", path.display());
    let mut file = WholeFile::create(path).with_context(act)?;
    let count = write(args.what, settings, &mut file)?;
    file.finish().with_context(act)?;
    eprintln!("{} rows in {}", number(count), path.display());
    Ok(Outcome::Done)
}

fn write(what: What, settings: &Settings, out: &mut dyn Write) -> Result<u64> {
    match what {
        What::Events => {
            let store = store::open(&settings.database()?, Access::Read)?;
            Ok(export::events(&*store, out)?)
        }
        What::Messages => Ok(export::messages(&*ledger::up_to_date(settings)?, out)?),
    }
}
