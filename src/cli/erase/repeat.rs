//! Repeats erasures on a restored backup, which may be older than they are.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use crate::cli::common::flags::time_zone::now;
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::ledger;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::erase::{Consent, ErasureRecord, Ledger, Request, Which, erase};
use crate::projection::erased::ErasureState;
use crate::store::{self, Access, Store};
use crate::telemetry::eprint_line;

/// The reference of the erasures that are made here.
const REFERENCE: &str = "restore --erasures";

/// What to do after a failure: no other erasure has the list of events.
const NOT_ERASED: &str =
    "the ledger is restored, but not everything is erased again; remove it, and restore it again";

/// Reads a record.
pub fn read(file: &Path) -> Result<ErasureRecord> {
    let failed = || format!("cannot read the erasures of {}", file.display());
    let json = std::fs::read(file).with_context(failed)?;
    serde_json::from_slice(&json).with_context(failed)
}

/// Fails if a record is of another ledger.
pub fn check(record: &ErasureRecord, source: &dyn Store) -> Result<()> {
    let id = source.ledger_id().to_string();
    match record.ledger_id == id {
        true => Ok(()),
        false => bail!(
            "the erasures are of ledger {}, and the backup is of {id}; nothing was restored",
            record.ledger_id
        ),
    }
}

/// The ids of the events that the records name.
pub fn events(records: &[ErasureRecord]) -> Result<HashSet<Uuid>> {
    let erasures = records.iter().flat_map(|record| &record.erasures);
    let ids = erasures.flat_map(|erasure| &erasure.events).map(|id| {
        Uuid::parse_str(id).with_context(|| format!("`{id}` in the erasures is no event_id"))
    });
    ids.collect()
}

/// Marks the restored ledger as one that has an unfinished erasure, until [`run`] has finished it.
pub fn begin(settings: &Settings) -> Result<()> {
    let log = store::open(&settings.database()?, Access::Read)?;
    let state = ErasureState::read(&*log)?;
    ErasureState { unfinished: true, ..state }.write(&*log).context(NOT_ERASED)
}

/// Erases these events, if the restored ledger has them.
pub fn run(events: HashSet<Uuid>, interrupt: &Interrupt, settings: &Settings) -> Result<()> {
    let which = Which::Events(events);
    let database = settings.database()?;
    let log = ledger::to_append(settings)?;
    let views = ledger::to_replay(settings, Access::Write)?;
    let rule = ledger::rule(settings, &*views)?;
    let parts = Ledger { database: &database, log: &*log, views: &*views, rule };
    let consent = Consent { open: true, sender: true };
    let request = Request { which: &which, reference: REFERENCE, consent, now: &now };
    let erased = erase(&parts, &request, &mut |_| interrupt.asked()).context(NOT_ERASED)?;
    let events: usize = erased.erasures.iter().map(|erasure| erasure.events.len()).sum();
    eprint_line(format_args!("erased again: {} events", number(events as u64)));
    Ok(())
}
