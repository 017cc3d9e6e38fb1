//! `backup`: copies the log into one new file, which gets its name only once it has been verified.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;
use time::OffsetDateTime;

use super::{Format, Outcome};
use crate::backup::{BackupError, VerifiedCopy, backup, record};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::progress;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::domain::hash::hex;
use crate::store::{self, Access, Store};
use crate::text::printable;

/// The arguments of `backup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to create; it must not exist yet
    file: PathBuf,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Makes the backup and prints its head and hash.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let interrupt = Interrupt::listen()?;
    let store = store::open(&database, Access::Read)?;
    let bar = progress::over_events(store.head()?, "backup");
    let copied = backup(&database, &args.file, &mut |position| {
        bar.set_position(position);
        interrupt.asked()
    });
    bar.finish_and_clear();
    if let Ok(copied) = &copied {
        write_record(&*store, &args.file, copied);
    }
    print("backup", &args.file.display().to_string(), copied, args.format)
}

/// Records the backup for `doctor`. An error is only logged, because the backup itself is complete.
fn write_record(store: &dyn Store, file: &Path, copied: &VerifiedCopy) {
    let now = Timestamp::from(OffsetDateTime::now_utc());
    if let Err(error) = record::write_record(store, file, copied, now) {
        tracing::warn!(%error, "the backup was made, but could not be recorded");
    }
}

/// Prints the head and hash of a verified copy, or the findings of a failed verification.
pub fn print(
    what: &str,
    place: &str,
    copied: Result<VerifiedCopy, BackupError>,
    format: Format,
) -> Result<Outcome> {
    let copied = match copied {
        Err(error) => return print_findings(error),
        Ok(copied) => copied,
    };
    let (head, hash) = (copied.head, hex(&copied.hash));
    let mut out = crate::cli::common::terminal::stdout();
    match format {
        Format::Json => {
            writeln!(out, "{:#}", json!({ what: place, "head": head, "hash": hash }))?;
        }
        Format::Table if head == 0 => writeln!(out, "{what:<8} {place}\nevents   0")?,
        Format::Table => writeln!(
            out,
            "{what:<8} {place}\nevents   {}\nhash     {hash}\n\n\
             It was verified. Keep this elsewhere to prove it later:\n  verify --expect {head}:{hash}",
            number(head),
        )?,
    }
    Ok(Outcome::Done)
}

fn print_findings(error: BackupError) -> Result<Outcome> {
    let (BackupError::Unsound { findings, .. } | BackupError::Differs { findings }) = &error else {
        return Err(error.into());
    };
    for finding in findings {
        eprintln!("{}: {}", finding.kind.name(), printable(&finding.detail));
    }
    eprintln!("error: {error}; nothing was written");
    Ok(Outcome::CheckFoundSomething)
}
