//! The options that every command has.

use std::path::PathBuf;

use anstream::ColorChoice;
use clap::{ArgAction, ValueHint};

use crate::cli::help;
use crate::config::{self, Flags};
use crate::telemetry::Verbosity;

/// The options, under a heading of their own in every help page.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalOptions {
    /// The configuration file [default: delivery-ledger.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    #[arg(long, global = true, value_name = "URL", help = help(&config::DATABASE,
        "The ledger, as sqlite:PATH or postgres://user@host/database"))]
    database: Option<String>,

    /// When to use colours: auto is on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false
    )]
    color: clap::ColorChoice,

    /// Show long output at once instead of in a pager
    #[arg(long, global = true)]
    no_pager: bool,

    /// Log only errors, and show no progress
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// Log more; twice for even more
    #[arg(long, short, global = true, action = ArgAction::Count)]
    verbose: u8,
}

impl GlobalOptions {
    /// Makes all output follow `--color`. Without it, the environment and the terminal decide.
    pub fn apply_color(&self) {
        let choice = match self.color {
            clap::ColorChoice::Auto => ColorChoice::Auto,
            clap::ColorChoice::Always => ColorChoice::Always,
            clap::ColorChoice::Never => ColorChoice::Never,
        };
        choice.write_global();
    }

    /// Which log lines are wanted.
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Usual,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::VeryVerbose,
        }
    }

    /// The options that are settings.
    pub fn flags(&self) -> Flags {
        let flags = Flags::default().with(&config::DATABASE, self.database.clone());
        flags.with(&config::PAGER, self.no_pager.then(|| config::NO_PAGER.to_owned()))
    }
}
