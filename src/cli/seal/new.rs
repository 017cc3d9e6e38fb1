//! `seal` and `seal new`: seals what the ledger has now.

use std::io::Write;

use anyhow::{Result, bail};

use super::super::{Format, Outcome};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::seal::json::SealJson;
use crate::seal::metrics::SealMetrics;
use crate::seal::stored::{StoredSeal, seal_of_size};
use crate::seal::worker::{NotSealed, Sealing};
use crate::store::Store;

/// The arguments of `seal` and `seal new`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Seals, asks the witnesses, and prints the note.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let Sealing { sealer, attesting } = settings.sealing()?;
    let Some(sealer) = sealer else { return Err(NotSealed::NoKey.into()) };
    let store = ledger::to_seal(settings)?;
    let seal = sealer.seal(&*store, None)?;
    attesting.ask_all(&*store, &seal, &SealMetrics::default());
    print(&*store, seal, args.format)
}

/// Prints a seal with what others have attested of it.
pub fn print(store: &dyn Store, seal: StoredSeal, format: Format) -> Result<Outcome> {
    let size = seal.statement.size;
    let Some(seal) = seal_of_size(store, size)? else { bail!("the seal of {size} events is gone") };
    let seal = seal.attested(store)?;
    let mut out = terminal::stdout();
    match format {
        Format::Table => write!(out, "{}", seal.note)?,
        Format::Json => writeln!(out, "{:#}", serde_json::to_value(SealJson::new(&seal))?)?,
    }
    Ok(Outcome::Done)
}
