//! The threads of a running server that seal its ledger, and have others attest of its seals.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;

use super::attest::Attesting;
use super::metrics::SealMetrics;
use super::sealer::{SealError, Sealer, find_difference};
use super::stored::{self, StoredSeal, last_seal};
use crate::background::{Background, Stop};
use crate::domain::{Position, Timestamp};
use crate::store::Store;
use crate::store::nodes::Lead;

/// How often the thread looks whether a seal is due.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How soon the first look at earlier seals is repeated if it was not possible.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often the thread that asks others looks whether it has to end.
const ASKED_EVERY: Duration = Duration::from_millis(200);

/// What a server needs to seal, read again for each seal, because keys change while it runs.
#[derive(Clone)]
pub struct Sealing {
    /// Seals; `None` if no key is configured.
    pub sealer: Option<Sealer>,
    /// Asks witnesses and the timestamp authority.
    pub attesting: Attesting,
}

/// Reads the settings of sealing as they are now. The error is a text for the operator.
pub type ReadSealing = Box<dyn Fn() -> Result<Sealing, String> + Send + Sync>;

/// What the threads need.
pub struct Job {
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The time between seals; `None` if there are none at intervals.
    pub every: Option<Duration>,
    /// The current settings.
    pub sealing: ReadSealing,
    /// Only the node that leads seals at intervals.
    pub lead: Lead,
    /// The metrics of seals.
    pub metrics: SealMetrics,
}

/// The sealing of a running server. Clones share it.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    job: Job,
    /// Why the ledger contradicts its seals, if it does.
    differs: Mutex<Option<String>>,
    /// Makes two requests for a seal take turns.
    turn: Mutex<()>,
    attest: SyncSender<StoredSeal>,
    threads: Mutex<Vec<Background>>,
}

/// Why no seal was made.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// No key is configured.
    #[error(
        "this ledger has no key to sign seals with; make one with `seal key new FILE`, and set seal.key_file to it"
    )]
    NoKey,
    /// The settings cannot be read.
    #[error("{0}")]
    Settings(String),
    /// Sealing failed.
    #[error(transparent)]
    Failed(#[from] SealError),
}

/// Starts the threads.
pub fn start(job: Job) -> Handle {
    if let Some(every) = job.every {
        job.metrics.set_every(every);
    }
    // One seal may wait while another is shown to witnesses; those between need not be.
    let (attest, to_attest) = sync_channel(1);
    let shared = Shared {
        job,
        differs: Mutex::default(),
        turn: Mutex::default(),
        attest,
        threads: Mutex::default(),
    };
    let handle = Handle(Arc::new(shared));
    let (sealing, attesting) = (handle.clone(), handle.clone());
    let threads = [
        Background::spawn("seal", move |stop| sealing.run(stop)),
        Background::spawn("witnesses", move |stop| attesting.attest(&to_attest, stop)),
    ];
    lock(&handle.0.threads).extend(threads);
    handle
}

impl Handle {
    /// Why the ledger contradicts its seals; `None` if it does not, as far as was looked.
    pub fn differs(&self) -> Option<String> {
        lock(&self.0.differs).clone()
    }

    /// Seals what the views have read, or the first `size` events. Blocks.
    pub fn seal(&self, size: Option<Position>) -> Result<StoredSeal, NotSealed> {
        let _turn = lock(&self.0.turn);
        let sealed = self.seal_now(size);
        let Job { metrics, .. } = &self.0.job;
        match &sealed {
            Ok(_) => self.set_differs(None),
            Err(NotSealed::Failed(SealError::Differs(differs))) => {
                metrics.failed.inc();
                self.set_differs(Some(differs.to_string()));
            }
            Err(_) => metrics.failed.inc(),
        }
        sealed
    }

    fn seal_now(&self, size: Option<Position>) -> Result<StoredSeal, NotSealed> {
        let store = &*self.0.job.store;
        let Sealing { sealer, .. } = (self.0.job.sealing)().map_err(NotSealed::Settings)?;
        let sealer = sealer.ok_or(NotSealed::NoKey)?;
        let before = last_seal(store).map_err(SealError::from)?;
        let seal = sealer.seal(store, size)?;
        if before.as_ref() != Some(&seal) {
            self.0.job.metrics.seals.inc();
            // If one is waiting already, the next seal is shown to the witnesses.
            let _waiting = self.0.attest.try_send(seal.clone());
        }
        Ok(seal)
    }

    /// Whether there is a key to seal with.
    pub fn has_key(&self) -> bool {
        (self.0.job.sealing)().is_ok_and(|sealing| sealing.sealer.is_some())
    }

    /// The metrics of seals.
    pub fn metrics(&self) -> &SealMetrics {
        &self.0.job.metrics
    }

    /// Sets the gauges of the last seal, of whichever process it is.
    pub fn measure(&self) {
        if let Ok(last) = last_seal(&*self.0.job.store) {
            let last = last.map(|seal| (seal.statement.size, seal.sealed_at));
            self.0.job.metrics.set_last(last);
        }
    }

    /// Stops the threads, and seals what came since the last seal, if this node leads and the views have read it.
    pub fn finish(&self) {
        lock(&self.0.threads).iter().for_each(Background::stop);
        if self.has_key() && self.has_new_events() {
            self.seal_and_log();
        }
    }

    fn run(&self, stop: &Stop) {
        while self.look_for_difference().is_err() {
            // The views of a new process may lack sealed events for a while.
            if stop.sleep(LOOK_AGAIN).is_break() {
                return;
            }
        }
        let Some(every) = self.0.job.every else { return };
        let look_every = every.min(LOOK_EVERY);
        while stop.sleep(look_every).is_continue() {
            if self.is_due(every) && self.has_new_events() {
                self.seal_and_log();
            }
        }
    }

    /// A ledger that lost sealed events is reported at once, not with the next seal.
    fn look_for_difference(&self) -> Result<(), NotSealed> {
        let store = &*self.0.job.store;
        let Sealing { sealer, .. } = (self.0.job.sealing)().map_err(NotSealed::Settings)?;
        let in_file = sealer.as_ref().and_then(|sealer| sealer.file.as_deref());
        let origin = match &sealer {
            Some(sealer) => stored::origin(store, &sealer.prefix).map_err(SealError::from)?,
            None => String::new(),
        };
        if let Some(differs) = find_difference(store, &origin, in_file)? {
            tracing::error!("{differs}");
            self.set_differs(Some(differs.to_string()));
        }
        Ok(())
    }

    fn is_due(&self, every: Duration) -> bool {
        let Ok(last) = last_seal(&*self.0.job.store) else { return true };
        let age = |seal: StoredSeal| now().micros().abs_diff(seal.sealed_at.micros());
        last.is_none_or(|seal| u128::from(age(seal)) >= every.as_micros())
    }

    fn has_new_events(&self) -> bool {
        let store = &*self.0.job.store;
        let sealed = last_seal(store).ok().flatten().map_or(0, |seal| seal.statement.size);
        let read = store.views().checkpoint().map_or(0, |checkpoint| checkpoint.position);
        self.0.job.lead.is_held() && read > sealed
    }

    fn seal_and_log(&self) {
        let known = self.differs();
        match self.seal(None) {
            Ok(_) | Err(NotSealed::NoKey) => {}
            // It is said once.
            Err(error) if known.as_deref() == Some(error.to_string().as_str()) => {}
            Err(error) => tracing::error!(%error, "nothing was sealed"),
        }
    }

    fn attest(&self, to_attest: &Receiver<StoredSeal>, stop: &Stop) {
        loop {
            match to_attest.recv_timeout(ASKED_EVERY) {
                Ok(seal) => self.ask_others(&seal),
                Err(RecvTimeoutError::Timeout) if !stop.is_requested() => {}
                Err(_) => return,
            }
        }
    }

    fn ask_others(&self, seal: &StoredSeal) {
        let Job { store, sealing, metrics, .. } = &self.0.job;
        match sealing() {
            Ok(Sealing { attesting, .. }) => attesting.ask_all(&**store, seal, metrics),
            Err(error) => tracing::warn!(error, "nobody was asked to attest of the seal"),
        }
    }

    fn set_differs(&self, differs: Option<String>) {
        self.0.job.metrics.set_differs(differs.is_some());
        *lock(&self.0.differs) = differs;
    }
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is replaced as a whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
