//! What a verification needs of events besides their digests: how many were imported, and what was erased.

use serde::Deserialize;

use crate::domain::{Position, RecordedEvent, Source};

/// Collected from events in the order of their positions.
#[derive(Debug, Default)]
pub struct Noted {
    /// The number of imported events.
    pub imported: u64,
    /// The events that take part in an erasure.
    pub erasing: Vec<Erasing>,
}

/// How an event takes part in an erasure.
#[derive(Debug)]
pub enum Erasing {
    /// It has lost its content.
    Erased {
        /// The event.
        position: Position,
        /// The erasure, a later event.
        erased_by: Position,
    },
    /// It is an erasure.
    Erasure {
        /// The event.
        position: Position,
        /// The first and last positions of the events that it names; none if its body cannot be read.
        named: Vec<(Position, Position)>,
    },
}

/// The body of an erasure, as far as it is read here.
#[derive(Deserialize)]
struct Body {
    erased: Vec<(Position, Position)>,
}

impl Noted {
    /// Adds the next event.
    pub fn note(&mut self, event: &RecordedEvent) {
        let position = event.position;
        self.imported += u64::from(event.is_imported());
        let erased_by = event.erased.map(|erased| erased.erased_by);
        self.erasing.extend(erased_by.map(|erased_by| Erasing::Erased { position, erased_by }));
        if event.source == Source::Erasure {
            let body = serde_json::from_slice(&event.body);
            let named = body.map_or(Vec::new(), |Body { erased }| erased);
            self.erasing.push(Erasing::Erasure { position, named });
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.imported = 0;
        self.erasing.clear();
    }
}
