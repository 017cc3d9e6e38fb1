//! `serve`: both listeners, until a signal.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc;

use anyhow::{Context, Result};
use secrecy::ExposeSecret;
use socket2::{Domain, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::rotation::Rotation;
use super::running::{Keeping, Running};
use crate::config::{ApiScope, ApiToken, ServeFlags, ServerConfig, Settings};
use crate::domain::Rule;
use crate::http::access::{Attempts, Scope, Tokens};
use crate::http::{self, Admin, Exports, InUse, Metrics, Receiving, Streams};
use crate::projection::verifying;
use crate::quarantine::keeper::Keeper;
use crate::twilio::signature::BaseUrl;

/// How many connections may wait to be accepted. Each callback of Twilio's is a connection of its
/// own, and beyond this number it waits for a second before it tries again.
const LISTEN_BACKLOG: i32 = 1024;

/// The arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where callbacks are received [default: 127.0.0.1:8080] [env: DELIVERY_LEDGER_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    /// Where questions are answered [default: 127.0.0.1:8081] [env: DELIVERY_LEDGER_ADMIN_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,

    /// A path for callbacks; repeatable [default: /message-status]
    #[arg(long = "callback-path", value_name = "PATH")]
    callback_paths: Vec<String>,

    /// Scheme, host, port and path prefix that Twilio calls; repeatable
    /// [env: DELIVERY_LEDGER_PUBLIC_URL]
    #[arg(long = "public-url", value_name = "URL")]
    public_urls: Vec<String>,

    /// How often the log is verified in the background, such as 24h, or off [default: 24h]
    /// [env: DELIVERY_LEDGER_VERIFY_EVERY]
    #[arg(long, value_name = "TIME")]
    verify_every: Option<String>,
}

impl Args {
    /// The flags as settings.
    pub fn flags(&self) -> ServeFlags {
        ServeFlags {
            listen: self.listen.clone(),
            admin_listen: self.admin_listen.clone(),
            callback_paths: self.callback_paths.clone(),
            public_urls: self.public_urls.clone(),
            verify_every: self.verify_every.clone(),
        }
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let mut config = settings.server(args.flags())?;
    let rule = settings.rule()?;
    let database = settings.database()?;
    let system = actix_web::rt::System::new();
    let asked_to_reread = system.block_on(async { hang_up_signal() })?;
    // Each connection takes a file; the usual 1,024 would let idle ones shut Twilio out.
    let _as_many_as_there_are = rlimit::increase_nofile_limit(u64::MAX);
    let callbacks = bind(config.listen, "--listen or DELIVERY_LEDGER_LISTEN")?;
    let admin = bind(config.admin_listen, "--admin-listen or DELIVERY_LEDGER_ADMIN_LISTEN")?;
    if config.public_url_is_guessed {
        // The port may have been the system's to choose.
        config.public_urls =
            BaseUrl::parse(&format!("http://{}", callbacks.local_addr()?)).into_iter().collect();
    }
    let running = Running::start(&database, rule)?;
    let verifying = config.verify_every.map(|every| verifying::start(database.clone(), every));
    let keeping = config.quarantine.map(|limits| Keeping::start(&database, limits));
    announce(&config, &callbacks, &admin)?;
    tracing::info!("keeping the log in {database}, rule {}", rule.name());
    let served = system.block_on(async {
        let stop = stop_signal()?;
        let keeper = keeping.as_ref().map(|keeping| keeping.keeper.clone());
        let (receiving, state) = states(config, &running, rule, verifying.clone(), keeper);
        Rotation::new(settings, &receiving.accounts, &state.tokens, &receiving.reloads)
            .start(asked_to_reread);
        http::run(callbacks, admin, receiving, state, stop).await.context("serve")
    });
    verifying.inspect(verifying::Handle::stop);
    keeping.into_iter().for_each(Keeping::finish);
    running.finish();
    served.map(|()| Outcome::Done)
}

/// What both listeners need of a ledger at work.
pub fn states(
    config: ServerConfig,
    running: &Running,
    rule: Rule,
    verifying: Option<verifying::Handle>,
    keeper: Option<Keeper>,
) -> (Receiving, Admin) {
    let receiving = Receiving::new(
        config.callback_paths,
        config.public_urls,
        config.accounts,
        running.writer.clone(),
        keeper,
    );
    let metrics = Metrics::of(&receiving, &running.projection);
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
        metrics,
        admin_hosts: config.admin_hosts,
    };
    (receiving, admin)
}

/// The tokens as those who ask are held against them.
pub fn tokens(configured: &[ApiToken]) -> Tokens {
    let scope = |token: &ApiToken| match token.scope {
        ApiScope::Read => Scope::Read,
        ApiScope::ReadMasked => Scope::ReadMasked,
    };
    Tokens::new(configured.iter().map(|token| (token.secret.expose_secret(), scope(token))))
}

/// Says which of the tokens could be guessed.
pub fn warn_of_short(tokens: &[ApiToken]) {
    for shortness in tokens.iter().filter_map(ApiToken::shortness) {
        tracing::warn!("{shortness}");
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
