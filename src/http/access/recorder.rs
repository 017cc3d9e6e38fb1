//! Pending access records, and the limit of those of rejected tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use time::OffsetDateTime;

use super::returned::Returned;
use crate::access_log::{AccessLog, AccessRecord};
use crate::domain::Timestamp;
use crate::rate_limit::{Quota, RateLimit};

/// The records of rejected tokens: every attempt is recorded until attempts themselves are limited, and
/// after that 25 a second, enough to show that they continue.
const REJECTED: Quota = Quota::per_second(25).with_burst(400);

/// The access log, and the limit of records of rejected tokens.
pub struct AccessRecorder {
    log: AccessLog,
    rejected: RateLimit,
    unrecorded: AtomicU64,
}

const NOT_MODIFIED: u16 = 304;

/// A request that has begun.
pub struct Begun {
    pub at: Timestamp,
    pub returned: Returned,
    instant: Instant,
}

/// A record that is written when it is dropped, with what was returned until then.
pub struct Pending {
    log: AccessLog,
    begun: Begun,
    record: Option<AccessRecord>,
}

impl AccessRecorder {
    /// A recorder that writes to this log.
    pub fn new(log: AccessLog) -> Self {
        Self { log, rejected: RateLimit::new(REJECTED), unrecorded: AtomicU64::new(0) }
    }

    /// The record of a request, to be written when it is dropped.
    pub fn pending(&self, begun: Begun, record: AccessRecord) -> Pending {
        Pending { log: self.log.clone(), begun, record: Some(record) }
    }

    /// The number of rejected requests since the last record that have none; `None` if this one gets none
    /// either.
    pub fn rejected(&self) -> Option<u64> {
        match self.rejected.try_acquire() {
            Ok(()) => Some(self.unrecorded.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.unrecorded.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Begun {
    /// A request that begins now.
    pub fn now() -> Self {
        let at = Timestamp::from(OffsetDateTime::now_utc());
        Self { at, returned: Returned::default(), instant: Instant::now() }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(mut record) = self.record.take() else { return };
        // A response to HEAD, and one that says that nothing has changed, has no body.
        let has_body = record.method != "HEAD" && record.status_code != NOT_MODIFIED;
        record.rows = if has_body { self.begun.returned.rows() } else { 0 };
        let passed = self.begun.instant.elapsed().as_millis();
        record.duration_ms = u64::try_from(passed).unwrap_or(u64::MAX);
        self.log.record(record);
    }
}
