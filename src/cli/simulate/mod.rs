//! `simulate`: sends signed callbacks to a URL, with the faults of real traffic.

mod consent;

use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::{Outcome, UsageError};
use crate::cli::common::progress;
use crate::config::Settings;
use crate::simulate::{FIXED_RECEIPT, Load, Signer, SimulationPlan, Target, run as send};

/// The arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The URL to call, such as http://127.0.0.1:8080/message-status
    #[arg(long, value_name = "URL")]
    target: String,

    /// The URL of the target's admin listener, which reports whether the ledger has events that no
    /// simulation sent
    #[arg(long, value_name = "URL", default_value = consent::DEFAULT_ADMIN)]
    admin: String,

    /// Also send to a ledger that has, or may have, real events; simulated events cannot be removed
    /// from it
    #[arg(long)]
    yes: bool,

    /// The URL to sign, if a proxy changes it [default: the target]
    #[arg(long, value_name = "URL")]
    signed_url: Option<String>,

    /// The number of messages; each has one to three callbacks
    #[arg(long, default_value_t = 1000)]
    messages: u64,

    /// The number of callbacks in flight at once
    #[arg(long, default_value_t = 16)]
    connections: usize,

    /// Callbacks per second [default: as fast as they are answered]
    #[arg(long)]
    rate: Option<f64>,

    /// Stop after this many seconds
    #[arg(long)]
    seconds: Option<f64>,

    /// Let the traffic rise and fall as over a day, compressed to this many seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "rate")]
    day: Option<f64>,

    /// The seed of the random traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Send callbacks out of order
    #[arg(long)]
    shuffle: bool,

    /// Share of callbacks that are sent as duplicates
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    duplicates: f64,

    /// Share of callbacks that are not sent
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    lose: f64,

    /// Share of messages reported both undelivered and delivered
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    conflicts: f64,

    /// Share of messages sent by a messaging service, whose first status is queued
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    queued: f64,

    /// Share of callbacks signed with a wrong token
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    forged: f64,

    /// Write each acknowledged callback to this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    acked_log: Option<PathBuf>,
}

/// Sends the traffic and prints a summary as JSON. Unless `--yes` is given, the ledger must have no real
/// events. An acknowledged forged callback is a finding.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let plan = plan(&args, settings)?;
    let load = load(&args)?;
    if !args.yes {
        consent::require(&load.target, &args.admin, settings)?;
    }
    let signed_url = args.signed_url.as_deref().unwrap_or(load.target.as_str());
    let signer = Signer::new(signed_url, settings.environment_keys()?.primary);
    let acked = args.acked_log.as_ref().map(|path| {
        let file = File::create(path);
        file.with_context(|| format!("--acked-log: cannot write {}", path.display()))
    });
    let acked = acked.transpose()?.map(|file| Box::new(LineWriter::new(file)) as _);
    let bar = progress::endless("simulate {human_pos} answered  {per_sec}  {elapsed}");
    let tick = bar.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let summary =
        runtime.block_on(send(load, signer, plan.callbacks(), acked, move || tick.inc(1)));
    bar.finish_and_clear();
    let summary = summary?;
    let mut out = crate::cli::common::terminal::stdout();
    writeln!(out, "{}", serde_json::to_string_pretty(&summary)?)?;
    match summary.forged_acknowledged {
        0 => Ok(Outcome::Done),
        _ => Ok(Outcome::CheckFoundSomething),
    }
}

fn plan(args: &Args, settings: &Settings) -> Result<SimulationPlan> {
    for (flag, share) in [
        ("--duplicates", args.duplicates),
        ("--lose", args.lose),
        ("--conflicts", args.conflicts),
        ("--queued", args.queued),
        ("--forged", args.forged),
    ] {
        if !(0.0..=1.0).contains(&share) {
            return Err(UsageError(format!("{flag}: {share} is not a share from 0 to 1")).into());
        }
    }
    Ok(SimulationPlan {
        account_sid: settings.environment_account()?,
        messages: args.messages,
        seed: args.seed,
        shuffle: args.shuffle,
        duplicates: args.duplicates,
        lose: args.lose,
        conflicts: args.conflicts,
        queued: args.queued,
        forged: args.forged,
        receipt: FIXED_RECEIPT.to_owned(),
    })
}

fn load(args: &Args) -> Result<Load> {
    let positive = |flag: &str, number: Option<f64>| match number {
        Some(number) if !(0.001..1e9).contains(&number) => {
            Err(UsageError(format!("{flag}: {number} is not a number from 0.001 to a billion")))
        }
        other => Ok(other),
    };
    if args.connections == 0 {
        return Err(UsageError("--connections: 0 connections send nothing".to_owned()).into());
    }
    Ok(Load {
        target: Target::parse(&args.target)
            .map_err(|wrong| UsageError(format!("--target: {wrong}")))?,
        connections: args.connections,
        rate: positive("--rate", args.rate)?,
        seconds: positive("--seconds", args.seconds)?,
        day_seconds: positive("--day", args.day)?,
    })
}
