//! `quarantine list`: lists rejected requests with their reasons, without bodies.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::super::{Format, Outcome};
use crate::cli::common::flags::bad_flag;
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal;
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::text::number;
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::store;
use crate::store::quarantine::{QuarantineSize, QuarantinedRequest, Rank};
use crate::wire::filter::in_order;
use crate::wire::mask;

/// The number of requests that are read at a time, because each includes its body.
const READ_REQUESTS: usize = 100;

/// The maximum length of a path in the table: paths come from clients and may be long.
const PATH_CHARACTERS_MAX: usize = 60;

/// The arguments of `quarantine list`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The maximum number, newest first
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,

    /// Only requests received at this time or later: a length of time ago (24h, 7d), yesterday, a day, a
    /// local time (2026-11-25T10:00), or RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,

    /// Only requests received before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

/// Prints the list.
pub fn run(args: &Args, settings: &Settings) -> Result<Outcome> {
    let zone = args.time_zone.zone(settings)?;
    let (size, requests) = read(args, settings)?;
    let mut out = terminal::paged(settings);
    match args.format {
        Format::Table => out.show(&for_people(size, &requests, &zone, out.columns()))?,
        Format::Json => writeln!(out, "{:#}", as_json(size, &requests))?,
    }
    Ok(Outcome::Done)
}

/// One line of the list.
struct Entry {
    request: QuarantinedRequest,
    bytes: usize,
}

fn read(args: &Args, settings: &Settings) -> Result<(QuarantineSize, Vec<Entry>)> {
    let time = |name: &str, text: &Option<String>| {
        let time = text.as_deref().map(|text| args.time_zone.time(name, text, settings));
        time.transpose()
    };
    let (since, until) = (time("since", &args.since)?, time("until", &args.until)?);
    in_order(since, until).map_err(bad_flag)?;
    let in_period = |at: Timestamp| {
        since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
    };
    let Some(quarantine) = store::read_quarantine(&settings.database()?)? else {
        return Ok((QuarantineSize::default(), Vec::new()));
    };
    let (mut before, mut entries) = (None, Vec::new());
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    while entries.len() < limit {
        let page = quarantine.newest(before, limit.min(READ_REQUESTS))?;
        let Some((last, _)) = page.last() else { break };
        before = Some(*last);
        let requests = page.into_iter().map(|(_, request)| request);
        let found = requests.filter(|request| in_period(request.received_at));
        entries.extend(found.take(limit - entries.len()).map(Entry::of));
    }
    Ok((quarantine.size()?, entries))
}

impl Entry {
    /// The entry of a request: its path with addresses masked, without query and body.
    fn of(request: QuarantinedRequest) -> Self {
        let bytes = request.body.len();
        let path = request.target.split('?').next().unwrap_or_default();
        let request = QuarantinedRequest { target: mask::path(path), body: Vec::new(), ..request };
        Self { request, bytes }
    }
}

fn for_people(
    size: QuarantineSize,
    entries: &[Entry],
    zone: &Zone,
    screen_columns: Option<usize>,
) -> Styled {
    if size.requests == 0 && entries.is_empty() {
        return Styled::from("The quarantine is empty.\n");
    }
    let mut table = Table::new([
        Column::left("id"),
        Column::time("received", zone),
        Column::right("bytes").optional(),
        Column::left("path").optional(),
        Column::left("reason"),
        Column::prose("likely cause"),
    ]);
    for Entry { request, bytes } in entries {
        let path: String = request.target.chars().take(PATH_CHARACTERS_MAX).collect();
        table.row([
            // Whole, because it is what `quarantine show` takes.
            Cell::text(request.id.to_string()),
            Cell::time(request.received_at, zone),
            Cell::number(*bytes as u64),
            Cell::text(path),
            Cell::text(&request.reason),
            Cell::text(request.cause.as_deref().unwrap_or("(see quarantine show)")),
        ]);
    }
    let mut text = table.fit(screen_columns);
    text.push(&format!(
        "\n{} of {} shown; {} have an account's signature; all take {} KiB.\n",
        number(entries.len() as u64),
        number(size.requests),
        number(size.recognised),
        number(size.bytes.div_ceil(1024)),
    ));
    text
}

fn as_json(size: QuarantineSize, entries: &[Entry]) -> serde_json::Value {
    let entry = |Entry { request, bytes }: &Entry| {
        json!({
            "id": request.id.to_string(),
            "received_at": request.received_at.to_string(),
            "method": request.method,
            "path": request.target,
            "body_bytes": bytes,
            "reason": request.reason,
            "cause": request.cause,
            "recognised": request.rank == Rank::Recognised,
            "whole": request.whole,
        })
    };
    json!({
        "data": entries.iter().map(entry).collect::<Vec<_>>(),
        "requests": size.requests,
        "recognised": size.recognised,
        "bytes": size.bytes,
    })
}
