//! Throttles background work so that it does not slow down ingest.

use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};

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

/// Maximum rest of one thread, as a multiple of the time worked.
const RESTS_MAX: u32 = 3;

/// The same for a thread that mostly waits for others, which work for it meanwhile, also on this machine.
const CPU_RESTS_MAX: u32 = 16;

/// Rest per callback that arrived meanwhile: three times what it took to store.
const REST_A_CALLBACK: Duration = Duration::from_micros(100);

/// Pauses between pieces of work while callbacks arrive. Niceness is not enough: two hyper-threads of one core
/// slow each other down however nice one of them is.
pub struct Throttle {
    head: Position,
    since: Instant,
    /// Maximum rest, as a multiple of the time worked.
    rests_max: u32,
}

impl Throttle {
    /// Starts measuring.
    pub fn begin(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self::of_threads(1, store.head()?))
    }

    /// Starts measuring one of several threads, at a head. Each rests so much longer that together they work
    /// about as much as one.
    pub fn of_threads(threads: usize, head: Position) -> Self {
        let rests_max = RESTS_MAX.saturating_mul(threads as u32);
        Self { head, since: Instant::now(), rests_max }
    }

    /// Sleeps in proportion to the callbacks that arrived since the last call; not at all if there were none.
    pub fn pause(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let come = store.head()?.saturating_sub(self.head);
        let for_them = REST_A_CALLBACK.saturating_mul(come.try_into().unwrap_or(u32::MAX));
        std::thread::sleep(for_them.min(self.since.elapsed() * self.rests_max));
        *self = Self { head: store.head()?, since: Instant::now(), ..*self };
        Ok(())
    }
}

/// The same for a thread that mostly waits for others: its pauses are by the processor time that it has used.
pub struct CpuThrottle {
    head: Position,
    used: Duration,
}

impl CpuThrottle {
    /// Starts measuring this thread, at a head.
    pub fn begin(head: Position) -> Self {
        Self { head, used: thread_time() }
    }

    /// How long to pause, in proportion to the callbacks that arrived since the last call; zero if there were
    /// none.
    pub fn rest(&mut self, head: Position) -> Duration {
        let (come, used) = (head.saturating_sub(self.head), thread_time());
        let worked = used.saturating_sub(self.used);
        *self = Self { head, used };
        let for_them = REST_A_CALLBACK.saturating_mul(come.try_into().unwrap_or(u32::MAX));
        for_them.min(worked * CPU_RESTS_MAX)
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
