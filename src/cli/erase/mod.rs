//! `erase`: removes the content of messages from the ledger for good, also while a server runs.

mod output;
pub mod repeat;

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::Result;

use super::{Format, Outcome, UsageError};
use crate::cli::common::flags::time_zone::{TimeZoneFlag, now};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::config::Settings;
use crate::domain::{AccountSid, MessageSid};
use crate::erase::{
    Address, Consent, EraseError, Ledger, Request, Selection, Step, Which,
    has_international_number, preview, record_of,
};
use crate::store::{self, Access};

/// The arguments of `erase`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    what: What,

    /// With --message: the account, if several have such a message
    #[arg(
        long,
        value_name = "SID",
        requires = "message",
        conflicts_with_all = ["address", "before", "again", "record"]
    )]
    account_sid: Option<String>,

    /// The reference number of the request, which is stored in the log; no names, no addresses
    #[arg(long, value_name = "TEXT")]
    request: Option<String>,

    /// Erase nothing; show how much would be erased
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Also messages that are open, and sends, that are younger than 30 days
    #[arg(long)]
    open: bool,

    /// Also if the address is a sender of yours
    #[arg(long)]
    sender: bool,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Exactly one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The message with this SID
    #[arg(long, value_name = "SID")]
    message: Option<String>,

    /// Every message that has this address as sender or recipient, on whatever channel
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,

    /// Every message whose last event arrived before this time: a length of time ago (1095d), a day, a local
    /// time (2026-11-25T10:00), or RFC 3339
    #[arg(long, value_name = "TIME")]
    before: Option<String>,

    /// What has arrived since of messages that were erased before
    #[arg(long)]
    again: bool,

    /// Nothing; print the record of all erasures, to be stored with the backups
    #[arg(long)]
    record: bool,
}

/// The length of a reference, in characters.
const REFERENCE_MAX: usize = 200;

/// Shows what would be erased, asks, erases, and prints the record; exit code 3 if events of other messages
/// mention the address.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let database = settings.database()?;
    if args.what.record {
        return output::print_record(&record_of(&*store::open(&database, Access::Read)?)?);
    }
    let which = which(&args, settings)?;
    let reference = args.request.as_deref().map_or(Ok(""), |text| reference(text, &which))?;
    let consent = Consent { open: args.open, sender: args.sender };
    let request = Request { which: &which, reference, consent, now: &now };
    let interrupt = Interrupt::listen()?;
    let log = match args.dry_run {
        true => store::open(&database, Access::Read)?,
        false => ledger::to_append(settings)?,
    };
    if args.dry_run || !args.yes {
        let found = preview(&*log, &request, &mut |_| interrupt.asked()).map_err(usage)?;
        if args.dry_run {
            return output::print_preview(&found, args.format);
        }
        if !is_confirmed(&found)? {
            return Ok(Outcome::Done);
        }
    }
    log.erasing().check_may_erase()?;
    let views = ledger::to_replay(settings, Access::Write)?;
    let rule = ledger::rule(settings, &*views)?;
    let parts = Ledger { database: &database, log: &*log, views: &*views, rule };
    let bar = progress::over_events(log.head()?, "rebuild");
    let erased = crate::erase::erase(&parts, &request, &mut |step| {
        if let Step::Rebuilding(position) = step {
            bar.set_position(position);
        }
        interrupt.asked()
    });
    bar.finish_and_clear();
    output::print(&*log, &erased.map_err(usage)?, args.format)
}

fn which(args: &Args, settings: &Settings) -> Result<Which> {
    let What { message, address, before, again: _, record: _ } = &args.what;
    if let Some(sid) = message {
        let empty = |flag: &str| UsageError(format!("{flag}: it is empty"));
        let message_sid = MessageSid::parse(sid).ok_or_else(|| empty("--message"))?;
        let account_sid = args
            .account_sid
            .as_deref()
            .map(|sid| AccountSid::parse(sid).ok_or_else(|| empty("--account-sid")));
        let account_sid = account_sid.transpose()?;
        return Ok(Which::Message { message_sid, account_sid });
    }
    if let Some(address) = address {
        let address = Address::parse(address);
        return Ok(Which::Address(address.map_err(|why| UsageError(format!("--address: {why}")))?));
    }
    match before {
        Some(time) => Ok(Which::Before(args.time_zone.time("before", time, settings)?)),
        None => Ok(Which::Again),
    }
}

/// The reference of a request, which stays in the log for ever.
fn reference<'r>(text: &'r str, which: &Which) -> Result<&'r str> {
    let wrong = |why: &str| Err(UsageError(format!("--request: {why}")).into());
    if text.trim().is_empty() {
        return wrong("it is empty; give the number of the request, such as DSR-2026-17");
    }
    if text.chars().count() > REFERENCE_MAX {
        return wrong("it is longer than 200 characters");
    }
    match which {
        Which::Address(address) if address.is_in_bytes(text.as_bytes()) => {
            wrong("it contains the address, and stays in the log; give a number instead")
        }
        _ if has_international_number(text) => wrong(
            "it contains a telephone number, and stays in the log; give the number of the request, such as \
             DSR-2026-17",
        ),
        _ => Ok(text),
    }
}

/// A refusal as an error of usage: it says what to repeat the command with.
fn usage(error: EraseError) -> anyhow::Error {
    match error {
        EraseError::Refused(refusal) => UsageError(refusal.to_string()).into(),
        error => error.into(),
    }
}

/// Asks whether to go on; an error if nobody can be asked.
fn is_confirmed(found: &Selection) -> Result<bool> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(UsageError("nobody can be asked; repeat with --yes".to_owned()).into());
    }
    let more = if found.looked_at < found.up_to { " and more" } else { "" };
    print!(
        "Erase {} events of {} messages{more}? This cannot be undone. [y/N] ",
        number(found.events()),
        number(found.messages())
    );
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
