//! `forward`: what the targets of forwarding have got, and what is sent to them again or never. Every
//! subcommand works with or without a running server, which notices a change within a second.

mod compare;
mod forget;
mod list;
mod retry;
mod skip;
mod test;

use anyhow::Result;

use super::{Outcome, UsageError};
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::domain::similar::suggestion;
use crate::store;
use crate::store::forward::ForwardStore;

/// The arguments of `forward`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the targets: how far each has got, and what it has not accepted
    List(list::Args),
    /// Send failed events again
    Retry(retry::Args),
    /// Never send certain events, or continue at another position
    Skip(skip::Args),
    /// Send one event that is marked as a test, and print the answer
    Test(test::Args),
    /// Report what a target refused, and what it has not accepted yet
    Compare(compare::Args),
    /// Remove the state of a target, which then begins anew if it is configured
    Forget(forget::Args),
}

/// Runs the subcommand.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        Command::List(args) => list::run(&args, settings),
        Command::Retry(args) => retry::run(&args, settings),
        Command::Skip(args) => skip::run(&args, settings),
        Command::Test(args) => test::run(&args, settings),
        Command::Compare(args) => compare::run(&args, settings),
        Command::Forget(args) => forget::run(&args, settings),
    }
}

/// Opens the store of forwarding to change it, for a target that is configured or has a state; `None` if no
/// target was ever started. Another name is wrong usage.
fn open_for(name: &str, settings: &Settings) -> Result<Option<Box<dyn ForwardStore>>> {
    let store = store::open_forward_store(&settings.database()?)?;
    check_name(name, settings, store.as_deref())?;
    Ok(store)
}

/// Fails for the name of a target that is not configured and has no state.
fn check_name(name: &str, settings: &Settings, store: Option<&dyn ForwardStore>) -> Result<()> {
    let states = store.map_or(Ok(Vec::new()), ForwardStore::targets)?;
    // Those that are invalid have a name too.
    let configured = settings.each_target().into_iter().map(|target| target.name);
    let mut known: Vec<_> = states.into_iter().map(|state| state.name).chain(configured).collect();
    known.sort_unstable();
    known.dedup();
    if known.iter().any(|one| one == name) {
        return Ok(());
    }
    let names = known.iter().map(String::as_str);
    let all = match known.is_empty() {
        true => "none is configured".to_owned(),
        false => format!("there are: {}", known.join(", ")),
    };
    let similar = suggestion(name, names);
    Err(UsageError(format!("there is no target `{}`; {all}{similar}", name.escape_debug())).into())
}

/// A number of events: `1 event`, `2,000 events`.
fn events(count: u64) -> String {
    match count {
        1 => "1 event".to_owned(),
        count => format!("{} events", number(count)),
    }
}
