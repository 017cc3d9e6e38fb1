//! Sealing in a running server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::running_ledger::RunningLedger;
use crate::config::Settings;
use crate::seal::metrics::SealMetrics;
use crate::seal::worker::{self, Handle, Job};

/// How long the last seal of a server that stops waits for the views to read what was received last.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the threads need except the ledger, so that wrong settings are reported before it is opened.
pub struct Sealing {
    has_key: bool,
    every: Option<Duration>,
    settings: Settings,
}

impl Sealing {
    /// As it is configured.
    pub fn configured(settings: &Settings) -> Result<Self> {
        let has_key = settings.sealing()?.sealer.is_some();
        let every = settings.seal_every()?.filter(|_| has_key);
        Ok(Self { has_key, every, settings: settings.clone() })
    }

    /// Starts the threads. Without a key nothing is sealed, which is said once.
    pub fn start(self, ledger: &RunningLedger) -> Handle {
        let Self { has_key, every, settings } = self;
        if !has_key {
            tracing::info!(
                "nothing is sealed, because seal.key_file is not set: nobody outside can check later that events \
                 were not changed"
            );
        }
        worker::start(Job {
            store: Arc::clone(&ledger.store),
            every,
            sealing: Box::new(move || {
                let read = settings.reread().and_then(|settings| settings.sealing());
                read.map_err(|error| format!("{error:#}"))
            }),
            lead: ledger.lead.clone(),
            metrics: SealMetrics::default(),
        })
    }
}

/// Seals what came since the last seal, once nothing more is received.
pub fn finish(sealing: &Handle, ledger: &RunningLedger) {
    let deadline = Instant::now() + PATIENCE;
    let head = ledger.store.head().unwrap_or(0);
    while ledger.projection.projected() < head && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    sealing.finish();
}
