//! The server: both listeners, the ledger's threads and all background work, from start to stop.
//! This module connects the parts; their work is in `http`, `store`, `projection`, `reconcile` and `forward`.

pub mod fitness;
mod forwarding;
mod handler_state;
mod health_checks;
mod reconcile_job;
mod reload;
mod retention;
mod running_ledger;
mod sealing;
mod sending;
mod signals;
mod startup_log;
mod subaccounts;
mod supervisor;

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

pub use self::handler_state::{BackgroundParts, states};
use self::reconcile_job::ReconcileJob;
pub use self::reconcile_job::configured_plan;
use self::reload::{KeysInUse, Reloader};
pub use self::running_ledger::RunningLedger;
use self::running_ledger::{RunningAccessLog, RunningQuarantine};
use self::sealing::Sealing;
pub use self::signals::stop as stop_signal;
use crate::background::Background;
use crate::config::Settings;
use crate::domain::message::tags::IndexedTags;
use crate::http;
use crate::projection::verify::background;
use crate::twilio::signature::BaseUrl;

/// The maximum number of connections that wait to be accepted. Twilio opens a connection for each callback;
/// beyond this number it waits for a second before it tries again.
const LISTEN_BACKLOG: i32 = 1024;

/// Serves until SIGTERM or Ctrl-C.
pub fn run(settings: &Settings) -> Result<()> {
    fitness::exit_on_panic();
    fitness::check()?;
    let mut config = settings.server()?;
    let rule = settings.rule()?;
    let indexed_tags = settings.indexed_tags()?.unwrap_or(IndexedTags::All);
    let database = settings.database()?;
    let system = actix_web::rt::System::new();
    let (ask_to_reload, reloads) = mpsc::channel();
    system.block_on(async { signals::hang_up(ask_to_reload.clone()) })?;
    system.block_on(async { fitness::survive_file_size_limit() })?;
    fitness::watch_clock();
    let callbacks = bind(config.listen, "--listen or DELIVERY_LEDGER_LISTEN")?;
    let admin = bind(config.admin_listen, "--admin-listen or DELIVERY_LEDGER_ADMIN_LISTEN")?;
    // The configured ports may be 0; these are the ones that the system chose.
    (config.listen, config.admin_listen) = (callbacks.local_addr()?, admin.local_addr()?);
    if config.public_url_is_guessed {
        config.public_urls =
            BaseUrl::parse(&format!("http://{}", config.listen)).into_iter().collect();
    }
    let sending = sending::configured(settings, &config)?;
    let reconcile_job = ReconcileJob::configured(settings, &config)?;
    let sealing = Sealing::configured(settings)?;
    let name = node_name(config.admin_listen);
    let ledger = RunningLedger::start(&database, rule, indexed_tags, &config.callback_paths, name)?;
    forwarding::continue_at_end(&ledger);
    let quarantine = config.quarantine.map(|limits| RunningQuarantine::start(&database, limits));
    let access_log = config.access_log.take().map(RunningAccessLog::start).transpose()?;
    let sealing = sealing.start(&ledger);
    let background = BackgroundParts {
        sealing: Some(sealing.clone()),
        settings: Some(settings.clone()),
        verifying: config
            .verify_every
            .map(|every| background::start(database.clone(), every, ledger.lead.clone())),
        sending,
        recorder: quarantine.as_ref().map(|quarantine| quarantine.recorder.clone()),
        access_log: access_log.as_ref().map(|process| process.log.clone()),
        targets: config.targets.clone(),
        ..BackgroundParts::default()
    };
    let reconciling = reconcile_job.map(|job| job.start(&ledger, &background.reconciled));
    let erase_after = config.erase_after;
    let retention = erase_after.map(|age| retention::start(&ledger, &database, rule, age));
    let verifying = background.verifying.clone();
    let (subaccount_metrics, forward_metrics) =
        (background.subaccounts.clone(), background.forwarded.clone());
    // Before the log reports the addresses: a script that waits for that line may send SIGTERM at once.
    let stop = system.block_on(async { signals::stop() })?;
    startup_log::write(&config, settings, &callbacks, &admin)?;
    let targets = std::mem::take(&mut config.targets);
    tracing::info!("keeping the log in {database}, rule {}", rule.name());
    let served = system.block_on(async {
        let (receiving, state) = states(config, &ledger, rule, background);
        let in_use = KeysInUse {
            accounts: Arc::clone(&receiving.accounts),
            account_names: Arc::clone(&state.names),
            tokens: Arc::clone(&state.tokens),
            reloads: receiving.reloads.clone(),
            subaccounts: receiving.subaccounts.clone(),
        };
        Reloader::new(settings, in_use).start(reloads);
        let fetching = subaccounts::start(
            settings,
            &receiving,
            &state.recheck,
            subaccount_metrics,
            ask_to_reload,
        )?;
        let targets = forwarding::start(
            targets,
            &ledger,
            rule,
            &receiving,
            &state.error_codes,
            &forward_metrics,
        );
        supervisor::start_watchdog();
        supervisor::ready();
        let stop = async {
            stop.await;
            supervisor::stopping();
        };
        let served = http::run(callbacks, admin, receiving, state, stop).await.context("serve");
        fetching.stop();
        targets.finish();
        served
    });
    verifying.inspect(background::Handle::stop);
    [&reconciling, &retention].into_iter().flatten().for_each(Background::stop);
    quarantine.into_iter().for_each(RunningQuarantine::finish);
    access_log.into_iter().for_each(RunningAccessLog::finish);
    sealing::finish(&sealing, &ledger);
    ledger.finish();
    served
}

/// The name of a node: its host, and the port of its admin listener.
fn node_name(admin: SocketAddr) -> String {
    let system = rustix::system::uname();
    format!("{}:{}", system.nodename().to_string_lossy(), admin.port())
}

fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(LISTEN_BACKLOG)?;
        std::io::Result::Ok(socket.into())
    };
    listen().with_context(|| format!("cannot listen on {address}; choose another with {setting}"))
}
