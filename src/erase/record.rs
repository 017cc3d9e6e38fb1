//! The record of erasures that is stored with backups, so that a restored one can repeat them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::commit::Erasure;
use crate::domain::Position;
use crate::store::{Store, StoreError};

/// How many positions are read at a time.
const PAGE: usize = 4096;

/// Which events were erased, by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureRecord {
    /// The ledger.
    pub ledger_id: String,
    /// Its erasures, in the order of their positions.
    pub erasures: Vec<RecordedErasure>,
}

/// One erasure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedErasure {
    /// Its position in the ledger that the record was made of.
    pub position: Position,
    /// The ids of the events that it erased.
    pub events: Vec<String>,
}

impl From<&Erasure> for RecordedErasure {
    fn from(erasure: &Erasure) -> Self {
        let events = erasure.events.iter().map(ToString::to_string).collect();
        Self { position: erasure.position, events }
    }
}

/// The record of everything that was ever erased from a log.
pub fn record_of(store: &dyn Store) -> Result<ErasureRecord, StoreError> {
    let mut erasures = BTreeMap::<Position, Vec<String>>::new();
    let mut after = 0;
    loop {
        let page = store.erasing().erased_after(after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let positions: Vec<_> = page.iter().map(|(position, _)| *position).collect();
        let events = store.read_at(&positions)?;
        for (event, (_, erased_by)) in events.iter().zip(&page) {
            erasures.entry(*erased_by).or_default().push(event.event_id.to_string());
        }
    }
    let erasures = erasures.into_iter();
    let erasures = erasures.map(|(position, events)| RecordedErasure { position, events });
    Ok(ErasureRecord { ledger_id: store.ledger_id().to_string(), erasures: erasures.collect() })
}
