//! `seal`: seals the ledger, shows its seals, and checks those of others.

mod check;
mod consistency;
mod key;
mod list;
mod new;
mod show;

use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use serde::Deserialize;

use super::{Outcome, UsageError};
use crate::config::Settings;
use crate::domain::hash::Hash;
use crate::domain::statement::Statement;
use crate::seal::note::Note;
use crate::seal::note::key::{PublicKey, STRICT_BASE64};

/// The arguments of `seal`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    new: new::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Seal the events that the ledger has now, and print the seal; the same as `seal` alone
    New(new::Args),
    /// List the seals, newest first, with who has attested of them
    List(list::Args),
    /// Print a seal as it is given to others: the last one, or that of a number of events
    Show(show::Args),
    /// Print the proof that one seal is of the beginning of what another is of
    Consistency(consistency::Args),
    /// Check two seals and the proof between them; needs no ledger
    Check(check::Args),
    /// Make, show or change the key that signs seals
    Key(key::Args),
}

impl Args {
    /// Whether it checks files and needs neither a ledger nor settings.
    pub fn is_offline(&self) -> bool {
        matches!(self.command, Some(Command::Check(_)))
    }
}

/// Runs the subcommand.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        None => new::run(&args.new, settings),
        Some(Command::New(args)) => new::run(&args, settings),
        Some(Command::List(args)) => list::run(&args, settings),
        Some(Command::Show(args)) => show::run(&args, settings),
        Some(Command::Consistency(args)) => consistency::run(&args, settings),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Key(args)) => key::run(args, settings),
    }
}

/// Runs a subcommand that needs no settings.
pub fn run_offline(args: Args) -> Result<Outcome> {
    match args.command {
        Some(Command::Check(args)) => check::run(&args),
        _ => bail!("it needs a ledger"),
    }
}

/// A seal in a file, and what it says.
pub fn read_seal(path: &Path) -> Result<(Note, Statement)> {
    let of_file = || path.display().to_string();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", of_file()))?;
    let note = Note::parse(&text).with_context(of_file)?;
    let statement = Statement::parse(&note.text).with_context(of_file)?;
    Ok((note, statement))
}

/// A public key, as a flag has it.
pub fn parse_key(flag: &str, text: &str) -> Result<PublicKey, UsageError> {
    PublicKey::parse(text)
        .map_err(|error| UsageError(format!("{flag}: `{}`: {error}", PublicKey::shown(text))))
}

/// The members of a proof; the others only say what the seals say.
#[derive(Deserialize)]
struct Proof {
    proof: Vec<String>,
}

/// The hashes of a proof in a file.
pub fn read_proof(path: &Path) -> Result<Vec<Hash>> {
    let of_file = || format!("{} is not a proof as `seal consistency` prints it", path.display());
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let Proof { proof } = serde_json::from_slice(&bytes).with_context(of_file)?;
    let hash = |text: &String| -> Result<Hash> {
        let bytes = STRICT_BASE64.decode(text).with_context(of_file)?;
        bytes.try_into().map_err(|_| anyhow::anyhow!("{}: a hash has 32 bytes", of_file()))
    };
    proof.iter().map(hash).collect()
}
