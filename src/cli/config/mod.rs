//! `config`: the configuration as this program understands it.

mod listing;
mod show;

use std::path::Path;

use anyhow::Result;

use super::Outcome;
use crate::config::Flags;

/// The arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every setting with its value in effect and where it came from; secrets only as set
    Show(show::Args),
}

/// Runs the subcommand. An invalid configuration is what it reports, not an error.
pub fn run(args: &Args, config: Option<&Path>, flags: Flags) -> Result<Outcome> {
    match &args.command {
        Command::Show(args) => show::run(args, config, flags),
    }
}
