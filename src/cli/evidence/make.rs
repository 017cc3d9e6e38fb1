//! `evidence SID`: makes a bundle about one message.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::{Outcome, UsageError};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::common::text::{number, position};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::domain::{AccountSid, MessageSid, Position};
use crate::evidence::make::{MakeError, Request, make};
use crate::seal::metrics::SealMetrics;
use crate::seal::worker::{NotSealed, Sealing};
use crate::telemetry::eprint_line;

/// The arguments of `evidence SID`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// The SID of the message
    #[arg(required = true)]
    message_sid: Option<String>,

    /// The account of the message, by SID or configured name, if several have a message with this SID; '' is none
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// Only events up to this position
    #[arg(long, value_name = "POSITION", value_parser = position)]
    as_of_position: Option<Position>,

    /// The file, or - for stdout [default: SID.evidence.json]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes the bundle, and a seal if none covers the message.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let output = output(args)?;
    let request = request(args, settings)?;
    let Sealing { sealer, attesting } = settings.sealing()?;
    // Views have to be at the head, and a seal is written beside a server.
    let store = match sealer.is_some() {
        true => ledger::to_seal(settings)?,
        false => ledger::up_to_date_by_views_rule(settings)?,
    };
    let mut seal = |size| {
        let sealer = sealer.as_ref().ok_or(NotSealed::NoKey)?;
        let seal = sealer.seal(&*store, size)?;
        attesting.ask_all(&*store, &seal, &SealMetrics::default());
        Ok(seal)
    };
    let request = Request { rule: ledger::rule(settings, &*store)?, ..request };
    match make(&*store, &request, &mut seal) {
        Ok(bundle) => {
            write(&output, &bundle.to_text())?;
            let events = number(bundle.events.len() as u64);
            if output != Path::new("-") {
                eprint_line(format_args!(
                    "{} has {events} events of the message and their proofs; `evidence check` checks it",
                    output.display()
                ));
            }
            Ok(Outcome::Done)
        }
        Err(error @ MakeError::NotFound) => {
            eprint_line(format_args!("{error}: {}", request.message_sid.as_str().escape_debug()));
            Ok(Outcome::NotFound)
        }
        Err(MakeError::Ambiguous(accounts)) => {
            let accounts: Vec<_> = accounts.iter().map(AccountSid::as_str).collect();
            let accounts = accounts.join(", ");
            let text = format!(
                "{} accounts have a message with this SID; choose one with --account-sid: {accounts}",
                accounts.matches(',').count() + 1
            );
            Err(UsageError(text).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn request(args: &Args, settings: &Settings) -> Result<Request> {
    let sid = args.message_sid.as_deref().and_then(MessageSid::parse);
    let message_sid =
        sid.ok_or_else(|| UsageError("the SID of the message is empty".to_owned()))?;
    let names = settings.account_names()?;
    // An empty one is the message without an account.
    let account = |text: &String| match text.as_str() {
        "" => Ok(None),
        text => names
            .resolve(text)
            .map(Some)
            .map_err(|unknown| UsageError(format!("--account-sid: {unknown}"))),
    };
    Ok(Request {
        message_sid,
        account_sid: args.account_sid.as_ref().map(account).transpose()?,
        as_of: args.as_of_position,
        rule: settings.rule()?,
    })
}

fn output(args: &Args) -> Result<PathBuf, UsageError> {
    let sid = args.message_sid.as_deref().unwrap_or_default();
    match &args.output {
        Some(output) => Ok(output.clone()),
        None if sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(PathBuf::from(format!("{sid}.evidence.json")))
        }
        None => Err(UsageError("the SID is no name for a file; name one with --output".to_owned())),
    }
}

/// Only the owner can read the file: it has whatever the message's events have.
fn write(path: &Path, text: &str) -> Result<()> {
    if path == Path::new("-") {
        return Ok(terminal::stdout().write_all(text.as_bytes())?);
    }
    let write = || {
        let mut file = AtomicFile::create(path, OnExisting::Replace)?;
        file.write_all(text.as_bytes())?;
        file.finish()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
