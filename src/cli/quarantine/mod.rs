//! `quarantine`: lists, shows, rechecks and deletes requests that the callback listener rejected. Every
//! subcommand works with or without a running server.

mod list;
mod purge;
mod recheck;
mod show;

use anyhow::Result;

use super::Outcome;
use crate::config::{self, Flags, ListenerConfig, Settings};
use crate::quarantine::ListenerSettings;

/// The arguments of `quarantine`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the stored requests, newest first, without bodies
    List(list::Args),
    /// Show one request, why it was rejected, and what would make it valid
    Show(show::Args),
    /// Check the requests again, and append those that are valid with the current settings
    Recheck(recheck::Args),
    /// Delete requests permanently
    Purge(purge::Args),
}

/// Runs the subcommand.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        Command::List(args) => list::run(&args, settings),
        Command::Show(args) => show::run(args, settings),
        Command::Recheck(args) => recheck::run(args, settings),
        Command::Purge(args) => purge::run(&args, settings),
    }
}

/// The settings of a callback listener with this configuration.
fn accepted_by(configured: &ListenerConfig) -> ListenerSettings<'_> {
    let ListenerConfig { accounts, public_urls, callback_paths } = configured;
    ListenerSettings { accounts, public_urls, callback_paths }
}

/// The flags that some of the subcommands share with `serve`.
fn url_flags(public_urls: Vec<String>, callback_paths: Vec<String>) -> Flags {
    let flags = Flags::default().with(&config::PUBLIC_URL, public_urls);
    flags.with(&config::CALLBACK_PATH, callback_paths)
}
