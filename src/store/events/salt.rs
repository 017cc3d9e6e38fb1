//! Salts of new events, from the system's random source.

use crate::domain::event::Salt;

/// A new salt. It never comes from a seed, an id or a clock, because with a guessed salt, guesses of
/// an erased event's content could be tested.
///
/// # Panics
///
/// If the system has no random bytes, which it has from its start on.
pub fn new_salt() -> Salt {
    let mut bytes = [0; Salt::BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    Salt::from_bytes(bytes)
}
