//! The range of times that a callback or a record of Twilio's can have.

use crate::domain::Timestamp;

/// Twilio began in 2008: 2008-01-01T00:00:00Z in microseconds.
const EARLIEST_MICROS: i64 = 1_199_145_600_000_000;

/// How far another machine's clock may be ahead of ours: a day, as a wrong time zone can be.
const AHEAD_MICROS_MAX: i64 = 24 * 3600 * 1_000_000;

/// Returns why nothing can have happened at this time.
pub fn check(at: Timestamp, now: Timestamp) -> Result<(), &'static str> {
    match at.micros() {
        micros if micros < EARLIEST_MICROS => Err("Twilio sent nothing before 2008"),
        micros if micros > now.micros().saturating_add(AHEAD_MICROS_MAX) => {
            Err("it is more than a day in the future")
        }
        _ => Ok(()),
    }
}
