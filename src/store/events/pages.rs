//! Pages of the log: the one way to read many events, a bounded number at a time.
//!
//! No read stays open between two pages, so a long reader does not make the write-ahead log grow and may
//! pause, report progress or stop there.

use std::ops::{Bound, ControlFlow, RangeBounds};

use crate::domain::{Position, RecordedEvent};
use crate::store::{Store, StoreError};

/// Maximum events per page while they are lent: some milliseconds, during which the WAL cannot shrink.
const LENT_EVENTS_MAX: u64 = 4096;

/// Maximum events per page that is kept in memory.
const OWNED_EVENTS_MAX: u64 = 1024;

/// The pages of a range of positions, in order. As an iterator it yields owned pages, none of them empty,
/// for readers that take their time over each event.
pub struct EventPages<'s> {
    store: &'s dyn Store,
    /// The last position read.
    at: Position,
    last: Position,
    lent_max: u64,
}

impl<'s> EventPages<'s> {
    /// The pages of a range. A range without an end goes on to wherever the log ends then.
    pub fn new(store: &'s dyn Store, range: impl RangeBounds<Position>) -> Self {
        let at = match range.start_bound() {
            Bound::Included(first) => first.saturating_sub(1),
            Bound::Excluded(after) => *after,
            Bound::Unbounded => 0,
        };
        let last = match range.end_bound() {
            Bound::Included(last) => *last,
            Bound::Excluded(end) => end.saturating_sub(1),
            Bound::Unbounded => Position::MAX,
        };
        Self { store, at, last, lent_max: LENT_EVENTS_MAX }
    }

    /// The same range with fewer events per lent page.
    pub fn lending_at_most(mut self, events: u64) -> Self {
        self.lent_max = events;
        self
    }

    /// Lends the events of the next page; `each` has to be quick, as in [`Store::scan`]. Breaks if there
    /// are no more events in the range, or `each` breaks.
    pub fn lend_next(
        &mut self,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let mut flow = ControlFlow::Break(());
        let limit = self.left().min(self.lent_max) as usize;
        if limit > 0 {
            self.store.scan(self.at, limit, &mut |event| {
                if event.position <= self.last {
                    self.at = event.position;
                    flow = each(event);
                } else {
                    // Positions before this one are missing.
                    flow = ControlFlow::Break(());
                }
                flow
            })?;
        }
        Ok(flow)
    }

    fn left(&self) -> u64 {
        self.last.saturating_sub(self.at)
    }
}

impl Iterator for EventPages<'_> {
    type Item = Result<Vec<RecordedEvent>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let limit = self.left().min(OWNED_EVENTS_MAX) as usize;
        if limit == 0 {
            return None;
        }
        let mut events = match self.store.read(self.at, limit) {
            Ok(events) => events,
            Err(error) => return Some(Err(error)),
        };
        events.retain(|event| event.position <= self.last);
        self.at = events.last()?.position;
        Some(Ok(events))
    }
}

/// Lends every event of a range of positions, in order, until `each` breaks. Missing positions are left
/// out; a caller that needs each of them compares the positions with those it expects.
pub fn for_each_event(
    store: &dyn Store,
    range: impl RangeBounds<Position>,
    each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut pages = EventPages::new(store, range);
    while pages.lend_next(each)?.is_continue() {}
    Ok(())
}
