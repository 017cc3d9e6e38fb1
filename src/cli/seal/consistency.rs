//! `seal consistency`: prints the proof that one seal is of the beginning of what another is of.

use std::io::Write;

use anyhow::{Result, bail};

use super::super::{Outcome, UsageError};
use crate::cli::common::text::{number, position};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::domain::Position;
use crate::domain::statement::Statement;
use crate::projection::proofs::consistency_proof;
use crate::seal::json::ConsistencyJson;
use crate::seal::stored::seal_of_size;
use crate::store::Store;

/// The arguments of `seal consistency`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of events of the earlier seal
    #[arg(value_parser = position)]
    from: Position,

    /// The number of events of the later one
    #[arg(value_parser = position)]
    to: Position,
}

/// Prints the proof as JSON.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let Args { from, to } = *args;
    if from > to {
        let text = format!("FROM, {}, is more than TO, {}", number(from), number(to));
        return Err(UsageError(text).into());
    }
    let store = ledger::up_to_date_by_views_rule(settings)?;
    let (first, second) = (sealed(&*store, from)?, sealed(&*store, to)?);
    let proof = consistency_proof(&*store, from, to)?;
    let json = ConsistencyJson::new(&first, &second, &proof);
    writeln!(terminal::stdout(), "{:#}", serde_json::to_value(json)?)?;
    Ok(Outcome::Done)
}

fn sealed(store: &dyn Store, size: Position) -> Result<Statement> {
    match seal_of_size(store, size)? {
        Some(seal) => Ok(seal.statement),
        None => bail!("no seal is of {} events; `seal list` shows which are", number(size)),
    }
}
