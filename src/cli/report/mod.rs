//! `report`: delivery figures, grouped by one or two properties of the messages.

mod table;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use clap::ValueEnum;

use super::{Outcome, UsageError};
use crate::cli::common::flags::bad_flag;
use crate::cli::common::flags::filters::{Filters, check_tags};
use crate::cli::common::flags::time_zone::now;
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::report::comparison::{self, Comparison};
use crate::report::output::ReportJson;
use crate::report::{Clock, Dimension, Order, ReportQuery, csv, report};
use crate::wire::filter::tag_filter;
use crate::wire::filter::time_flag;

/// The arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One property, or two with a comma in between: day, hour, week, month, weekday, hour-of-day,
    /// channel, from, messaging-service, country, error-code, fault, carrier, account, tag:NAME
    #[arg(long, value_name = "PROPERTIES")]
    by: String,

    /// Whose times decide when a message counts, and its durations: when the ledger received the events,
    /// or when it happened according to Twilio
    #[arg(long, value_enum, default_value_t = ClockName::Ledger)]
    clock: ClockName,

    /// Also show another period and the differences to it: `previous` (the same length, directly
    /// before), or SINCE..UNTIL
    #[arg(long, value_name = "PERIOD")]
    compare: Option<String>,

    /// Sort rows by key, messages, reached, failed, open, conflicts, delivery-rate, read-rate,
    /// failure-rate, time-to-sent, sent-to-delivered, segments, click-rate, conversion-rate or, with
    /// --compare, change; the greatest first, or with :asc the smallest
    #[arg(long, value_name = "FIGURE")]
    sort: Option<String>,

    /// Show only this many rows
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,

    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,

    /// A table of error codes that replaces the built-in one: CSV with code,title,fault
    #[arg(long, value_name = "FILE")]
    error_codes: Option<PathBuf>,

    #[command(flatten)]
    filters: Filters,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ClockName {
    Ledger,
    Twilio,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ReportFormat {
    Table,
    Json,
    /// Every figure, without the total
    Csv,
}

/// Catches up with the log and makes the report.
pub fn run(args: Args, settings: &Settings) -> Result<Outcome> {
    let error_codes = Arc::new(settings.error_codes(args.error_codes.as_deref())?);
    let query = ReportQuery { error_codes: Arc::clone(&error_codes), ..query(&args, settings)? };
    let store = ledger::up_to_date(settings)?;
    check_tags(&query.filter, store.views(), false)?;
    check_dimensions(&query, &store.views().tag_names()?)?;
    let report = ReportJson::new(&report(&*store, &query)?, &error_codes, false)
        .with_account_names(&settings.account_names()?, false);
    let mut out = terminal::paged(settings);
    match args.format {
        ReportFormat::Table => {
            let columns = out.columns();
            out.show(&table::for_people(&report, columns))?;
        }
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        ReportFormat::Csv => csv::write(&report, out)?,
    }
    if report.total.messages == 0 {
        args.filters.hint_at_nothing_found(&query.filter, settings)?;
    }
    Ok(Outcome::Done)
}

fn query(args: &Args, settings: &Settings) -> Result<ReportQuery> {
    let by = Dimension::parse_list(&args.by);
    let by = by.map_err(|bad| UsageError(format!("--by: {bad}")))?;
    let order = match args.sort.as_deref() {
        None => Order::default(),
        Some(text) => Order::parse(text).map_err(|expected| {
            UsageError(format!("--sort: `{}` is not {expected}", text.escape_debug()))
        })?,
    };
    if args.limit == Some(0) {
        return Err(UsageError("--limit: 0 is no number of rows; at least 1".to_owned()).into());
    }
    let mut query = ReportQuery {
        filter: args.filters.messages(settings)?,
        clock: match args.clock {
            ClockName::Ledger => Clock::Ledger,
            ClockName::Twilio => Clock::Twilio,
        },
        zone: args.filters.time_zone(settings)?,
        order,
        limit: args.limit,
        ..ReportQuery::new(by)
    };
    let checked = query.order.check(args.compare.is_some());
    checked.map_err(|missing| UsageError(format!("--sort: {missing}")))?;
    if let Some(text) = &args.compare {
        let now = now();
        let time = |text: &str| time_flag("compare", text, now, &query.zone).map_err(bad_flag);
        let ends = comparison::split(text).map_err(|expected| {
            UsageError(format!("--compare: `{}` is not {expected}", text.escape_debug()))
        })?;
        let comparison = match ends {
            None => Comparison::Previous,
            Some((since, until)) => Comparison::With(time(since)?, time(until)?),
        };
        comparison.apply(&mut query, now).map_err(|bad| UsageError(format!("--compare: {bad}")))?;
    }
    Ok(query)
}

/// Makes sure that a tag by which messages are grouped exists.
fn check_dimensions(query: &ReportQuery, known: &[String]) -> Result<(), UsageError> {
    query.tags().try_for_each(|name| {
        tag_filter::check(name, known).map_err(|bad| UsageError(format!("--by: {bad}")))
    })
}
