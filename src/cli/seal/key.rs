//! `seal key`: makes, shows and changes the key that signs seals.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::super::{Format, Outcome};
use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::seal::note::key::{PrivateKey, PublicKey};
use crate::seal::stored::origin;
use crate::seal::worker::NotSealed;
use crate::store::{self, Access};
use crate::telemetry::eprint_line;

/// The arguments of `seal key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key for this ledger in a new file, which only its owner can read, and print the public key
    New(FileArgs),
    /// Print the public key, which auditors need before they need a seal
    Show(ShowArgs),
    /// Let another key sign from now on, and have the old one vouch for it
    Change(FileArgs),
}

/// The file of a key.
#[derive(Debug, clap::Args)]
pub struct FileArgs {
    /// The file
    file: PathBuf,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// The arguments of `seal key show`.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Runs the subcommand.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    match args.command {
        Command::New(args) => new(&args, settings),
        Command::Show(args) => show(&args, settings),
        Command::Change(args) => change(&args, settings),
    }
}

fn new(args: &FileArgs, settings: &Settings) -> Result<Outcome> {
    let store = store::open(&settings.database()?, Access::Read)?;
    let key = make(&args.file, &origin(&*store, &settings.seal_prefix()?)?)?;
    print(&key.public(), args.format)?;
    if args.format == Format::Table {
        let file = args.file.display();
        eprint_line(format_args!(
            "{file} has the private key: set seal.key_file to it, and give the public key above to auditors now"
        ));
    }
    Ok(Outcome::Done)
}

fn show(args: &ShowArgs, settings: &Settings) -> Result<Outcome> {
    let Some(sealer) = settings.sealing()?.sealer else { return Err(NotSealed::NoKey.into()) };
    print(&sealer.key.public(), args.format)?;
    Ok(Outcome::Done)
}

/// The file may have a key already, or gets one.
fn change(args: &FileArgs, settings: &Settings) -> Result<Outcome> {
    let Some(sealer) = settings.sealing()?.sealer else { return Err(NotSealed::NoKey.into()) };
    let store = ledger::to_append(settings)?;
    let new = match std::fs::read_to_string(&args.file) {
        Ok(text) => {
            let text = SecretString::from(text);
            PrivateKey::parse(text.expose_secret())
                .with_context(|| args.file.display().to_string())?
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            make(&args.file, &origin(&*store, &sealer.prefix)?)?
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", args.file.display()));
        }
    };
    if new.public() == sealer.key.public() {
        bail!("{} has the key that signs already; name another file", args.file.display());
    }
    let note = sealer.change_key(&*store, &new)?;
    let mut out = terminal::stdout();
    match args.format {
        Format::Table => {
            write!(out, "{note}")?;
            eprint_line(format_args!(
                "the change is recorded; now set seal.key_file to {}, and give auditors this note",
                args.file.display()
            ));
        }
        Format::Json => {
            let (old, new) = (sealer.key.public().to_string(), new.public().to_string());
            let json = json!({ "note": note.to_string(), "old_key": old, "new_key": new });
            writeln!(out, "{json:#}")?;
        }
    }
    Ok(Outcome::Done)
}

/// Makes a key in a new file, which only its owner can read.
fn make(path: &Path, origin: &str) -> Result<PrivateKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the system has no random bytes")?;
    let key = PrivateKey::new(origin, seed);
    let write = || {
        let mut file = AtomicFile::create(path, OnExisting::Keep)?;
        file.write_all(key.to_secret_text().as_bytes())?;
        file.finish()
    };
    match write() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} exists and will not be overwritten; name a new file", path.display())
        }
        written => {
            written.with_context(|| format!("cannot write the key to {}", path.display()))?;
        }
    }
    Ok(key)
}

fn print(key: &PublicKey, format: Format) -> Result<()> {
    let mut out = terminal::stdout();
    match format {
        Format::Table => writeln!(out, "{key}")?,
        Format::Json => {
            let (name, id) = (key.name(), format!("{:08x}", key.id()));
            writeln!(out, "{:#}", json!({ "key": key.to_string(), "name": name, "id": id }))?;
        }
    }
    Ok(())
}
