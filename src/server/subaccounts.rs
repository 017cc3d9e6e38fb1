//! Fetching of subaccounts in a running server: what the thread needs of the other parts.

use std::sync::Arc;
use std::sync::mpsc::{Sender, sync_channel};

use anyhow::Result;

use super::reload::ReloadRequest;
use crate::config::Settings;
use crate::http::{CallbackState, QuarantineRecheck};
use crate::quarantine::recheck::Rechecked;
use crate::subaccounts::metrics::SubaccountMetrics;
use crate::subaccounts::worker::{self, Handle, Job};

/// Starts the thread. It fetches nothing for as long as no account has `subaccounts = true`, which may
/// change while the server runs.
pub fn start(
    settings: &Settings,
    receiving: &CallbackState,
    recheck: &Arc<QuarantineRecheck>,
    metrics: SubaccountMetrics,
    reloads: Sender<ReloadRequest>,
) -> Result<Handle> {
    let (for_parents, for_client, recheck) =
        (settings.clone(), settings.clone(), Arc::clone(recheck));
    Ok(worker::start(Job {
        file: settings.subaccounts_file()?,
        requests: receiving.subaccounts.clone(),
        parents: Box::new(move || for_parents.reread()?.parents()),
        client: Box::new(move |limits| for_client.twilio_client(limits)),
        apply: Box::new(move || {
            let (reply, replied) = sync_channel(1);
            if reloads.send(ReloadRequest::Subaccounts(reply)).is_ok() {
                let _stopped_meanwhile = replied.recv();
            }
        }),
        recheck: Box::new(move || recheck_quarantine(&recheck)),
        metrics,
    }))
}

/// False if another recheck is running.
fn recheck_quarantine(recheck: &QuarantineRecheck) -> bool {
    match recheck.run_if_idle() {
        Ok(None) => return false,
        Ok(Some(Rechecked { appended: 0, .. })) => {}
        Ok(Some(Rechecked { appended, .. })) => {
            tracing::info!(appended, "appended rejected callbacks that are valid now");
        }
        Err(error) => tracing::warn!(
            error,
            "rejected callbacks could not be checked again; run quarantine recheck"
        ),
    }
    true
}
