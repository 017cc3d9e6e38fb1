//! `demo`: the whole of it without a Twilio account. A temporary ledger, both listeners,
//! signed callbacks that arrive late, duplicated and in conflict, and the resulting messages.

mod totals;
mod traffic;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::sync::oneshot;

use self::totals::Totals;
use self::traffic::{CALLBACK_PATH, Traffic};
use super::{Format, Outcome, UsageError, audit};
use crate::cli::common::text::number;
use crate::config::{self, Flags, Reconciling, ServerConfig, Settings};
use crate::domain::account_names::AccountNames;
use crate::domain::message::tags::IndexedTags;
use crate::domain::zone::Zone;
use crate::domain::{AccountSid, ErrorCodes, MessageSid, Position, Rule};
use crate::http;
use crate::projection::fold::Folded;
use crate::projection::message_query::{AsOf, MessageQuery, MessageResult, find_message};
use crate::server::{BackgroundParts, LedgerProcess, states, stop_signal};
use crate::simulate::LoadSummary;
use crate::store::{Database, Store};
use crate::telemetry::eprint_line;
use crate::twilio::accounts::{AccountKeys, Accounts, Token};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;
use crate::wire;

/// How long the projection may take to catch up with the demo's few events.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(10);

/// A minute in UTC as carriers' receipts write it: `YYMMDDhhmm`.
const RECEIPT_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year repr:last_two][month][day][hour][minute]");

/// The arguments of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Exit after the summary instead of continuing to serve
    #[arg(long)]
    exit: bool,

    /// The seed of the random traffic
    #[arg(long, default_value_t = 7)]
    seed: u64,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The addresses of the two listeners.
struct Addresses {
    callbacks: SocketAddr,
    admin: SocketAddr,
}

/// Runs the demo. It never touches another ledger: to name one is an error as a flag, and leads to
/// a warning in the environment and the file, where it is meant for other commands.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match settings.database_origin() {
        Some("--database") => {
            return Err(UsageError(
                "--database: demo makes a temporary ledger of its own and never touches another; \
                 leave the flag out, or send traffic to a ledger with serve and simulate"
                    .to_owned(),
            )
            .into());
        }
        Some(setting) => eprint_line(format_args!(
            "warning: demo makes a temporary ledger of its own; {setting} has no effect on it"
        )),
        None => {}
    }
    let folder = tempfile::Builder::new().prefix("delivery-ledger-demo-").tempdir();
    let ledger = folder.context("make a temporary folder")?.keep().join("ledger.db");
    let ledger_process = LedgerProcess::start(
        &Database::Sqlite(ledger.clone()),
        Rule::default(),
        IndexedTags::All,
        &[],
    )?;
    let (callbacks, admin) = (any_port()?, any_port()?);
    let addresses = Addresses { callbacks: callbacks.local_addr()?, admin: admin.local_addr()? };
    let receipt = OffsetDateTime::now_utc().format(RECEIPT_FORMAT)?;
    let traffic = Traffic::new(args.seed, &receipt);
    let outcome = actix_web::rt::System::new().block_on(async {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = config(&traffic, &addresses)?;
        let settings = Some(demo_settings(&ledger, &traffic, &addresses));
        let parts = BackgroundParts { settings, ..BackgroundParts::default() };
        let (receiving, state) = states(config, &ledger_process, Rule::default(), parts);
        let served = actix_web::rt::spawn(http::run(callbacks, admin, receiving, state, async {
            let _stop_or_gone = stopped.await;
        }));
        let summary = traffic.send(addresses.callbacks).await?;
        let serving = (!args.exit).then_some(&addresses);
        wait_for_views(&ledger_process)?;
        match args.format {
            Format::Table => {
                show(&*ledger_process.store, &traffic, &summary)?;
                tell_where(&ledger, &traffic, serving)?;
            }
            Format::Json => {
                show_json(&*ledger_process.store, &ledger, &traffic, &summary, serving)?;
            }
        }
        if !args.exit {
            stop_signal()?.await;
        }
        drop(stop);
        served.await?.context("serve")
    });
    ledger_process.finish();
    outcome.map(|()| Outcome::Done)
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
    let public_url = BaseUrl::parse(&format!("http://{}", addresses.callbacks));
    Ok(ServerConfig {
        listen: addresses.callbacks,
        admin_listen: addresses.admin,
        callback_paths: CallbackPath::parse(CALLBACK_PATH).into_iter().collect(),
        public_urls: public_url.into_iter().collect(),
        public_url_is_guessed: false,
        admin_hosts: Vec::new(),
        api_tokens: Vec::new(),
        accounts: Accounts::new([(account, keys)]),
        verify_every: None,
        access_log: None,
        quarantine: None,
        reconciling: Reconciling::default(),
        error_codes: ErrorCodes::default(),
        default_country: None,
        time_zone: Zone::default(),
        account_names: AccountNames::default(),
        status_callback: None,
    })
}

/// The same configuration as settings, for the checks.
fn demo_settings(ledger: &Path, traffic: &Traffic, addresses: &Addresses) -> Settings {
    let flags = Flags::default()
        .with(&config::DATABASE, [format!("sqlite:{}", ledger.display())])
        .with(&config::LISTEN, [addresses.callbacks.to_string()])
        .with(&config::ADMIN_LISTEN, [addresses.admin.to_string()])
        .with(&config::PUBLIC_URL, [format!("http://{}", addresses.callbacks)])
        .with(&config::CALLBACK_PATH, [CALLBACK_PATH.to_owned()])
        .with(&config::VERIFY_EVERY, ["off".to_owned()]);
    let variables = [
        ("TWILIO_ACCOUNT_SID", traffic.account_sid.clone()),
        ("TWILIO_AUTH_TOKEN", traffic.auth_token.clone()),
        ("DELIVERY_LEDGER_QUARANTINE", "off".to_owned()),
        ("DELIVERY_LEDGER_ACCESS_LOG", "off".to_owned()),
    ];
    Settings::isolated(flags, variables)
}

fn wait_for_views(ledger_process: &LedgerProcess) -> Result<()> {
    let head = ledger_process.store.head()?;
    if !ledger_process.projection.wait_for(head, Instant::now() + CATCH_UP_PATIENCE) {
        bail!(
            "the projection did not catch up: {}",
            ledger_process.projection.failed().unwrap_or_else(|| "it is slow".to_owned())
        );
    }
    Ok(())
}

fn show(store: &dyn Store, traffic: &Traffic, summary: &LoadSummary) -> Result<()> {
    let mut out = crate::cli::common::terminal::stdout();
    out.say(&format!(
        "{} messages were sent; {} signed callbacks arrived, in any order; {} were acknowledged, each \
         after it was on disk.\n\n",
        number(traffic::MESSAGES),
        number(summary.sent),
        number(summary.acknowledged),
    ))?;
    writeln!(out, "One message whose callbacks arrived in the wrong order:\n")?;
    let (featured, as_of_position) = featured(store, traffic)?;
    let columns = out.columns();
    let message = audit::whole(&featured, as_of_position, &ErrorCodes::default());
    out.show(&audit::for_people(&message, &featured, &Zone::default(), columns))?;
    writeln!(out, "\nAll messages:\n")?;
    out.show(&Totals::of(store)?.for_people(columns))?;
    writeln!(out)?;
    Ok(())
}

fn show_json(
    store: &dyn Store,
    ledger: &Path,
    traffic: &Traffic,
    summary: &LoadSummary,
    serving: Option<&Addresses>,
) -> Result<()> {
    let (featured, as_of_position) = featured(store, traffic)?;
    let error_codes = ErrorCodes::default();
    let featured =
        wire::Message::new(&featured.key, &featured.lifecycle, as_of_position, &error_codes);
    let url = |address: SocketAddr| format!("http://{address}");
    let shown = json!({
        "messages": traffic::MESSAGES,
        "sent": summary.sent,
        "acknowledged": summary.acknowledged,
        "featured": featured,
        "by_status": Totals::of(store)?.as_json(),
        "ledger": ledger.display().to_string(),
        "folder": folder_of(ledger).display().to_string(),
        "callbacks": serving.map(|at| url(at.callbacks)),
        "questions": serving.map(|at| url(at.admin)),
    });
    writeln!(crate::cli::common::terminal::stdout(), "{shown:#}")?;
    Ok(())
}

fn featured(store: &dyn Store, traffic: &Traffic) -> Result<(Box<Folded>, Position)> {
    let question = MessageQuery {
        message_sid: MessageSid::parse(&traffic.featured_sid).context("the featured message")?,
        account_sid: None,
        rule: Rule::default(),
        as_of: AsOf::Head,
    };
    match find_message(store, &question)? {
        MessageResult::Found { folded, as_of_position } => Ok((folded, as_of_position)),
        _ => bail!("the featured message {} is not in the log", traffic.featured_sid),
    }
}

fn tell_where(ledger: &Path, traffic: &Traffic, serving: Option<&Addresses>) -> Result<()> {
    let ledger_command = format!(
        "{} --database {}",
        for_shell(&program()),
        for_shell(&format!("sqlite:{}", ledger.display()))
    );
    let mut out = crate::cli::common::terminal::stdout();
    out.say(&format!("The log is {}, its views are next to it.\n", ledger.display()))?;
    let folder = for_shell(&folder_of(ledger).display().to_string());
    out.say(&format!("The folder stays when the demo ends; `rm -r {folder}` removes it.\n\n"))?;
    writeln!(out, "Try next:")?;
    writeln!(out, "  {ledger_command} audit {}", traffic.conflicting_sid)?;
    writeln!(out, "  {ledger_command} report --by country")?;
    writeln!(out, "  {ledger_command} verify")?;
    writeln!(out, "  {ledger_command} replay --dry-run --rule delivery-wins")?;
    writeln!(out, "  {ledger_command} export messages | head -n 1")?;
    if let Some(Addresses { callbacks, admin }) = serving {
        writeln!(out, "  curl http://{admin}/v1/messages/{}", traffic.featured_sid)?;
        writeln!(
            out,
            "\nCallbacks are received on http://{callbacks}{CALLBACK_PATH}, \
             questions answered on http://{admin}."
        )?;
        writeln!(out, "The pages are on http://{admin}/.")?;
        writeln!(out, "Ctrl-C ends the demo.")?;
    }
    Ok(())
}

fn folder_of(ledger: &Path) -> &Path {
    ledger.parent().unwrap_or(Path::new("/"))
}

/// Text as one word of a POSIX shell.
fn for_shell(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-:".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// This program, by the shortest path that runs it from here.
fn program() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "delivery-ledger".into());
    let here = std::env::current_dir().ok();
    let short = here.and_then(|here| Some(program.strip_prefix(here).ok()?.to_owned()));
    short.unwrap_or(program).display().to_string()
}
