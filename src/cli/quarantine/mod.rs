//! `quarantine`: requests that were refused for their signature, and what can be done with them.
//! Each works beside a running server and without one.

mod list;
mod purge;
mod recheck;
mod show;

use anyhow::Result;

use super::Outcome;
use crate::config::Settings;
use crate::quarantine::{self, Checked};
use crate::store::quarantine::RefusedRequest;
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
    /// What is kept, the newest first, without bodies
    List(list::Args),
    /// One request as it came, why it was refused, and what would make its signature fit
    Show(show::Args),
    /// Append what verifies now, once the public URL or a token was put right
    Recheck(recheck::Args),
    /// Remove what is kept, for good
    Purge(purge::Args),
}

/// Does what is asked for.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        Command::List(args) => list::run(&args, settings),
        Command::Show(args) => show::run(args, settings),
        Command::Recheck(args) => recheck::run(args, settings),
        Command::Purge(args) => purge::run(&args, settings),
    }
}

/// What a server would check signatures against.
pub struct Configured {
    pub accounts: Accounts,
    pub public_urls: Vec<BaseUrl>,
    pub callback_paths: Vec<CallbackPath>,
}

impl Configured {
    /// By flags, environment and file.
    pub fn of(public_urls: Vec<String>, settings: &Settings) -> Result<Self> {
        let mut public_urls = settings.public_urls(public_urls)?;
        if public_urls.is_empty() {
            // As serve guesses it.
            public_urls.extend(BaseUrl::parse(&format!("http://{}", settings.listen(None)?)));
        }
        let callback_paths = settings.callback_paths(Vec::new())?;
        Ok(Self { accounts: settings.accounts()?, public_urls, callback_paths })
    }

    /// What a refused request comes to now.
    pub fn check(&self, request: &RefusedRequest) -> Checked {
        quarantine::check(request, &self.accounts, &self.public_urls, &self.callback_paths)
    }
}
