//! The background thread that writes rejected requests to the quarantine. Handlers never wait for the
//! write: requests that exceed its limits are counted and dropped, so that a flood does not slow genuine
//! callbacks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::candidate::{Candidate, Cause};
use super::metrics::{Dropped, QuarantineMetrics};
use super::queue::Queue;
use super::recognise::Recogniser;
use crate::background::Background;
use crate::rate_limit::{Quota, RateLimit};
use crate::store::quarantine::{Limits, Quarantine, QuarantinedRequest, Rank};
use crate::store::{self, Database, StoreError};
use crate::twilio::diagnosis::Diagnosis;

/// The rate limit, in KiB a second, for requests of the lowest rank, and for those that are possibly an
/// account's own. A typical callback is one KiB; few senders have more than a thousand a second, and a
/// disk writes this easily.
const KIB_PER_SECOND: u32 = 1024;

/// The rate limit for recognised requests: these are the accounts' own, and a few repetitions of each, so it
/// is as high as the log's own rate at a busy sender.
const RECOGNISED_KIB_PER_SECOND: u32 = 8192;

/// The burst limit for the lowest rank, in KiB: the largest request, with its headers, is a little over
/// 1 MiB.
const OTHERS_BURST_KIB: u32 = 2048;

/// The burst limit for requests that are possibly an account's own, in quarters of the whole space. A
/// flood that fits is stored completely, with the genuine callbacks in it; the last quarter remains for
/// the requests that were stored before.
const POSSIBLE_BURST_QUARTERS: u64 = 3;

/// The maximum number of requests and of bytes in one transaction, so that the number of requests removed
/// to make room for them, and the size of the WAL, stay bounded.
const COMMIT_REQUESTS_MAX: usize = 512;
const COMMIT_BYTES_MAX: usize = 1 << 20;

/// The number of requests a second that get a full search for the cause when they arrive, which takes up
/// to a few milliseconds each. For the others the search runs when they are displayed.
const EXPLAINED_PER_SECOND: u32 = 10;

/// The disk space that is left free for the log.
const DISK_FREE_BYTES_MIN: u64 = 64 << 20;

/// The interval at which an idle thread updates the gauges, because other processes may delete requests.
const IDLE: Duration = Duration::from_secs(5);

/// A handle to the thread. When the last one is dropped, the thread writes the queued requests and ends.
#[derive(Clone)]
pub struct Recorder {
    shared: Arc<Shared>,
    /// Wakes the thread.
    wake: SyncSender<()>,
    metrics: QuarantineMetrics,
}

/// The state that the handles and the thread share.
struct Shared {
    queue: Queue,
    recogniser: Recogniser,
    /// The rate limits by rank.
    rates: [RateLimit; Rank::ALL.len()],
}

/// The rate limits by rank, for a quarantine of this size.
fn rates(limits: &Limits) -> [RateLimit; Rank::ALL.len()] {
    let burst = limits.bytes / 1024 / 4 * POSSIBLE_BURST_QUARTERS;
    let possible = u32::try_from(burst).unwrap_or(u32::MAX).max(OTHERS_BURST_KIB);
    [
        Quota::per_second(KIB_PER_SECOND).with_burst(OTHERS_BURST_KIB),
        Quota::per_second(KIB_PER_SECOND).with_burst(possible),
        Quota::per_second(RECOGNISED_KIB_PER_SECOND),
    ]
    .map(RateLimit::new)
}

impl Recorder {
    /// Starts the thread. The file is created when the first request is stored.
    pub fn start(database: Database, limits: Limits) -> (Self, Background) {
        let (wake, woken) = sync_channel(1);
        let metrics = QuarantineMetrics::default();
        let (queue, recogniser) = Default::default();
        let shared = Arc::new(Shared { queue, recogniser, rates: rates(&limits) });
        let recorder = Self { shared: Arc::clone(&shared), wake, metrics: metrics.clone() };
        let explained = RateLimit::new(Quota::per_second(EXPLAINED_PER_SECOND));
        let thread =
            Thread { database, limits, shared, explained, metrics, open: None, in_trouble: false };
        let thread =
            Background::spawn("quarantine", move |_ends_with_its_handles| thread.run(&woken));
        (recorder, thread)
    }

    /// Queues a request to be stored, or drops and counts it if a limit is exceeded. Never blocks.
    /// Returns the cause if the request is recognised immediately.
    pub fn try_record(&self, mut candidate: Candidate) -> Option<String> {
        let (rank, cause) = self.shared.recogniser.rank(&candidate);
        let request = Arc::make_mut(&mut candidate.request);
        request.rank = rank;
        request.cause.clone_from(&cause);
        let kib = u32::try_from(candidate.bytes() / 1024).unwrap_or(u32::MAX).saturating_add(1);
        if self.shared.rates[rank as usize].try_acquire_many(kib).is_err() {
            self.metrics.dropped(Dropped::from_rank(rank), 1);
        } else if !self.shared.queue.push(candidate) {
            self.metrics.dropped(Dropped::Full, 1);
        } else {
            // If a wake-up is already pending, the thread will find this request too.
            let _woken_already = self.wake.try_send(());
        }
        cause
    }

    /// The metrics of the quarantine.
    pub fn metrics(&self) -> &QuarantineMetrics {
        &self.metrics
    }
}

struct Thread {
    database: Database,
    limits: Limits,
    shared: Arc<Shared>,
    explained: RateLimit,
    metrics: QuarantineMetrics,
    open: Option<Box<dyn Quarantine>>,
    /// True if the last write failed, which is logged once.
    in_trouble: bool,
}

impl Thread {
    fn run(mut self, woken: &Receiver<()>) {
        self.set_current();
        loop {
            let waited = woken.recv_timeout(IDLE);
            loop {
                let batch = self.shared.queue.take(COMMIT_REQUESTS_MAX, COMMIT_BYTES_MAX);
                if batch.is_empty() {
                    break;
                }
                self.write(batch);
            }
            match waited {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => self.set_current(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, batch: Vec<Candidate>) {
        let requests: Vec<_> =
            batch.into_iter().map(|candidate| self.explained(candidate)).collect();
        match self.store(&requests) {
            Ok(true) => self.in_trouble = false,
            Ok(false) => self.metrics.dropped(Dropped::Disk, requests.len()),
            Err(error) => {
                self.metrics.dropped(Dropped::Failed, requests.len());
                self.open = None;
                if !std::mem::replace(&mut self.in_trouble, true) {
                    tracing::warn!("rejected requests cannot be stored: {error}");
                }
            }
        }
    }

    /// Writes requests to the file. Returns false if the disk is nearly full.
    fn store(&mut self, requests: &[QuarantinedRequest]) -> Result<bool, StoreError> {
        // If the file was deleted, create a new one instead of writing to the deleted inode.
        let open = match self.open.take().filter(|open| open.check_files_unmoved().is_ok()) {
            Some(open) => open,
            None => store::create_quarantine(&self.database)?,
        };
        let open = self.open.insert(open);
        if open.disk_free()?.is_some_and(|free| free < DISK_FREE_BYTES_MIN) {
            return Ok(false);
        }
        let now = open.keep(requests, &self.limits)?;
        self.metrics.kept(requests.len(), now);
        Ok(true)
    }

    /// The request with its likely cause, if that is known or the rate allows a search for it.
    fn explained(&self, candidate: Candidate) -> QuarantinedRequest {
        let cause = match candidate.request.cause {
            None if self.explained.try_acquire().is_ok() => candidate.find_cause(),
            _ => return Arc::unwrap_or_clone(candidate.request),
        };
        let rank = match &cause {
            Some(Cause::ValidSignature) => self.shared.recogniser.rank_found(&candidate),
            Some(Cause::Diagnosis(Diagnosis::Fits(fitting))) => {
                self.shared.recogniser.remember(fitting);
                self.shared.recogniser.rank_found(&candidate)
            }
            Some(Cause::Diagnosis(_)) | None => candidate.request.rank,
        };
        let cause = cause.map(|cause| cause.to_string());
        QuarantinedRequest { cause, rank, ..Arc::unwrap_or_clone(candidate.request) }
    }

    /// Updates the gauges from the file, which other processes may change.
    fn set_current(&mut self) {
        let now = match &self.open {
            Some(open) if open.check_files_unmoved().is_ok() => open.size().ok(),
            _ => store::read_quarantine(&self.database)
                .ok()
                .map(|open| open.and_then(|open| open.size().ok()).unwrap_or_default()),
        };
        now.inspect(|now| self.metrics.set_current(*now));
    }
}
