//! `evidence`: makes a bundle about one message, or checks one.

mod check;
mod make;

use anyhow::{Result, bail};

use super::Outcome;
use crate::config::Settings;

/// The arguments of `evidence`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    make: make::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a bundle; needs neither a ledger nor a network
    Check(check::Args),
}

impl Args {
    /// Whether it checks a file and needs neither a ledger nor settings.
    pub fn is_offline(&self) -> bool {
        self.command.is_some()
    }
}

/// Makes a bundle.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    make::run(&args.make, settings)
}

/// Checks a bundle.
pub fn run_offline(args: Args) -> Result<Outcome> {
    match args.command {
        Some(Command::Check(args)) => check::run(args),
        None => bail!("it needs a file"),
    }
}
