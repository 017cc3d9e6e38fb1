//! The encoding of a status as one byte.

use crate::domain::Status;

/// A status as its number among all of them, from 1; 0 is none. If their order changes, the views'
/// migration has to change too, so that views written before are rebuilt.
pub fn status_byte(status: Option<Status>) -> u8 {
    status.map_or(0, |status| 1 + status as u8)
}

/// The status of a byte; `None` if it is no status's.
pub fn status_of(byte: u8) -> Option<Option<Status>> {
    match byte.checked_sub(1) {
        None => Some(None),
        Some(place) => Status::ALL.get(usize::from(place)).copied().map(Some),
    }
}
