//! `seal list`: lists the seals, newest first.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::config::Settings;
use crate::domain::hash::hex;
use crate::domain::time::zone::Zone;
use crate::seal::json::SealJson;
use crate::seal::stored::{AttestedSeal, seals};
use crate::store::seals::{SealQuery, SealRecordKind};
use crate::store::{self, Access};

/// The arguments of `seal list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Lists the seals.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let zone = args.time_zone.zone(settings)?;
    let store = store::open(&settings.database()?, Access::Read)?;
    let newest =
        SealQuery { newest_first: true, limit: args.limit, ..SealQuery::all(SealRecordKind::Seal) };
    let found = seals(&*store, &newest)?.into_iter();
    let found = found.map(|seal| seal.attested(&*store)).collect::<Result<Vec<_>, _>>()?;
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table if found.is_empty() => out.say("nothing was sealed yet")?,
        Format::Table => {
            let columns = out.columns();
            out.show(&table(&found, &zone).fit(columns))?;
        }
        Format::Json => {
            let data: Vec<_> = found.iter().map(SealJson::new).collect();
            writeln!(out, "{:#}", json!({ "data": data }))?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn table(seals: &[AttestedSeal], zone: &Zone) -> Table {
    let mut table = Table::new([
        Column::time("sealed", zone),
        Column::right("events"),
        Column::left("root"),
        Column::prose("attested by"),
    ]);
    for seal in seals {
        let SealJson { witnesses, timestamps, .. } = SealJson::new(seal);
        let witnesses = witnesses.into_iter().map(|witness| witness.name);
        let by = witnesses.chain(timestamps.into_iter().map(|timestamp| timestamp.authority));
        let by = by.collect::<Vec<_>>().join(", ");
        let root = hex(&seal.statement.root);
        table.row([
            Cell::time(seal.sealed_at, zone),
            Cell::number(seal.statement.size),
            Cell::text(&root).short(format!("{}…", &root[..12])),
            Cell::text(if by.is_empty() { "-".to_owned() } else { by }),
        ]);
    }
    table
}
