//! The second step of an import: compares staged events with the log.
//! An event that the log has already is skipped; one with the same id but other content is rejected.

use std::collections::HashSet;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use uuid::Uuid;

use super::exported_event::parse_event;
use super::spool::RowKind;
use super::stage::{StagedImport, fingerprint, spooling};
use super::{ImportError, ProgressFn};
use crate::projection::throttle::{self, Throttle};
use crate::store::{EventPages, Store, StoreError};

impl StagedImport {
    /// Reads the log once. `progress` is called with the position reached.
    pub fn compare(
        &mut self,
        store: &dyn Store,
        progress: ProgressFn<'_>,
    ) -> Result<(), ImportError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let others = self.forget_known(store, progress)?;
        match others.is_empty() {
            true => Ok(()),
            false => self.reject_all(others),
        }
    }

    /// Removes the ids that are in the log; returns those whose events have other content there.
    fn forget_known(
        &mut self,
        store: &dyn Store,
        progress: ProgressFn<'_>,
    ) -> Result<HashSet<Uuid, RandomState>, ImportError> {
        let niceness = throttle::NICE;
        throttle::lower_priority(niceness);
        let mut callbacks = Throttle::begin(store)?;
        let (mut after, mut others) = (0, HashSet::default());
        for events in EventPages::new(store, 1..=store.head()?) {
            for recorded in events? {
                after = recorded.position;
                let id = recorded.event_id;
                match self.ids.get(&id) {
                    // It is not taken in again.
                    Some(_) if recorded.erased.is_some() => {
                        self.ids.remove(&id);
                    }
                    Some(wanted) if *wanted == fingerprint(recorded.event) => {
                        self.ids.remove(&id);
                    }
                    Some(_) => {
                        others.insert(id);
                    }
                    None => {}
                }
            }
            if let ControlFlow::Break(()) = progress(after) {
                return Err(StoreError::Cancelled.into());
            }
            callbacks.pause(store)?;
        }
        // The log may have an id twice, of which one event matches.
        others.retain(|id| self.ids.remove(id).is_some());
        Ok(others)
    }

    fn reject_all(&mut self, others: HashSet<Uuid, RandomState>) -> Result<(), ImportError> {
        let mut rejected = Vec::new();
        let rows = self.spool.rows().map_err(|source| spooling(&self.options, source))?;
        for row in rows {
            let row = row.map_err(|source| spooling(&self.options, source))?;
            if row.kind == RowKind::Event
                && let Ok(event) = parse_event(&row.bytes, None)
                && others.contains(&event.event_id)
            {
                rejected.push((row.file, row.line, event.event_id));
            }
        }
        for (file, line, id) in rejected {
            let why = format!("event {id} is in this ledger, with other content");
            self.reject(file as usize, Some(line), why)?;
        }
        Ok(())
    }
}
