//! `demo`: the whole of it without a Twilio account. A temporary ledger with two days of a shop's traffic, both
//! listeners, signed callbacks that arrive late, duplicated and in conflict, and the resulting messages.

mod browser;
mod output;
mod past;
mod totals;
mod traffic;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use self::output::Started;
use self::traffic::{CALLBACK_PATH, PUBLIC_URL, Traffic};
use super::{Format, Outcome, UsageError};
use crate::config::{self, Flags, Reconciling, ServerConfig, Settings};
use crate::domain::account_names::AccountNames;
use crate::domain::message::tags::IndexedTags;
use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, ErrorCodes, Rule, Timestamp};
use crate::http;
use crate::projection::verify::background;
use crate::server::{BackgroundParts, RunningLedger, states, stop_signal};
use crate::store::Database;
use crate::store::nodes::Lead;
use crate::telemetry::eprint_line;
use crate::twilio::accounts::{AccountKeys, Accounts, Token};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// How long the projection may take to catch up with the past: a debug build on a busy machine is slow.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(120);

/// How often the log is verified, as by default.
const VERIFY_EVERY: Duration = Duration::from_secs(86_400);

/// The paths on which requests are received: that of callbacks, and the default one of Event Streams.
const PATHS: [&str; 2] = [CALLBACK_PATH, "/event-streams"];

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit after the summary instead of continuing to serve
    #[arg(long)]
    exit: bool,

    /// The number of messages of the two days
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    messages: u64,

    /// The seed of the random traffic
    #[arg(long, default_value_t = 7)]
    seed: u64,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The addresses of the two listeners.
pub struct Addresses {
    pub callbacks: SocketAddr,
    pub admin: SocketAddr,
}

/// Runs the demo. It never touches another ledger: to name one is an error as a flag, and leads to
/// a warning in the environment and the file, where it is meant for other commands.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    refuse_other_ledger(settings)?;
    let folder = tempfile::Builder::new().prefix("delivery-ledger-demo-").tempdir();
    let folder = folder.context("make a temporary folder")?.keep();
    let ledger = folder.join("ledger.db");
    let database = Database::Sqlite(ledger.clone());
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let traffic = Traffic::new(args.seed, args.messages, now);
    let imported = past::import(&database, &folder, &traffic.past, &traffic.signer(), now)?;
    let running_ledger =
        RunningLedger::start(&database, Rule::default(), IndexedTags::All, &[], "demo".to_owned())?;
    let (callbacks, admin) = (any_port()?, any_port()?);
    let addresses = Addresses { callbacks: callbacks.local_addr()?, admin: admin.local_addr()? };
    let verifying = (!args.exit).then(|| background::start(database, VERIFY_EVERY, Lead::alone()));
    let parts = BackgroundParts {
        settings: Some(demo_settings(&ledger, &traffic, &addresses)),
        verifying: verifying.clone(),
        ..BackgroundParts::default()
    };
    let outcome = actix_web::rt::System::new().block_on(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = config(&traffic, &addresses)?;
        let (receiving, state) = states(config, &running_ledger, Rule::default(), parts);
        let served = actix_web::rt::spawn(http::run(callbacks, admin, receiving, state, async {
            let _stop_or_gone = stopped.await;
        }));
        let sent = traffic.send(addresses.callbacks).await?;
        wait_for_views(&running_ledger)?;
        let serving = (!args.exit).then_some(&addresses);
        let store = &*running_ledger.store;
        let started =
            Started { store, ledger: &ledger, traffic: &traffic, imported, sent, serving, now };
        // Before the output says that Ctrl-C ends it.
        let stop_asked = (!args.exit).then(stop_signal).transpose()?;
        match args.format {
            Format::Table => started.show()?,
            Format::Json => started.show_json()?,
        }
        if let Some(stop_asked) = stop_asked {
            receive_until(stop_asked, traffic, &addresses, args.format).await?;
        }
        drop(stop);
        served.await?.context("serve")
    });
    verifying.inspect(background::Handle::stop);
    running_ledger.finish();
    outcome.map(|()| Outcome::Done)
}

/// Receives callbacks until the demo is stopped, and offers to open the pages meanwhile.
async fn receive_until(
    stop: impl Future<Output = ()>,
    traffic: Traffic,
    addresses: &Addresses,
    format: Format,
) -> Result<()> {
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let following = actix_web::rt::spawn(traffic.send_following(addresses.callbacks, now));
    let url = format!("http://{}/", addresses.admin);
    let offered = async {
        match format {
            Format::Table => browser::offer(&url).await,
            Format::Json => Ok(()),
        }
    };
    let mut stop = pin!(stop);
    let outcome = tokio::select! {
        () = &mut stop => Ok(()),
        offered = offered => {
            stop.await;
            offered
        }
    };
    following.abort();
    outcome
}

fn refuse_other_ledger(settings: &Settings) -> Result<()> {
    match settings.database_origin() {
        Some("--database") => Err(UsageError(
            "--database: demo makes a temporary ledger of its own and never touches another; \
             leave the flag out, or send traffic to a ledger with serve and simulate"
                .to_owned(),
        )
        .into()),
        Some(setting) => {
            eprint_line(format_args!(
                "warning: demo makes a temporary ledger of its own; {setting} has no effect on it"
            ));
            Ok(())
        }
        None => Ok(()),
    }
}

fn any_port() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").context("listen on a free port of 127.0.0.1")
}

/// The configuration of the demo's server.
fn config(traffic: &Traffic, addresses: &Addresses) -> Result<ServerConfig> {
    let account = AccountSid::parse(&traffic.account_sid).context("the demo's account")?;
    let keys = AccountKeys {
        primary: Token::new(&traffic.auth_token),
        secondary: None,
        further: Default::default(),
        shared: Default::default(),
    };
    Ok(ServerConfig {
        listen: addresses.callbacks,
        admin_listen: addresses.admin,
        callback_paths: PATHS.iter().flat_map(|path| CallbackPath::parse(path)).collect(),
        public_urls: BaseUrl::parse(PUBLIC_URL).into_iter().collect(),
        public_url_is_guessed: false,
        admin_hosts: Vec::new(),
        api_tokens: Vec::new(),
        accounts: Accounts::new([(account, keys)]),
        verify_every: Some(VERIFY_EVERY),
        access_log: None,
        quarantine: None,
        reconciling: Reconciling::default(),
        erase_after: None,
        error_codes: ErrorCodes::default(),
        default_country: None,
        time_zone: Zone::default(),
        account_names: AccountNames::default(),
        status_callback: None,
        targets: Vec::new(),
    })
}

/// The same configuration as settings, for the checks.
fn demo_settings(ledger: &Path, traffic: &Traffic, addresses: &Addresses) -> Settings {
    let flags = Flags::default()
        .with(&config::DATABASE, [format!("sqlite:{}", ledger.display())])
        .with(&config::LISTEN, [addresses.callbacks.to_string()])
        .with(&config::ADMIN_LISTEN, [addresses.admin.to_string()])
        .with(&config::PUBLIC_URL, [PUBLIC_URL.to_owned()])
        .with(&config::CALLBACK_PATH, [CALLBACK_PATH.to_owned()]);
    let variables = [
        ("TWILIO_ACCOUNT_SID", traffic.account_sid.clone()),
        ("TWILIO_AUTH_TOKEN", traffic.auth_token.clone()),
        ("DELIVERY_LEDGER_QUARANTINE", "off".to_owned()),
        ("DELIVERY_LEDGER_ACCESS_LOG", "off".to_owned()),
    ];
    Settings::isolated(flags, variables)
}

fn wait_for_views(running_ledger: &RunningLedger) -> Result<()> {
    let head = running_ledger.store.head()?;
    if !running_ledger.projection.wait_for(head, Instant::now() + CATCH_UP_PATIENCE) {
        bail!(
            "the projection did not catch up: {}",
            running_ledger.projection.failed().unwrap_or_else(|| "it is slow".to_owned())
        );
    }
    Ok(())
}
