//! Prepares batches on several cores while earlier ones are written, if the views are far behind the
//! head.

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

/// The number of threads that prepare batches. Preparing takes twice as long as writing, so more would
/// wait for the one that writes; and each holds a reader, which others need too.
const THREADS_MAX: usize = 4;

/// The number of batches requested beyond one for each thread: enough to continue while the one that
/// writes waits for the disk.
const READY_MAX: usize = 2;

/// Batches in order. Each thread takes the next one as soon as it has finished one, so that none waits
/// for another.
pub struct Prefetcher {
    /// The positions at which the batches begin that have not been requested.
    starts: StepBy<Range<Position>>,
    requests: SyncSender<Request>,
    /// The requested batches, in order.
    requested: VecDeque<Receiver<PreparedBatch>>,
}

/// A batch to prepare.
struct Request {
    after: Position,
    buffers: BatchBuffers,
    ready: SyncSender<PreparedBatch>,
}

impl Prefetcher {
    /// Begins with the batch after a position. Without a rule, events are only hashed. The threads end when this
    /// is dropped.
    pub fn begin<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        store: &'env dyn Store,
        rule: Option<Rule>,
        after: Position,
        up_to: Position,
    ) -> Self {
        let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
        let (requests, batches) = sync_channel::<Request>(threads + READY_MAX);
        let batches = Arc::new(Mutex::new(batches));
        for _ in 0..threads {
            let batches = Arc::clone(&batches);
            scope.spawn(move || {
                throttle::lower_priority(throttle::NICE);
                let next = || batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(Request { after, buffers, ready }) = next() {
                    let up_to = up_to.min(after + BATCH_EVENTS_MAX);
                    if ready.send(PreparedBatch::read(buffers, store, rule, after, up_to)).is_err()
                    {
                        return;
                    }
                }
            });
        }
        let starts = (after..up_to).step_by(BATCH_EVENTS_MAX as usize);
        let mut prefetcher = Self { starts, requests, requested: VecDeque::new() };
        (0..threads + READY_MAX).for_each(|_| prefetcher.request(BatchBuffers::default()));
        prefetcher
    }

    /// The next batch in order; `None` after the last.
    pub fn next(&mut self) -> Option<PreparedBatch> {
        self.requested.pop_front()?.recv().ok()
    }

    /// Requests one more batch, if there is one, in empty buffers.
    pub fn request(&mut self, buffers: BatchBuffers) {
        let Some(after) = self.starts.next() else { return };
        let (ready, prepared) = sync_channel(1);
        if self.requests.send(Request { after, buffers, ready }).is_ok() {
            self.requested.push_back(prepared);
        }
    }
}
