//! `streams`: Event Streams at Twilio, the second way in which Twilio tells a ledger what becomes of messages.
//! `setup` creates what sends them to this ledger, `check` reports what is missing.

mod check;
mod destination;
mod ledger_streams;
mod plan;
mod setup;

use anyhow::{Context, Result};

use self::ledger_streams::LedgerStreams;
use super::{Outcome, UsageError, help};
use crate::cli::common::interrupt::Interrupt;
use crate::config::{self, Flags, Settings};
use crate::domain::AccountSid;
use crate::twilio_api::event_streams::{EventStreams, SinkStatus};
use crate::twilio_api::{Client, Credentials, RequestLimits};

/// The maximum number of requests, repetitions included: an account has a few sinks and subscriptions.
const REQUESTS_MAX: u64 = 1000;

/// The arguments of `streams`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create at Twilio what sends events to this ledger; without --yes, only show it
    Setup(setup::Args),
    /// Report which event types Twilio sends to this ledger, and which are missing
    Check(check::Args),
}

/// What both subcommands have to know: which account's events go to which URL.
#[derive(Debug, clap::Args)]
struct Selected {
    #[arg(long, value_name = "URL", help = help(&config::PUBLIC_URL,
        "The scheme, host, port and path prefix under which Twilio calls the server"))]
    public_url: Option<String>,

    #[arg(long, value_name = "PATH", help = help(&config::EVENT_STREAMS_PATH,
        "The path on which the server receives events of Event Streams"))]
    event_streams_path: Option<String>,

    /// The account, by SID or name; needed if several are configured
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,
}

/// Runs the subcommand.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        Command::Setup(args) => setup::run(&args, settings),
        Command::Check(args) => check::run(&args, settings),
    }
}

impl Selected {
    /// The settings with these flags.
    fn applied_to(&self, settings: &Settings) -> Settings {
        let flags = Flags::default()
            .with(&config::PUBLIC_URL, self.public_url.clone())
            .with(&config::EVENT_STREAMS_PATH, self.event_streams_path.clone());
        settings.with_flags(flags)
    }

    /// The account that is named, or the only one.
    fn account(&self, settings: &Settings) -> Result<AccountSid> {
        let named = self.account_sid.as_deref().map(|named| settings.account(named)).transpose()?;
        let configured = settings.account_sids();
        if named.is_none() && configured.len() > 1 {
            let names = settings.account_names()?;
            let all: Vec<_> = configured.iter().map(|sid| names.describe(sid.as_str())).collect();
            let all = all.join(", ");
            let text =
                format!("several accounts are configured: {all}; name one with --account-sid");
            return Err(UsageError(text).into());
        }
        settings.sending_account(named)
    }
}

/// A client of Event Streams as an account.
struct Connection {
    client: Client,
    who: Credentials,
}

impl Connection {
    fn new(settings: &Settings, account_sid: &AccountSid) -> Result<Self> {
        let interrupt = Interrupt::listen()?;
        let limits = RequestLimits::new(REQUESTS_MAX, move || interrupt.asked().is_break());
        let client = settings.event_streams_client(limits)?;
        Ok(Self { client, who: settings.twilio_credentials(account_sid)? })
    }

    fn event_streams(&self) -> EventStreams<'_> {
        EventStreams::new(&self.client, &self.who)
    }

    /// What Twilio has that sends to these destinations.
    fn read(&self, destinations: &[String]) -> Result<LedgerStreams> {
        LedgerStreams::read(&self.event_streams(), destinations)
            .context("read what is set up at Twilio")
    }
}

/// What to do about a sink that Twilio does not send to; `None` if it does.
///
/// Validating is a thing of the past (<https://www.twilio.com/docs/events/event-streams/sink-resource/validate>),
/// but old sinks may have been left without it.
fn advice(status: SinkStatus) -> Option<&'static str> {
    match status {
        SinkStatus::Active => None,
        SinkStatus::Initialized | SinkStatus::Validating => Some(
            "it was not validated, which new sinks no longer need: delete it at Twilio, and run \
             `delivery-ledger streams setup --yes`",
        ),
        SinkStatus::Failed => Some(
            "Twilio no longer sends to it: delete it at Twilio, and run \
             `delivery-ledger streams setup --yes`",
        ),
        SinkStatus::Other => Some("its status is not documented: see Twilio's Console"),
    }
}
