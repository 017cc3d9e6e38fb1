//! Far behind the head batches are prepared ahead, on several cores, while earlier ones are written.

use std::collections::VecDeque;
use std::iter::StepBy;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, available_parallelism};

use super::prepare::{BATCH_EVENTS_MAX, BatchBuffers, PreparedBatch};
use crate::domain::{Position, Rule};
use crate::projection::throttle;
use crate::store::Store;

/// How many threads prepare batches. Preparing takes twice as long as writing, so more would wait
/// for the one that writes; and each holds a reader, of which others need some too.
const THREADS_MAX: usize = 4;

/// How many batches are asked for beyond one for each thread: enough to go on while the one that
/// writes waits for the disk.
const READY_MAX: usize = 2;

/// Batches that are prepared on several cores, each thread taking the next as soon as it has one
/// ready, so that none waits for another.
pub struct Prefetcher {
    /// Where the batches begin that have not been asked for.
    starts: StepBy<Range<Position>>,
    wanted: SyncSender<Wanted>,
    /// Those that were asked for, in order.
    asked_for: VecDeque<Receiver<PreparedBatch>>,
}

/// A batch that somebody is to prepare.
struct Wanted {
    after: Position,
    memory: BatchBuffers,
    ready: SyncSender<PreparedBatch>,
}

impl Prefetcher {
    /// Begins with the batch after a position. The threads end when this is dropped.
    pub fn begin<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        store: &'env dyn Store,
        rule: Rule,
        after: Position,
        up_to: Position,
    ) -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (wanted, batches) = sync_channel::<Wanted>(threads + READY_MAX);
        let batches = Arc::new(Mutex::new(batches));
        for _ in 0..threads {
            let batches = Arc::clone(&batches);
            scope.spawn(move || {
                throttle::lower_priority(throttle::NICE);
                let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(Wanted { after, memory, ready }) = next() {
                    let up_to = up_to.min(after + BATCH_EVENTS_MAX);
                    if ready.send(PreparedBatch::read(memory, store, rule, after, up_to)).is_err() {
                        return;
                    }
                }
            });
        }
        let starts = (after..up_to).step_by(BATCH_EVENTS_MAX as usize);
        let mut ahead = Self { starts, wanted, asked_for: VecDeque::new() };
        (0..threads + READY_MAX).for_each(|_| ahead.go_on(BatchBuffers::default()));
        ahead
    }

    /// The next batch in order; nothing behind the last.
    pub fn next(&mut self) -> Option<PreparedBatch> {
        self.asked_for.pop_front()?.recv().ok()
    }

    /// Has one batch more prepared, if there is one, into empty memory.
    pub fn go_on(&mut self, memory: BatchBuffers) {
        let Some(after) = self.starts.next() else { return };
        let (ready, prepared) = sync_channel(1);
        if self.wanted.send(Wanted { after, memory, ready }).is_ok() {
            self.asked_for.push_back(prepared);
        }
    }
}
