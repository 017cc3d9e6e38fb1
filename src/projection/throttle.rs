//! Throttles background work so that it does not slow down ingest.

use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use crate::domain::Position;
use crate::store::{Store, StoreError};

/// Niceness of work that uses all cores and that someone waits for: a tenth of a busy core.
pub const NICE: i32 = 10;

/// Niceness of work that no one waits for.
pub const NICEST: i32 = 19;

/// Lowers the priority of this thread, if the system allows it.
pub fn lower_priority(niceness: i32) {
    let _as_nice = setpriority_process(Some(gettid()), niceness);
}

/// Maximum rest, as a multiple of the time worked.
const RESTS_MAX: u32 = 3;

/// Rest per callback that arrived meanwhile: three times what it took to store.
const REST_A_CALLBACK: Duration = Duration::from_micros(100);

/// Pauses between pieces of work while callbacks arrive. Niceness is not enough: two hyper-threads of one core
/// slow each other down however nice one of them is.
pub struct Throttle {
    head: Position,
    since: Instant,
}

impl Throttle {
    /// Starts measuring.
    pub fn begin(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self { head: store.head()?, since: Instant::now() })
    }

    /// Sleeps in proportion to the callbacks that arrived since the last call; not at all if there were none.
    pub fn pause(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let come = store.head()?.saturating_sub(self.head);
        let for_them = REST_A_CALLBACK.saturating_mul(come.try_into().unwrap_or(u32::MAX));
        std::thread::sleep(for_them.min(self.since.elapsed() * RESTS_MAX));
        *self = Self::begin(store)?;
        Ok(())
    }
}
