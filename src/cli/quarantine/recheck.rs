//! `quarantine recheck`: appends stored requests that are valid now, with their original time of
//! arrival.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::json;

use super::super::{Format, Outcome, help};
use super::accepted_by;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::config::{self, ListenerConfig, Settings};
use crate::quarantine::recheck::{Rechecked, recheck, recheck_dry_run};
use crate::store::{self, Access, Task};

/// The arguments of `quarantine recheck`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long = "public-url", value_name = "URL", help = help(&config::PUBLIC_URL,
        "A public URL to check against, as for serve; repeatable"))]
    public_urls: Vec<String>,

    #[arg(long = "callback-path", value_name = "PATH", help = help(&config::CALLBACK_PATH,
        "A callback path, as for serve; repeatable"))]
    callback_paths: Vec<String>,

    /// Show what would be appended, and append nothing
    #[arg(long)]
    dry_run: bool,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Checks every stored request and prints how many were appended.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let flags = super::url_flags(args.public_urls, args.callback_paths);
    let configured = settings.with_flags(flags).listener()?;
    let rechecked = match args.dry_run {
        true => dry_run(&configured, settings)?,
        false => for_real(&configured, settings)?,
    };
    let mut out = crate::cli::common::terminal::stdout();
    match args.format {
        Format::Table => out.write_all(for_people(&rechecked, args.dry_run).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", as_json(&rechecked, args.dry_run))?,
    }
    Ok(Outcome::Done)
}

fn dry_run(configured: &ListenerConfig, settings: &Settings) -> Result<Rechecked> {
    let database = settings.database()?;
    let store = store::open(&database, Access::Read)?;
    match store::read_quarantine(&database)? {
        Some(quarantine) => Ok(recheck_dry_run(&*quarantine, &*store, &accepted_by(configured))?),
        None => Ok(Rechecked::default()),
    }
}

fn for_real(configured: &ListenerConfig, settings: &Settings) -> Result<Rechecked> {
    let database = settings.database()?;
    let Some(mut quarantine) = store::open_quarantine(&database)? else {
        return Ok(Rechecked::default());
    };
    let store = ledger::to_append(settings)?;
    // Two concurrent rechecks could both append a request before one of them deletes it.
    let Some(_alone) = store.begin(Task::Recheck)? else {
        bail!("another recheck of {database} is running; wait until it has finished");
    };
    let bar = progress::over_events(quarantine.size()?.requests, "recheck");
    let rechecked =
        recheck(&mut *quarantine, &*store, &accepted_by(configured), &mut |rechecked| {
            bar.set_position(rechecked.requests);
        });
    bar.finish_and_clear();
    Ok(rechecked?)
}

fn for_people(rechecked: &Rechecked, dry_run: bool) -> String {
    let appended = if dry_run { "would be appended" } else { "appended" };
    let Rechecked { requests, already_there, refused, .. } = rechecked;
    let there = match already_there {
        0 => String::new(),
        there => format!(", {} already in the log", number(*there)),
    };
    format!(
        "{} rechecked: {} {appended}{there}, {} still refused\n",
        number(*requests),
        number(rechecked.appended),
        number(*refused),
    )
}

fn as_json(rechecked: &Rechecked, dry_run: bool) -> serde_json::Value {
    json!({
        "rechecked": rechecked.requests,
        "appended": rechecked.appended,
        "already_there": rechecked.already_there,
        "refused": rechecked.refused,
        "dry_run": dry_run,
    })
}
