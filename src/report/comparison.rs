//! What a report is compared with, as users ask for it.

use super::ReportQuery;
use super::period::Period;
use crate::domain::Timestamp;
use crate::domain::rollup::Hour;

/// A period to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// The period of the same length directly before.
    Previous,
    /// The period from the first time to before the second.
    With(Timestamp, Timestamp),
}

/// Why a report cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum CannotCompare {
    #[error("a report is compared if its own period has a beginning; add since")]
    NoBeginning,
    #[error("the period ends before it begins; write the earlier time first, as in SINCE..UNTIL")]
    Reversed,
}

/// What a comparison is asked for by.
pub const EXPECTED: &str = "`previous`, or SINCE..UNTIL, such as 2026-10-01..2026-11-01";

/// The two ends of `SINCE..UNTIL`, or `None` for `previous`.
///
/// # Errors
///
/// What would be right, for anything else.
pub fn split(text: &str) -> Result<Option<(&str, &str)>, &'static str> {
    match text {
        "previous" => Ok(None),
        text => text.split_once("..").map(Some).ok_or(EXPECTED),
    }
}

impl Comparison {
    /// Has a report compared. A report without an end gets one: the end of the present hour.
    ///
    /// # Errors
    ///
    /// A period has no beginning, or ends before it.
    pub fn apply(self, query: &mut ReportQuery, now: Timestamp) -> Result<(), CannotCompare> {
        let since = query.filter.since.ok_or(CannotCompare::NoBeginning)?;
        let end_of_hour = Hour(Hour::from_timestamp(now).0 + 1).start();
        let until = query.filter.until.unwrap_or(end_of_hour.max(since));
        let other = match self {
            Comparison::Previous => Period { since, until }.previous(&query.zone),
            Comparison::With(since, until) if since <= until => Period { since, until },
            Comparison::With(..) => return Err(CannotCompare::Reversed),
        };
        query.filter.until = Some(until);
        query.compare = Some(other);
        Ok(())
    }
}
