//! Copies the log of one store into another, event by event: between engines, and into a backup.

use std::ops::ControlFlow;

use uuid::Uuid;

use super::{BackupError, VerifiedCopy};
use crate::domain::Position;
use crate::domain::event::Erased;
use crate::projection::catch_up::Progress;
use crate::projection::verify::verify_log;
use crate::store::seals::{SealQuery, SealRecordKind};
use crate::store::{self, Access, Database, Store, StoreError};

/// Maximum events that are appended in one transaction.
const EVENTS_AT_ONCE: usize = 2048;

/// Copies a log into another ledger, and reads both sides: the source must be sound, and the copy must have
/// the same root. The ledger is created if it does not exist, with the id of the source; an interrupted copy
/// continues after its last event. No process may append to the copy meanwhile.
pub fn copy(
    from: &Database,
    to: &Database,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    let source = store::open(from, Access::Read)?;
    let copy = store::open(to, Access::CreateAs(source.ledger_id()))?;
    if copy.ledger_id() != source.ledger_id() {
        return Err(BackupError::OtherLedger { to: to.clone() });
    }
    let head = copy_log(&*source, &*copy, progress)?;
    verify_both((from, &*source), &*copy, head, progress)
}

/// Copies a log up to the head it has now, or to the last erasure of events before that, and returns the last
/// position.
pub fn copy_log(
    from: &dyn Store,
    to: &dyn Store,
    progress: Progress<'_>,
) -> Result<Position, StoreError> {
    let mut head = from.head()?;
    copy_events(from, to, head, progress)?;
    // The remains of erased events can be added only once their erasures are in the copy.
    let mut after = 0;
    while after < head {
        let events = from.read(after, EVENTS_AT_ONCE)?;
        let Some(last) = events.last() else { break };
        let erased: Vec<(Position, Erased)> = events
            .iter()
            .filter(|event| event.position <= head)
            .filter_map(|event| Some((event.position, event.erased?)))
            .collect();
        if let Some(erasure) = erased.iter().map(|(_, erased)| erased.erased_by).max()
            && erasure > head
        {
            head = erasure;
            copy_events(from, to, head, progress)?;
        }
        if !erased.is_empty() {
            to.add_erased(&erased)?;
        }
        after = last.position;
    }
    copy_seals(from, to, head)?;
    Ok(head)
}

/// Copies what seals say about the events up to the head, unless an earlier attempt has done so.
fn copy_seals(from: &dyn Store, to: &dyn Store, head: Position) -> Result<(), StoreError> {
    for kind in SealRecordKind::ALL {
        let query = SealQuery::of_sizes(kind, 0..=head);
        let there: Vec<_> = to.seal_records(&query)?.into_iter().map(|seal| seal.record).collect();
        let records = from.seal_records(&query)?.into_iter().map(|seal| seal.record);
        let missing: Vec<_> = records.filter(|record| !there.contains(record)).collect();
        to.add_seal_records(&missing)?;
    }
    Ok(())
}

fn copy_events(
    from: &dyn Store,
    to: &dyn Store,
    head: Position,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    let mut at = to.head()?;
    let mut last_id = id_at(from, at)?;
    while at < head {
        let mut events = from.read(at, EVENTS_AT_ONCE)?;
        events.retain(|event| event.position <= head);
        let due = events.iter().zip(at + 1..).find(|(event, due)| event.position != *due);
        let missing = due.map(|(_, due)| due).or(events.is_empty().then_some(at + 1));
        if let Some(position) = missing {
            return Err(StoreError::NoSuchEvent { position });
        }
        at = to.append_copies((at, last_id), &events)?;
        last_id = events.last().map(|event| event.event.event_id);
        if progress(at).is_break() {
            return Err(StoreError::Cancelled);
        }
    }
    Ok(())
}

fn id_at(store: &dyn Store, position: Position) -> Result<Option<Uuid>, StoreError> {
    match position {
        0 => Ok(None),
        position => Ok(store.read_at(&[position])?.first().map(|event| event.event.event_id)),
    }
}

/// Reads both logs up to a position: the source must be sound, and the copy must have the same root.
pub fn verify_both(
    (of, source): (&Database, &dyn Store),
    copy: &dyn Store,
    head: Position,
    progress: Progress<'_>,
) -> Result<VerifiedCopy, BackupError> {
    let sound = verify_log(source, head, &mut |_| ControlFlow::Continue(()))?;
    let Some(hash) = sound.hash.filter(|_| sound.findings.is_empty()) else {
        return Err(BackupError::Unsound { of: of.clone(), findings: sound.findings });
    };
    let copied = verify_log(copy, head, progress)?;
    match copied.hash == Some(hash) && copied.findings.is_empty() {
        true => Ok(VerifiedCopy { head, hash }),
        false => Err(BackupError::Differs { findings: copied.findings }),
    }
}
