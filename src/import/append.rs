//! The last step of an import: appends the staged rows in input order, in batches.
//! If it is interrupted, importing the same input again appends the rest.

use std::ops::ControlFlow;

use super::exported_event::parse_event;
use super::message_record::{self, Origin, Outbound};
use super::spool::{RowKind, SpooledRow};
use super::stage::{StagedImport, spooling};
use super::{Counts, ImportError, ImportFormat, ProgressFn};
use crate::domain::NewEvent;
use crate::projection::erased::erased_by;
use crate::projection::known_facts::{KnownFacts, Novelty};
use crate::projection::read;
use crate::store::{Store, StoreError};

/// The maximum number of events in one batch: a running server's callbacks wait while it is appended.
const BATCH_EVENTS: usize = 500;

/// The maximum number of bytes of bodies in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// A function that appends events, all or none.
pub type Append<'a> = &'a mut dyn FnMut(&[NewEvent]) -> Result<(), StoreError>;

impl StagedImport {
    /// Appends the new rows: events that the log does not have, and records that add a fact to the views
    /// or to the rows appended before. `tell` is called with the number of processed rows.
    pub fn append(
        &mut self,
        store: Option<&dyn Store>,
        append: Append<'_>,
        progress: ProgressFn<'_>,
    ) -> (Counts, Result<(), ImportError>) {
        let outcome = self.append_all(store, append, progress);
        (self.counts, outcome)
    }

    fn append_all(
        &mut self,
        store: Option<&dyn Store>,
        append: Append<'_>,
        progress: ProgressFn<'_>,
    ) -> Result<(), ImportError> {
        let has_records = self.has_records();
        let Self { spool, files, options, ids, counts, .. } = self;
        let mut facts = KnownFacts::default();
        let mut batch = Vec::new();
        let mut bytes = 0;
        let rows = spool.rows().map_err(|source| spooling(options, source))?;
        for (row, through) in rows.zip(1..) {
            let SpooledRow { kind, file, line, repaired, bytes: row } =
                row.map_err(|source| spooling(options, source))?;
            let file = &files[file as usize];
            let new = if kind == RowKind::Event {
                let event = parse_event(&row, file.ledger.as_deref()).expect("it was read before");
                let is_new = ids.remove(&event.event_id).is_some() && !is_of_erased(store, &event)?;
                if is_new && has_records {
                    facts.insert(&event);
                }
                is_new.then_some(event)
            } else {
                let text_removed = kind == RowKind::RecordWithoutText;
                let outbound = Outbound { body: row, text_removed, repaired };
                let format = file.format.unwrap_or(ImportFormat::Rest);
                let origin = Origin { format, file: &file.name, line };
                let event = message_record::event(outbound, origin, options.now);
                let novelty = facts.insert_if_new(store, &event)?;
                (novelty == Novelty::New).then_some(event)
            };
            match new {
                Some(event) => {
                    bytes += event.body.len();
                    batch.push(event);
                }
                None => counts.known += 1,
            }
            if batch.len() >= BATCH_EVENTS || bytes >= BATCH_BYTES {
                counts.appended += append_batch(&mut batch, append)?;
                bytes = 0;
                if let ControlFlow::Break(()) = progress(through) {
                    return Err(ImportError::Stopped);
                }
            }
        }
        counts.appended += append_batch(&mut batch, append)?;
        Ok(())
    }
}

fn append_batch(batch: &mut Vec<NewEvent>, append: Append<'_>) -> Result<u64, StoreError> {
    if !batch.is_empty() {
        append(batch)?;
    }
    let count = batch.len() as u64;
    batch.clear();
    Ok(count)
}

/// Whether the message of an event was erased, so that it is not taken in again.
fn is_of_erased(store: Option<&dyn Store>, event: &NewEvent) -> Result<bool, StoreError> {
    let Some((store, key)) = store.zip(read(event).message_key()) else { return Ok(false) };
    Ok(erased_by(store, &[&key])?[0].is_some())
}
