//! Salts of new events.

use crate::domain::event::Salt;

/// A new salt, from a cryptographic generator of this thread: the system's random source seeds it, again and
/// again ([`rand::rngs::ThreadRng`]), because a system call for every event takes longer. It never comes from an
/// id or a clock: with a guessed salt, guesses of an erased event's content could be tested.
///
/// # Panics
///
/// If the system has no random bytes, which it has from its start on.
pub fn new_salt() -> Salt {
    let mut bytes = [0; Salt::BYTES];
    rand::fill(&mut bytes);
    Salt::from_bytes(bytes)
}
