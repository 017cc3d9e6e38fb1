//! A running server: both listeners and the background work, from the settings until a signal.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use super::fitness;
use super::ledger_process::{Keeping, LedgerProcess};
use super::reconcile_job::ReconcileJob;
use super::reload::Reload;
use super::tokens::{tokens, warn_of_short};
use crate::config::{ApiToken, KeySource, ServeFlags, ServerConfig, Settings};
use crate::domain::Rule;
use crate::http::auth::tokens::Attempts;
use crate::http::{self, Admin, Exports, InUse, Metrics, Receiving, Sender, Sending, Streams};
use crate::projection::verify::background;
use crate::quarantine::keeper::Keeper;
use crate::reconcile::metrics::ReconcileMetrics;
use crate::text::error_chain;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;
use crate::twilio_api::{Client, Limits};

/// How many connections may wait to be accepted. Each callback of Twilio's is a connection of its
/// own, and beyond this number it waits for a second before it tries again.
const LISTEN_BACKLOG: i32 = 1024;

/// Serves until SIGTERM or Ctrl-C.
pub fn run(flags: ServeFlags, settings: &Settings) -> Result<()> {
    fitness::end_on_panic();
    fitness::check()?;
    let mut config = settings.server(flags)?;
    let rule = settings.rule()?;
    let database = settings.database()?;
    let system = actix_web::rt::System::new();
    let asked_to_reread = system.block_on(async { hang_up_signal() })?;
    system.block_on(async { fitness::heed_file_limit() })?;
    fitness::watch_clock();
    let callbacks = bind(config.listen, "--listen or DELIVERY_LEDGER_LISTEN")?;
    let admin = bind(config.admin_listen, "--admin-listen or DELIVERY_LEDGER_ADMIN_LISTEN")?;
    if config.public_url_is_guessed {
        // The port may have been the system's to choose.
        config.public_urls =
            BaseUrl::parse(&format!("http://{}", callbacks.local_addr()?)).into_iter().collect();
    }
    let sending = sending(settings, &config)?;
    let reconciling = ReconcileJob::configured(settings, &config)?;
    let running = LedgerProcess::start(&database, rule)?;
    let keeping = config.quarantine.map(|limits| Keeping::start(&database, limits));
    let beside = Beside {
        verifying: config
            .verify_every
            .map(|every| background::start(database.clone(), every)),
        sending,
        keeper: keeping.as_ref().map(|keeping| keeping.keeper.clone()),
        ..Beside::default()
    };
    let reconciling = reconciling.map(|job| job.start(&running, &beside.reconciled));
    let verifying = beside.verifying.clone();
    announce(&config, &callbacks, &admin)?;
    warn_of_odd_tokens(&config, settings);
    warn_of_doubled_paths(&config);
    tracing::info!("keeping the log in {database}, rule {}", rule.name());
    let served = system.block_on(async {
        let stop = stop_signal()?;
        let (receiving, state) = states(config, &running, rule, beside);
        Reload::new(settings, &receiving.accounts, &state.tokens, &receiving.reloads)
            .start(asked_to_reread);
        http::run(callbacks, admin, receiving, state, stop).await.context("serve")
    });
    verifying.inspect(background::Handle::stop);
    if let Some(reconciling) = &reconciling {
        reconciling.stop();
    }
    keeping.into_iter().for_each(Keeping::finish);
    running.finish();
    served
}

/// What goes on beside taking callbacks.
#[derive(Default)]
pub struct Beside {
    pub verifying: Option<background::Handle>,
    pub sending: Option<Sending>,
    pub reconciled: ReconcileMetrics,
    pub keeper: Option<Keeper>,
}

/// Nothing where Twilio could not be asked for want of the system's certificates: callbacks are taken
/// all the same.
fn sending(settings: &Settings, config: &ServerConfig) -> Result<Option<Sending>> {
    settings.warn_of_region();
    let (base_url, timeout) = (settings.twilio_base_url()?, settings.twilio_timeout()?);
    let client = match Client::new(&base_url, timeout, Limits::new(u64::MAX, || false)) {
        Ok(client) => client,
        Err(error) => {
            let reason = error_chain(&error);
            tracing::warn!(%reason, "Twilio cannot be asked, so no messages are sent over HTTP");
            return Ok(None);
        }
    };
    settings.credentials(None)?;
    let settings = settings.clone();
    Ok(Some(Sending::new(
        client,
        Box::new(move |named| {
            sender(&settings, named).map_err(|error| {
                tracing::error!(error = format!("{error:#}"), "nothing can be sent");
                "the server's configuration cannot be read".to_owned()
            })
        }),
        config.status_callback.clone(),
    )))
}

/// Who sends, by the files as they are now: tokens change while a server runs.
fn sender(settings: &Settings, named: Option<&str>) -> Result<Sender> {
    let settings = settings.reread()?;
    let account_sid = match settings.sending_account(named) {
        Ok(account_sid) => account_sid,
        Err(_) => return Ok(Sender::Unknown("name the account: account_sid".to_owned())),
    };
    if !settings.account_sids().contains(&account_sid) {
        let sid = account_sid.as_str();
        return Ok(Sender::Unknown(format!("no token is configured for account {sid}")));
    }
    let who = settings.twilio_credentials(&account_sid)?;
    Ok(Sender::Known(account_sid, who))
}

/// What both listeners need of a ledger at work.
pub fn states(
    config: ServerConfig,
    running: &LedgerProcess,
    rule: Rule,
    Beside { verifying, sending, reconciled, keeper }: Beside,
) -> (Receiving, Admin) {
    let receiving = Receiving::new(
        config.callback_paths,
        config.public_urls,
        config.accounts,
        running.writer.clone(),
        keeper,
    );
    let metrics = Metrics::of(&receiving, &running.projection, &reconciled);
    let admin = Admin {
        store: running.store.clone(),
        writer: running.writer.clone(),
        projection: running.projection.clone(),
        verifying,
        rule,
        tokens: Arc::new(InUse::new(tokens(&config.api_tokens))),
        attempts: Attempts::default(),
        streams: Streams::default(),
        exports: Exports::default(),
        sending,
        metrics,
        admin_hosts: config.admin_hosts,
    };
    (receiving, admin)
}

/// Says which tokens are none of Twilio's by their form: with a mistake in it, none verifies anything.
fn warn_of_odd_tokens(config: &ServerConfig, settings: &Settings) {
    let sources = settings.key_sources();
    for (sid, keys) in config.accounts.iter() {
        for (name, _) in keys.tokens().filter(|(_, token)| !token.is_usual()) {
            let is_it = |source: &&KeySource| {
                source.account_sid == sid.as_str() && source.key.split(' ').any(|word| word == name)
            };
            let setting = sources.iter().find(is_it).map_or("a setting", |source| &source.setting);
            tracing::warn!(
                "{setting}: the {name} token of account {sid} does not have the form of Twilio's, 32 \
                 hexadecimal digits; if it is wrong, no callback of that account is accepted"
            );
        }
    }
}

/// A public URL that ends with the callback path already: the path is added to it.
fn warn_of_doubled_paths(config: &ServerConfig) {
    let paths = || config.callback_paths.iter().map(CallbackPath::as_given);
    for url in config.public_urls.iter().map(BaseUrl::as_given) {
        if let Some(path) = paths().find(|path| url.ends_with(path)) {
            tracing::warn!(
                "DELIVERY_LEDGER_PUBLIC_URL or --public-url: {url} ends with the callback path, so \
                 Twilio is expected to call {url}{path}; leave {path} out unless it does"
            );
        }
    }
}

/// Resolves at the first SIGTERM or Ctrl-C; a second one ends the process at once.
pub fn stop_signal() -> Result<impl Future<Output = ()>> {
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

/// Hears of each SIGHUP, from now on: none ends the process, also while the ledger is being opened.
fn hang_up_signal() -> Result<mpsc::Receiver<()>> {
    let mut hang_up = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
    let (ask, asked) = mpsc::channel();
    actix_web::rt::spawn(
        async move { while hang_up.recv().await.is_some() && ask.send(()).is_ok() {} },
    );
    Ok(asked)
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

fn announce(config: &ServerConfig, callbacks: &TcpListener, admin: &TcpListener) -> Result<()> {
    let (callbacks, admin) = (callbacks.local_addr()?, admin.local_addr()?);
    for path in &config.callback_paths {
        tracing::info!("receiving callbacks on http://{callbacks}{path}");
    }
    tracing::info!("answering questions on http://{admin}");
    warn_of_short(&config.api_tokens);
    for ApiToken { name, scope, .. } in &config.api_tokens {
        tracing::info!(
            "questions are answered to API token {}: {}",
            name.escape_debug(),
            scope.name()
        );
    }
    for url in config.public_urls.iter().map(|url| url.as_given()) {
        match config.public_url_is_guessed {
            false => tracing::info!("checking signatures against {url}"),
            true => tracing::warn!(
                "checking signatures against {url}, for want of a public URL; Twilio signs the URL \
                 that it calls: set DELIVERY_LEDGER_PUBLIC_URL or --public-url to it"
            ),
        }
    }
    Ok(())
}
