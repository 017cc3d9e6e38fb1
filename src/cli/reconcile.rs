//! `reconcile`: asks Twilio for statuses that its callbacks did not report.

use std::io::Write;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Format, Outcome, UsageError};
use crate::cli::common::flags::bad_flag;
use crate::cli::common::flags::time_zone::{TimeZoneFlag, now};
use crate::cli::common::interrupt::Interrupt;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::config::{Reconciling, Settings};
use crate::domain::account_names::AccountNames;
use crate::domain::time::duration;
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::reconcile::{
    self, DryRun, REQUESTS_MAX, ReconcileError, ReconcilePlan, ReconcileSummary, Run,
};
use crate::server::configured_plan;
use crate::store::append_when_free;
use crate::twilio_api::{RequestError, RequestLimits};
use crate::wire::filter;

/// The arguments of `reconcile`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fetch messages that have been open for longer than this [default: 12h]
    #[arg(long, value_name = "TIME")]
    older_than: Option<String>,

    /// Do not fetch messages that have been open for longer than this [default: 72h]
    #[arg(long, value_name = "TIME")]
    give_up_after: Option<String>,

    /// List messages sent at or after this time: a length of time ago (24h, 7d), yesterday, a day, a local
    /// time (2026-11-25T10:00), or RFC 3339 [default: the last 24 hours, and back to where the last run
    /// ended]
    #[arg(long, value_name = "TIME", conflicts_with = "no_list")]
    since: Option<String>,

    /// List messages sent before this time [default: now]
    #[arg(long, value_name = "TIME", conflicts_with = "no_list", requires = "since")]
    until: Option<String>,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    /// Do not list messages; only fetch open ones
    #[arg(long)]
    no_list: bool,

    /// Do not fetch open messages; only list messages sent
    #[arg(long, conflicts_with = "no_list")]
    no_fetch: bool,

    /// Also fetch messages with a known outcome whose price is not known, if they are older than an hour
    /// [default: reconcile.prices]
    #[arg(long)]
    prices: bool,

    /// Query only this account, given by SID or name
    #[arg(long, value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// Make at most this many requests; the next run continues there [default: 10000]
    #[arg(long, value_name = "N")]
    max_requests: Option<u64>,

    /// Make no requests and change nothing; show what would be done
    #[arg(long)]
    dry_run: bool,

    /// Keep the text of messages in the log
    #[arg(long)]
    keep_content: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Fetches statuses from Twilio and appends the new ones.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let configured = settings.reconciling()?;
    let requests_max = args.max_requests.or(configured.requests_max).unwrap_or(REQUESTS_MAX);
    let plan = plan(&args, &configured, settings)?;
    let named = args.account_sid.as_deref().map(|named| settings.account(named)).transpose()?;
    let accounts = settings.credentials(named)?;
    if accounts.is_empty() {
        let text = "no Twilio account is configured: set TWILIO_ACCOUNT_SID";
        return Err(UsageError(text.to_owned()).into());
    }
    // The views show which messages are open.
    let up_to_date = ledger::up_to_date_by_views_rule(settings)?;
    if args.dry_run {
        let dry_run = reconcile::dry_run(&*up_to_date, &accounts, &plan)?;
        print_preview(&dry_run, &settings.account_names()?, args.format)?;
        return Ok(Outcome::Done);
    }
    drop(up_to_date);
    let store = ledger::to_append(settings)?;
    let interrupt = Interrupt::listen()?;
    let limits = RequestLimits::new(requests_max, move || interrupt.asked().is_break());
    let client = settings.twilio_client(limits.clone())?;
    let bar = progress::endless("reconcile {spinner} {msg}  {elapsed}");
    let mut append = |events: &[NewEvent]| append_when_free(&*store, events).map(|_| ());
    let mut tell = |summary: &ReconcileSummary| {
        bar.set_message(format!(
            "{} fetched, {} listed, {} added",
            number(summary.fetched),
            number(summary.listed),
            number(summary.appended)
        ));
        bar.tick();
    };
    let run = Run::new(&*store, &client, &accounts, &plan, &mut append, &mut tell);
    let (summary, outcome) = run.go();
    bar.finish_and_clear();
    let requests = requests_max - limits.requests_left();
    print(&summary, requests, outcome.as_ref().err(), args.format)?;
    match outcome {
        // The requested limit was reached.
        Err(ReconcileError::Request(RequestError::RequestsUsedUp)) => Ok(Outcome::Done),
        outcome => {
            outcome.context("the next run goes on where this one stopped")?;
            Ok(Outcome::Done)
        }
    }
}

fn plan(args: &Args, configured: &Reconciling, settings: &Settings) -> Result<ReconcilePlan> {
    let length = |flag: &str, text: &str| {
        duration::parse(text).ok().ok_or_else(|| {
            UsageError(format!(
                "{flag}: `{}` is not a length of time from 1s on, such as 12h",
                text.escape_debug()
            ))
        })
    };
    let mut plan = configured_plan(configured);
    if let Some(text) = &args.older_than {
        plan.older_than = length("--older-than", text)?;
    }
    if let Some(text) = &args.give_up_after {
        plan.give_up_after = length("--give-up-after", text)?;
    }
    if plan.give_up_after <= plan.older_than {
        let text = "nothing is older than one time and not older than another before it: \
                    --give-up-after is to be longer than --older-than";
        return Err(UsageError(text.to_owned()).into());
    }
    plan.fetch = !args.no_fetch;
    plan.keep_content |= args.keep_content;
    plan.prices |= args.prices;
    if args.no_list {
        plan.list = None;
    } else if args.since.is_some() {
        plan.list = Some(window(args, settings)?);
        plan.list_is_explicit = true;
    }
    Ok(plan)
}

fn window(args: &Args, settings: &Settings) -> Result<(Timestamp, Timestamp)> {
    let time = |name, text: &Option<String>| {
        text.as_deref().map(|text| args.time_zone.time(name, text, settings)).transpose()
    };
    let (since, until) = (time("since", &args.since)?, time("until", &args.until)?);
    filter::in_order(since, until).map_err(bad_flag)?;
    let now = now();
    Ok((since.unwrap_or(now), until.unwrap_or(now)))
}

fn print(
    summary: &ReconcileSummary,
    requests: u64,
    stopped_by: Option<&ReconcileError>,
    format: Format,
) -> Result<()> {
    let ReconcileSummary { fetched, listed, appended, known, inbound, not_found, .. } = *summary;
    let ReconcileSummary { given_up, without_credentials, failed, sends_found, .. } = *summary;
    let mut out = crate::cli::common::terminal::stdout();
    let counts = [
        ("requests", requests),
        ("fetched", fetched),
        ("listed", listed),
        ("appended", appended),
        ("known", known),
        ("inbound", inbound),
        ("not_found", not_found),
        ("given_up", given_up),
        ("without_credentials", without_credentials),
        ("failed", failed),
        ("sends_found", sends_found),
    ];
    match format {
        Format::Table => {
            for (name, count) in counts {
                writeln!(out, "{:19}  {}", name.replace('_', " "), number(count))?;
            }
            if let Some(stopped_by) = stopped_by {
                writeln!(out, "\nIt stopped before its end: {stopped_by}.")?;
            }
        }
        Format::Json => {
            let mut all: serde_json::Map<_, _> =
                counts.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect();
            all.insert("stopped_by".to_owned(), json!(stopped_by.map(ToString::to_string)));
            writeln!(out, "{:#}", serde_json::Value::Object(all))?;
        }
    }
    Ok(())
}

fn print_preview(dry_run: &DryRun, names: &AccountNames, format: Format) -> Result<()> {
    let DryRun { to_fetch, without_credentials, lists, unanswered_sends } = dry_run;
    let mut out = crate::cli::common::terminal::stdout();
    match format {
        Format::Table => {
            writeln!(out, "{} open messages would be fetched.", number(*to_fetch))?;
            if *without_credentials > 0 {
                let count = number(*without_credentials);
                writeln!(out, "{count} more are of accounts without credentials here.")?;
            }
            for (account_sid, since, until) in lists {
                let account = names.describe(account_sid.as_str());
                writeln!(out, "What {account} sent from {since} to {until} would be listed.")?;
            }
            if *unanswered_sends > 0 {
                writeln!(out, "{unanswered_sends} sends without an answer would be looked for.")?;
            }
            writeln!(out, "Nothing was asked, and nothing changed.")?;
        }
        Format::Json => {
            let list = |(account_sid, since, until): &(AccountSid, Timestamp, Timestamp)| {
                json!({
                    "account_sid": account_sid.as_str(),
                    "account_name": names.name(account_sid.as_str()),
                    "since": since.to_string(),
                    "until": until.to_string(),
                })
            };
            let json = json!({
                "dry_run": true,
                "to_fetch": to_fetch,
                "without_credentials": without_credentials,
                "lists": lists.iter().map(list).collect::<Vec<_>>(),
                "unanswered_sends": unanswered_sends,
            });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(())
}
