//! Signals to a server: SIGTERM and Ctrl-C stop it, SIGHUP reloads its keys.

use std::sync::mpsc;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::reload::ReloadRequest;

/// Resolves at the first SIGTERM or Ctrl-C; a second one ends the process at once.
pub fn stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("answering what is in flight, then ending; Ctrl-C ends at once");
        actix_web::rt::spawn(async move {
            interrupt.recv().await;
            std::process::exit(130); // as shells report a process that Ctrl-C ended
        });
    })
}

/// Sends a request for each SIGHUP. From this call on, SIGHUP no longer ends the process, not even while
/// the ledger is still being opened.
pub fn hang_up(ask: mpsc::Sender<ReloadRequest>) -> Result<()> {
    let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    actix_web::rt::spawn(async move {
        while hang_up.recv().await.is_some() && ask.send(ReloadRequest::HangUp).is_ok() {}
    });
    Ok(())
}
