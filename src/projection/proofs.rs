//! Proofs from the tree of a ledger: that an event is among the first events, and that fewer events are the beginning
//! of more (RFC 6962, section 2.1).

use std::ops::Range;

use super::ProjectionError;
use super::verify::tree::hash_of;
use crate::domain::Position;
use crate::domain::hash::Hash;
use crate::domain::tree::proof::{consistency_ranges, inclusion_ranges};
use crate::store::Store;

/// The proof that the event at a position is one of the first `size` events, which the views have read.
///
/// # Errors
///
/// [`ProjectionError::Gap`] if the position is not among them.
pub fn inclusion_proof(
    store: &dyn Store,
    position: Position,
    size: Position,
) -> Result<Vec<Hash>, ProjectionError> {
    let ranges = position.checked_sub(1).and_then(|index| inclusion_ranges(index, size));
    hashes(store, ranges.ok_or(ProjectionError::Gap(position))?)
}

/// The proof that the first `from` events are the beginning of the first `to`, which the views have read.
///
/// # Errors
///
/// [`ProjectionError::Gap`] if `from` is more than `to`.
pub fn consistency_proof(
    store: &dyn Store,
    from: Position,
    to: Position,
) -> Result<Vec<Hash>, ProjectionError> {
    hashes(store, consistency_ranges(from, to).ok_or(ProjectionError::Gap(to + 1))?)
}

fn hashes(store: &dyn Store, ranges: Vec<Range<u64>>) -> Result<Vec<Hash>, ProjectionError> {
    ranges.into_iter().map(|range| hash_of(store, range)).collect()
}
