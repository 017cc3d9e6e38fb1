//! Threads whose work can wait while callbacks are to be stored.

use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use rustix::thread::gettid;

use crate::domain::Position;
use crate::store::{Store, StoreError};

/// For what takes all the cores it gets, and is waited for: some tenth of a busy core.
pub const NICE: i32 = 10;

/// For what nobody waits for: as nice as can be.
pub const NICEST: i32 = 19;

/// Lets this thread stand behind others, where the system allows it.
pub fn lower_priority(niceness: i32) {
    let _as_nice = setpriority_process(Some(gettid()), niceness);
}

/// How long it rests at most for each moment that it worked, while callbacks come as fast as they can.
const RESTS_MAX: u32 = 3;

/// How long it rests for each callback that came meanwhile, which took a third of that.
const REST_A_CALLBACK: Duration = Duration::from_micros(100);

/// Work in pieces that gives way to callbacks in between. Niceness is not enough: cores that are two
/// threads of one slow each other down however nice one of them is.
pub struct Throttle {
    head: Position,
    since: Instant,
}

impl Throttle {
    /// From here on.
    pub fn begin(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self { head: store.head()?, since: Instant::now() })
    }

    /// Between two pieces: rests the longer the more has come since the last time; not at all where
    /// nothing has.
    pub fn pause(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let come = store.head()?.saturating_sub(self.head);
        let for_them = REST_A_CALLBACK.saturating_mul(come.try_into().unwrap_or(u32::MAX));
        std::thread::sleep(for_them.min(self.since.elapsed() * RESTS_MAX));
        *self = Self::begin(store)?;
        Ok(())
    }
}
