//! `forward test`: sends one event to a target from this command, signed, and marked as a test.

use std::io::Write;

use anyhow::{Context, Result, bail};
use serde_json::json;
use uuid::Uuid;

use super::super::{Format, Outcome};
use crate::cli::common::flags::time_zone::now;
use crate::cli::common::terminal;
use crate::config::Settings;
use crate::domain::AccountSid;
use crate::forward::answers::advice;
use crate::forward::request::Sender;
use crate::forward::single::{SingleSender, TimedOutcome, test_event};
use crate::forward::target::Target;
use crate::store::{self, Access, StoreError};
use crate::text::in_words;
use crate::twilio::accounts::Accounts;

/// The account of the event if none is configured.
const NO_ACCOUNT: &str = "AC00000000000000000000000000000000";

/// The arguments of `forward test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target
    name: String,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Sends the event and prints the answer; fails unless the target accepts it.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let name = &args.name;
    let database = settings.database()?;
    super::check_name(name, settings, store::read_forward_store(&database)?.as_deref())?;
    let targets = settings.targets()?;
    let target = targets.iter().find(|target| target.name == *name);
    let target = target.with_context(|| format!("the target {name} is no longer configured"))?;
    let accounts = match target.format.is_request() {
        true => settings.accounts()?,
        // Signed with the secret of the target.
        false => settings.accounts().unwrap_or_else(|_| Accounts::new([])),
    };
    let ledger_id = match store::open(&database, Access::Read) {
        Ok(log) => log.ledger_id(),
        // A target may be tested before the first start.
        Err(StoreError::NotFound { .. }) => Uuid::nil(),
        Err(error) => return Err(error.into()),
    };
    let error_codes = settings.error_codes(None)?;
    let sender = Sender { target, ledger_id, accounts: &accounts, error_codes: &error_codes };
    let event = test_event::test_event(&account(target, &accounts), now());
    let mut request = sender.request(&event, 1, now())?;
    test_event::mark(&mut request);
    let sent = SingleSender::new(target)?.send(request);
    print(target, &sent, args.format)
}

/// The account whose events the target gets, or the first one.
fn account(target: &Target, accounts: &Accounts) -> AccountSid {
    let selected = target.selection.filter.account_sid.clone();
    let first = || accounts.iter().next().map(|(sid, _)| sid.clone());
    let none = || AccountSid::parse(NO_ACCOUNT).expect("it is not empty");
    selected.or_else(first).unwrap_or_else(none)
}

fn print(target: &Target, sent: &TimedOutcome, format: Format) -> Result<Outcome> {
    let TimedOutcome { outcome, took } = sent;
    let (url, answer, failure) = (target.shown_url(), outcome.text(), outcome.failure());
    let mut out = terminal::stdout();
    match format {
        Format::Table => writeln!(
            out,
            "test event to {} at {url}: {} after {}",
            target.name,
            failure.as_ref().map_or(format!("accepted with {answer}"), |_| answer.clone()),
            in_words(*took),
        )?,
        Format::Json => {
            let json = json!({ "target": target.name, "url": url, "forwarded": sent.as_json() });
            writeln!(out, "{json:#}")?;
        }
    }
    out.flush()?;
    match failure {
        None => Ok(Outcome::Done),
        Some(failure) => bail!("{}: {failure}; {}", target.name, advice(&answer)),
    }
}
