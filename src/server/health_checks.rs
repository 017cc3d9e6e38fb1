//! The checks in a running server: with its settings and keys, and its open ledger.

use std::net::SocketAddr;
use std::sync::Arc;

use super::running_ledger::RunningLedger;
use crate::checks::context::CheckContext;
use crate::checks::figures::last_backup_at;
use crate::checks::server::running_server::RunningServer;
use crate::checks::{self, Cost};
use crate::config::{ListenerConfig, Settings};
use crate::http::{CallbackState, HealthChecks};

/// Checks on a server that was started with these settings.
pub fn configured(
    settings: Settings,
    ledger: &RunningLedger,
    receiving: &CallbackState,
    admin: SocketAddr,
) -> HealthChecks {
    let (database, store) = (ledger.database.clone(), Arc::clone(&ledger.store));
    let accounts = Arc::clone(&receiving.accounts);
    let public_urls = Arc::clone(&receiving.public_urls);
    let callback_paths = Arc::clone(&receiving.callback_paths);
    let run = move |server| {
        let listener = ListenerConfig {
            accounts: accounts.load_full(),
            public_urls: Arc::clone(&public_urls),
            callback_paths: Arc::clone(&callback_paths),
        };
        let context = CheckContext::new(settings.clone(), None)
            .with_file_now(settings.reread())
            .with_ledger(database.clone(), Arc::clone(&store))
            .with_listener(listener)
            .with_server(RunningServer { address: Some(admin), ..server });
        checks::run(&context, Cost::More)
    };
    let store = Arc::clone(&ledger.store);
    let last_backup = move || last_backup_at(&*store);
    HealthChecks::new(Box::new(run), receiving.metrics.recent(), Box::new(last_backup))
}
