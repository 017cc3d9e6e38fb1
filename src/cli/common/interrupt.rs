//! A flag that Ctrl-C and SIGTERM set. Long-running commands poll it, so that they can clean up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

/// The flag; clones share it.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen for the signals. A second signal ends the process at once.
    pub fn listen() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (mut terminate, mut interrupt) = runtime.block_on(async {
            let listen = |kind, name| signal(kind).with_context(|| format!("listen for {name}"));
            anyhow::Ok((
                listen(SignalKind::terminate(), "SIGTERM")?,
                listen(SignalKind::interrupt(), "Ctrl-C")?,
            ))
        })?;
        let asked = Arc::new(AtomicBool::new(false));
        let this = Self(Arc::clone(&asked));
        std::thread::spawn(move || {
            runtime.block_on(async {
                for _ in 0..2 {
                    tokio::select! {
                        _ = terminate.recv() => {}
                        _ = interrupt.recv() => {}
                    }
                    if asked.swap(true, Ordering::Relaxed) {
                        std::process::exit(130); // as shells report a process that Ctrl-C ended
                    }
                }
            });
        });
        Ok(this)
    }

    /// Returns `Break` once a signal has arrived.
    pub fn asked(&self) -> ControlFlow<()> {
        match self.0.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
