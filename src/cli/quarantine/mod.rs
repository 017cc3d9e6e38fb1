//! `quarantine`: lists, shows, rechecks and deletes requests that the callback listener rejected. Every
//! subcommand works with or without a running server.

mod list;
mod purge;
mod recheck;
mod show;

use anyhow::Result;

use super::Outcome;
use crate::config::{self, Flags, Settings};
use crate::quarantine::ListenerSettings;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

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

/// The configuration that a server would check signatures with.
pub struct Configured {
    pub accounts: Accounts,
    pub public_urls: Vec<BaseUrl>,
    pub callback_paths: Vec<CallbackPath>,
}

impl Configured {
    /// The parts of the settings that decide about a callback.
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        let mut public_urls = settings.public_urls()?;
        if public_urls.is_empty() {
            // The same default as in `serve`.
            public_urls.extend(BaseUrl::parse(&format!("http://{}", settings.listen()?)));
        }
        let callback_paths = settings.callback_paths()?;
        Ok(Self { accounts: settings.accounts()?, public_urls, callback_paths })
    }

    /// The settings of the callback listener.
    pub fn accepts(&self) -> ListenerSettings<'_> {
        let Self { accounts, public_urls, callback_paths } = self;
        ListenerSettings { accounts, public_urls, callback_paths }
    }
}

/// The flags that some of the subcommands share with `serve`.
fn url_flags(public_urls: Vec<String>, callback_paths: Vec<String>) -> Flags {
    let flags = Flags::default().with(&config::PUBLIC_URL, public_urls);
    flags.with(&config::CALLBACK_PATH, callback_paths)
}
