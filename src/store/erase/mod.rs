//! The storage of erasures: the one change of the log. What remains of an event stays verifiable.

mod values;

pub use self::values::{CleanUp, ERASED_EVENTS_MAX, ErasedEvent, UnusedEnvelopes};
use super::StoreError;
use crate::domain::hash::Hash;
use crate::domain::{NewEvent, Position, Timestamp};

/// Erases content of the log, and answers what was erased.
pub trait Erasing {
    /// Fails if this process has not the right to erase, or cannot remove every trace.
    fn check_may_erase(&self) -> Result<(), StoreError>;

    /// The envelopes that no event uses, apart from events at these positions, which are sorted. It reads the
    /// log in short statements.
    fn unused_envelopes(&self, apart_from: &[Position]) -> Result<UnusedEnvelopes, StoreError>;

    /// Appends an erasure and erases these events in one transaction, at most [`ERASED_EVENTS_MAX`]; empties
    /// the unused envelopes that are unused still. Returns the position of the erasure once everything is on
    /// disk. Errors are those of [`Store::append`](super::Store::append).
    ///
    /// The erasure is what tells other processes that events and envelopes have changed.
    fn erase(
        &self,
        erasure: &NewEvent,
        events: &[ErasedEvent],
        unused: Option<&UnusedEnvelopes>,
    ) -> Result<Position, StoreError>;

    /// Forgets the outcomes that the engine stores of requests with these idempotency keys.
    fn forget_claims(&self, _keys: &[String]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The position of the last erasure of events of each of these messages; `None` if there is none.
    fn erased_by(&self, messages: &[Hash]) -> Result<Vec<Option<Position>>, StoreError>;

    /// Whether any event is erased. It is quick.
    fn has_erased(&self) -> Result<bool, StoreError>;

    /// The number of erased events that were received from one time on and before another.
    fn erased_between(&self, since: Timestamp, until: Timestamp) -> Result<u64, StoreError>;

    /// The number of erased events.
    fn erased_count(&self) -> Result<u64, StoreError>;

    /// The positions of at most `limit` erased events after a position, each with that of its erasure, in order.
    fn erased_after(
        &self,
        position: Position,
        limit: usize,
    ) -> Result<Vec<(Position, Position)>, StoreError>;

    /// Removes what the engine may still have of erased content outside the tables, such as in a write-ahead log.
    /// It waits for nobody.
    fn clean_up(&self) -> Result<CleanUp, StoreError>;
}
