//! The thread that keeps refused requests. Nobody waits for it: what it cannot take at once is counted
//! and forgotten, so that a flood costs honest callbacks nothing.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::cause_of;
use super::measures::{Dropped, Measures};
use crate::store::quarantine::{self, Limits, Quarantine, RefusedRequest};
use crate::store::{Database, StoreError};
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::{BaseUrl, Refusal};

/// How many KiB a second are taken. A usual callback is one of them: more than a thousand a second are
/// not what a wrong URL brings to most, and less than a disk notices.
const KIB_PER_SECOND: NonZeroU32 = NonZeroU32::new(1024).expect("it is not zero");

/// How many requests may wait to be written. With bodies as long as can be they take 16 MiB.
const QUEUE_REQUESTS_MAX: usize = 256;

/// How many requests one transaction takes, so that what has to be removed for them, and with it the
/// WAL, stays bounded.
const COMMIT_REQUESTS_MAX: usize = 64;

/// Of how many a second the cause is looked for as they come, which takes up to some milliseconds
/// each. Of the others it is looked for when somebody asks.
const EXPLAINED_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("it is not zero");

/// What must stay free on the disk: the log needs it more.
const DISK_FREE_BYTES_MIN: u64 = 64 << 20;

/// How often the thread looks what others have removed, while nothing comes.
const IDLE: Duration = Duration::from_secs(5);

/// A request that was refused, and what it was checked against: keys may be exchanged meanwhile.
#[derive(Clone)]
pub struct Refused {
    pub request: Arc<RefusedRequest>,
    pub refusal: Refusal,
    pub accounts: Arc<Accounts>,
    pub public_urls: Arc<[BaseUrl]>,
    pub callback_paths: Arc<[CallbackPath]>,
}

impl Refused {
    /// The likely cause.
    pub fn cause(&self) -> String {
        let Self { request, refusal, accounts, public_urls, callback_paths } = self;
        cause_of(request, *refusal, accounts, public_urls, callback_paths).to_string()
    }
}

/// A handle to the thread. When the last one is dropped, the thread writes what it still has and ends.
#[derive(Clone)]
pub struct Keeper {
    queue: SyncSender<Refused>,
    limiter: Arc<DefaultDirectRateLimiter>,
    measures: Measures,
}

impl Keeper {
    /// Starts the thread. The file is made when the first request is kept.
    pub fn start(database: Database, limits: Limits) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = sync_channel(QUEUE_REQUESTS_MAX);
        let measures = Measures::default();
        let limiter = Arc::new(RateLimiter::direct(Quota::per_second(KIB_PER_SECOND)));
        let keeper = Self { queue, limiter, measures: measures.clone() };
        let explained = RateLimiter::direct(Quota::per_second(EXPLAINED_PER_SECOND));
        let thread =
            Thread { database, limits, explained, measures, open: None, in_trouble: false };
        let thread = std::thread::Builder::new()
            .name("quarantine".into())
            .spawn(move || thread.run(&waiting))
            .expect("the system starts a thread");
        (keeper, thread)
    }

    /// Whether a request of so many bytes may be kept now; where not, that is counted.
    pub fn admits(&self, bytes: usize) -> bool {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(1);
        let kib = NonZeroU32::new(kib).unwrap_or(NonZeroU32::MIN);
        let admits = matches!(self.limiter.check_n(kib), Ok(Ok(())));
        if !admits {
            self.measures.dropped(Dropped::Rate, 1);
        }
        admits
    }

    /// Takes a request that was admitted. It never waits.
    pub fn keep(&self, refused: Refused) {
        if self.queue.try_send(refused).is_err() {
            self.measures.dropped(Dropped::Full, 1);
        }
    }

    /// What it has counted since it began.
    pub fn measures(&self) -> &Measures {
        &self.measures
    }
}

struct Thread {
    database: Database,
    limits: Limits,
    explained: DefaultDirectRateLimiter,
    measures: Measures,
    open: Option<Box<dyn Quarantine>>,
    /// The last write failed, and that was told.
    in_trouble: bool,
}

impl Thread {
    fn run(mut self, waiting: &Receiver<Refused>) {
        self.look();
        loop {
            match waiting.recv_timeout(IDLE) {
                Ok(first) => {
                    let rest = waiting.try_iter().take(COMMIT_REQUESTS_MAX - 1);
                    let batch: Vec<_> = [first].into_iter().chain(rest).collect();
                    self.write(batch);
                }
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn write(&mut self, batch: Vec<Refused>) {
        let requests: Vec<_> = batch.into_iter().map(|refused| self.explained(refused)).collect();
        match self.keep(&requests) {
            Ok(true) => self.in_trouble = false,
            Ok(false) => self.measures.dropped(Dropped::Disk, requests.len()),
            Err(error) => {
                self.measures.dropped(Dropped::Failed, requests.len());
                self.open = None;
                if !std::mem::replace(&mut self.in_trouble, true) {
                    tracing::warn!("refused requests are not kept: {error}");
                }
            }
        }
    }

    /// False where the disk has no room.
    fn keep(&mut self, requests: &[RefusedRequest]) -> Result<bool, StoreError> {
        // Whoever removes the file wants it gone, not written on under no name.
        let open = match self.open.take().filter(|open| open.in_place().is_ok()) {
            Some(open) => open,
            None => quarantine::open_or_make(&self.database)?,
        };
        let open = self.open.insert(open);
        if open.disk_free()? < DISK_FREE_BYTES_MIN {
            return Ok(false);
        }
        let now = open.keep(requests, &self.limits)?;
        self.measures.kept(requests.len(), now);
        Ok(true)
    }

    fn explained(&self, refused: Refused) -> RefusedRequest {
        let cause = self.explained.check().is_ok().then(|| refused.cause());
        RefusedRequest { cause, ..Arc::unwrap_or_clone(refused.request) }
    }

    /// Others may remove what is kept.
    fn look(&mut self) {
        let now = match &self.open {
            Some(open) if open.in_place().is_ok() => open.kept().ok(),
            _ => quarantine::open_for_reading(&self.database)
                .ok()
                .map(|open| open.and_then(|open| open.kept().ok()).unwrap_or_default()),
        };
        now.inspect(|now| self.measures.look(*now));
    }
}
