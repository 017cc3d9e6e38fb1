//! `import`: imports events of another ledger, or Twilio's own records of messages, into this one.

mod report;

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use indicatif::ProgressBar;
use time::OffsetDateTime;

use self::report::Report;
use super::{Format as ReportFormat, Outcome, UsageError};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::config::Settings;
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::import::values::{self, Checked};
use crate::import::{Counts, ImportFormat, Options, StagedImport, stage};
use crate::store::inspect;
use crate::store::{self, Access, Database, Store, StoreError, Task, TaskGuard, append_when_free};

/// The maximum pause after a batch.
const REST_MAX: Duration = Duration::from_millis(100);

/// The interval at which an import checks for a running server. A server that has just started waits
/// at most this long before it can append.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// The arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The files to import, which may be gzipped; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The format of the files [default: detected for each file]
    #[arg(long, value_enum)]
    format: Option<InputFormat>,

    /// Check everything and show what would be appended; append nothing
    #[arg(long)]
    dry_run: bool,

    /// Import valid rows even if other rows are rejected [default: import nothing then]
    #[arg(long)]
    skip_refused: bool,

    /// Keep the text of messages in Twilio's records in the log
    #[arg(long)]
    keep_content: bool,

    /// The account of messages whose record names none, as in some CSV files; by SID or name
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// The format of the result; JSON lists every rejected row
    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    report: ReportFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InputFormat {
    /// NDJSON made by `export events`
    Events,
    /// Pages of Twilio's list of messages, or single messages, as JSON
    Rest,
    /// Twilio's BulkExport: one message per line
    Bulkexport,
    /// The message log of Twilio's Console
    Csv,
}

/// Reads and checks everything, then appends what is new.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    let interrupt = Interrupt::listen()?;
    let mut staged = args.stage(&database, settings, &interrupt)?;
    let proceeds = staged.counts.rejected == 0 || args.skip_refused;
    let _only_one = match proceeds && !args.dry_run {
        true => Some(only_one(settings)?),
        false => None,
    };
    let store = match proceeds {
        true => args.open(settings, &database, &staged)?,
        // Compare anyway, so that further rejected rows are reported too.
        false => open_as_it_is(&database)?,
    };
    if let Some(store) = &store {
        let bar = events_bar(store.head()?, staged.has_events(), "compare");
        staged.compare(&**store, &mut |position| report_progress(&bar, position, &interrupt))?;
        bar.finish_and_clear();
    }
    let counts = staged.counts;
    if counts.rejected > 0 && !args.skip_refused {
        args.report(counts, None).print(&mut staged)?;
        let hint = match staged.staged() {
            0 => "",
            _ => "; --skip-refused imports the others",
        };
        bail!("{} refused, so nothing was imported{hint}", rejected_text(counts));
    }
    args.append(staged, &database, store.as_deref(), &interrupt)
}

impl Args {
    fn stage(
        &self,
        database: &Database,
        settings: &Settings,
        interrupt: &Interrupt,
    ) -> Result<StagedImport> {
        let mut given = HashSet::new();
        if let Some(twice) = self.files.iter().find(|file| !given.insert(*file)) {
            return Err(UsageError(format!("{} is listed twice", twice.display())).into());
        }
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let account_sid =
            self.account_sid.as_deref().map(|sid| account_sid(sid, settings, now)).transpose()?;
        let options = Options {
            format: self.format.map(InputFormat::format),
            keep_content: self.keep_content,
            account_sid,
            now,
            spool_folder: spool_folder(&database.local_path()),
        };
        let bar = bytes_bar(&self.files);
        let staged =
            stage(&self.files, options, &mut |bytes| report_progress(&bar, bytes, interrupt));
        bar.finish_and_clear();
        Ok(staged?)
    }

    /// The ledger, with views up to its head if they are needed; `None` if it does not exist.
    fn open(
        &self,
        settings: &Settings,
        database: &Database,
        staged: &StagedImport,
    ) -> Result<Option<Box<dyn Store>>> {
        if staged.has_records() && is_there(database)? {
            drop(ledger::up_to_date_by_views_rule(settings)?);
        }
        match self.dry_run {
            true => Ok(open_as_it_is(database)?),
            false => Ok(Some(ledger::to_append(settings)?)),
        }
    }

    fn report(&self, counts: Counts, head: Option<u64>) -> Report {
        let nothing_done = counts.rejected > 0 && !self.skip_refused;
        Report { format: self.report, dry_run: self.dry_run, nothing_done, counts, head }
    }

    fn append(
        &self,
        mut staged: StagedImport,
        database: &Database,
        store: Option<&dyn Store>,
        interrupt: &Interrupt,
    ) -> Result<Outcome> {
        let bar = events_bar(staged.staged(), true, "import");
        let mut rests = Rests::new(database);
        let mut append = |events: &[NewEvent]| match (self.dry_run, store) {
            (false, Some(store)) => rests.append(store, events),
            _ => Ok(()),
        };
        let (counts, outcome) =
            staged.append(store, &mut append, &mut |row| report_progress(&bar, row, interrupt));
        bar.finish_and_clear();
        outcome.with_context(|| {
            let appended = number(counts.appended);
            format!("{appended} rows were appended; the same import again appends the rest")
        })?;
        let head = store.map(|store| store.head()).transpose()?;
        self.report(counts, head).print(&mut staged)?;
        Ok(Outcome::Done)
    }
}

impl InputFormat {
    fn format(self) -> ImportFormat {
        match self {
            InputFormat::Events => ImportFormat::Events,
            InputFormat::Rest => ImportFormat::Rest,
            InputFormat::Bulkexport => ImportFormat::Bulkexport,
            InputFormat::Csv => ImportFormat::Csv,
        }
    }
}

fn account_sid(given: &str, settings: &Settings, now: Timestamp) -> Result<AccountSid> {
    let usage = |why: &str| UsageError(format!("--account-sid: `{given}`: {why}"));
    let sid = match values::ValueKind::AccountSid.check(given, now) {
        Checked::Intact => Cow::Borrowed(given),
        Checked::Repaired(sid, _) => sid,
        Checked::Damaged(why) => {
            let named = settings.account(given)?;
            return match AccountSid::has_documented_form(named.as_str()) {
                true => Ok(named),
                false => Err(usage(&why).into()),
            };
        }
    };
    Ok(AccountSid::parse(&sid).ok_or_else(|| usage("it is empty"))?)
}

/// The numbers of rejected files and rows in words, with the verb.
fn rejected_text(counts: Counts) -> String {
    let count = |count: u64, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{} {what}s", number(count)),
    };
    let rows = counts.rejected - counts.rejected_files;
    let parts = [(counts.rejected_files, "file"), (rows, "row")];
    let parts: Vec<_> =
        parts.into_iter().filter(|(n, _)| *n > 0).map(|(n, w)| count(n, w)).collect();
    format!("{} {}", parts.join(" and "), if counts.rejected == 1 { "is" } else { "are" })
}

/// Creates the ledger if it does not exist, and locks out another import: two concurrent imports would
/// both find an event missing, and both append it.
fn only_one(settings: &Settings) -> Result<Box<dyn TaskGuard>> {
    let guard = ledger::to_append_or_make(settings)?.begin(Task::Import)?;
    guard.ok_or_else(|| anyhow!("another import is running on this ledger"))
}

/// Pauses after each batch if a server holds the ledger: SQLite's lock is not fair, and callbacks would
/// rarely get it. Without a server there are no pauses.
struct Rests<'d> {
    database: &'d Database,
    looked: Option<Instant>,
    is_held: bool,
}

impl<'d> Rests<'d> {
    fn new(database: &'d Database) -> Self {
        Self { database, looked: None, is_held: false }
    }

    /// Appends a batch; if a server is running, it then pauses for as long as that took.
    fn append(&mut self, store: &dyn Store, events: &[NewEvent]) -> Result<(), StoreError> {
        let begun = Instant::now();
        append_when_free(store, events)?;
        let took = begun.elapsed();
        if self.looked.is_none_or(|looked| looked.elapsed() >= BETWEEN_LOOKS) {
            // On an error, assume that there is a server.
            self.is_held = inspect::is_held(self.database).unwrap_or(true);
            self.looked = Some(Instant::now());
        }
        if self.is_held {
            sleep(took.min(REST_MAX));
        }
        Ok(())
    }
}

fn is_there(database: &Database) -> Result<bool, StoreError> {
    match store::open(database, Access::Read) {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

fn open_as_it_is(database: &Database) -> Result<Option<Box<dyn Store>>, StoreError> {
    match is_there(database)? {
        true => store::open(database, Access::Read).map(Some),
        false => Ok(None),
    }
}

/// The folder for temporary files: that of the log, which needs the space anyway, or the system's if
/// it does not exist yet.
fn spool_folder(log: &Path) -> PathBuf {
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if folder.is_dir() { folder.to_owned() } else { std::env::temp_dir() }
}

fn report_progress(bar: &ProgressBar, position: u64, interrupt: &Interrupt) -> ControlFlow<()> {
    bar.set_position(position);
    interrupt.asked()
}

fn events_bar(events: u64, is_needed: bool, what: &'static str) -> ProgressBar {
    match is_needed {
        true => progress::over_events(events, what),
        false => ProgressBar::hidden(),
    }
}

/// A progress bar over the bytes of files. The length of a pipe is unknown.
fn bytes_bar(files: &[PathBuf]) -> ProgressBar {
    let length = |file: &PathBuf| std::fs::metadata(file).map_or(0, |file| file.len());
    progress::over_bytes(files.iter().map(length).sum(), "read")
}
