//! `report`: delivery figures, grouped by one property of the messages.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::{Outcome, UsageError};
use crate::cli::common::filters::{Filters, check_tags};
use crate::cli::common::text::{lines, number, right, table};
use crate::cli::common::{ledger, terminal};
use crate::config::Settings;
use crate::report::output::{FiguresJson, ReportJson, RowJson, TimesJson};
use crate::report::{Dimension, ReportQuery, report};
use crate::text::printable;

/// The arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// day, hour, channel, from, messaging-service, country, error-code or account
    #[arg(long, value_name = "PROPERTY")]
    by: String,

    #[arg(long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,

    /// A table of error codes that replaces the built-in one: CSV with code,title,fault
    #[arg(long, value_name = "FILE")]
    error_codes: Option<PathBuf>,

    #[command(flatten)]
    filters: Filters,
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
    let by = Dimension::parse(&args.by).ok_or_else(|| {
        let names = Dimension::ALL.map(Dimension::name).join(", ");
        UsageError(format!("--by: `{}` is none of {names}", args.by.escape_debug()))
    })?;
    let filter = args.filters.messages(settings)?;
    let error_codes = settings.error_codes(args.error_codes.as_deref())?;
    let store = ledger::up_to_date(settings)?;
    check_tags(&filter, store.views(), false)?;
    let report = report(&*store, &ReportQuery { by, filter: filter.clone() })?;
    let report = ReportJson::new(&report, &error_codes);
    let report = report.with_account_names(&settings.account_names()?);
    let mut out = terminal::paged(settings);
    match args.format {
        ReportFormat::Table => out.write_all(for_people(&report).as_bytes())?,
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &report).map_err(std::io::Error::from)?;
            out.write_all(b"\n")?;
        }
        ReportFormat::Csv => report.write_csv(out)?,
    }
    if report.total.messages == 0 {
        args.filters.hint_at_nothing_found(&filter, settings)?;
    }
    Ok(Outcome::Done)
}

/// The maximum length of a key in a line of 100 columns, and the length of its end that is shown.
const KEY_CHARS_MAX: usize = 19;
const KEY_END_CHARS: usize = 8;
const LINE_CHARS_MAX: usize = 100;

/// The titles of the columns; that of the first is the property.
const HEADER: [&str; 10] =
    ["", "messages", "reached", "failed", "open", "conflict", "delivery", "read", "p50", "p95"];

fn for_people(report: &ReportJson) -> String {
    let mut rows = table(HEADER);
    let figures = HEADER[1..].iter().map(right);
    rows.set_header(std::iter::once(comfy_table::Cell::new(report.by)).chain(figures));
    for row in &report.rows {
        rows.add_row(cells(
            &first(report, row.account_name.as_deref().or(row.key.as_deref())),
            &row.figures,
        ));
    }
    rows.add_row(cells("total", &report.total));
    let mut codes: String = report.rows.iter().filter_map(meaning).collect();
    if !codes.is_empty() {
        codes.push('\n');
    }
    // Below the table: the properties that all rows share.
    let between = |name, text: &Option<String>| {
        text.as_ref().map(|text| format!("{name} {text}, ")).unwrap_or_default()
    };
    format!(
        "{}\n{codes}Messages by {}, {}{}times in UTC, rule {}, as of position {}.\n\
         p50 and p95: from the first event of a message to its first `sent`, if both are known.\n\
         {}",
        lines(&rows),
        report.by,
        between("since", &report.since),
        between("until", &report.until),
        report.rule,
        number(report.as_of_position),
        imported(report.total.imported),
    )
}

/// A line on messages with imported events; empty if there are none.
fn imported(messages: i64) -> String {
    match messages {
        0 => String::new(),
        1 => "1 message has imported events.\n".to_owned(),
        messages => format!("{} messages have imported events.\n", whole(messages)),
    }
}

fn cells(key: &str, figures: &FiguresJson) -> Vec<comfy_table::Cell> {
    let count =
        |name: &str| figures.statuses.get(name).and_then(|count| count.as_i64()).unwrap_or(0);
    let counted = |names: &[&str]| whole(names.iter().map(|name| count(name)).sum());
    let TimesJson { p50, p95, .. } = &figures.time_to_sent_ms;
    let right_hand = [
        whole(figures.messages),
        counted(&["delivered", "read"]),
        counted(&["undelivered", "failed"]),
        whole(figures.open),
        whole(figures.conflicts),
        percent(figures.delivery_rate),
        percent(figures.read_rate),
        length(*p50),
        length(*p95),
    ];
    std::iter::once(comfy_table::Cell::new(printable(key)))
        .chain(right_hand.into_iter().map(right))
        .collect()
}

/// A count that fits into its column: in millions from a million on. JSON and CSV have every digit.
fn whole(count: i64) -> String {
    match u64::try_from(count).unwrap_or(0) {
        count @ ..1_000_000 => number(count),
        count => format!("{:.2}M", count as f64 / 1e6),
    }
}

fn percent(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{:.1}%", rate * 100.0))
}

/// A length of time for people: `850ms`, `12.3s`, `4.1m`, `2.0h`, `3.5d`.
fn length(ms: Option<u64>) -> String {
    let Some(ms) = ms else { return "-".to_owned() };
    let seconds = Duration::from_millis(ms).as_secs_f64();
    match seconds {
        ..1.0 => format!("{ms}ms"),
        ..60.0 => format!("{seconds:.1}s"),
        ..3600.0 => format!("{:.1}m", seconds / 60.0),
        ..86400.0 => format!("{:.1}h", seconds / 3600.0),
        _ => format!("{:.1}d", seconds / 86400.0),
    }
}

/// The first cell of a row. A line below the table says that hours are in UTC.
fn first(report: &ReportJson, key: Option<&str>) -> String {
    let key = key.unwrap_or("(none)");
    match report.by == Dimension::Hour.name() {
        true => key.trim_end_matches(":00Z").replace('T', " "),
        false => cut(key),
    }
}

/// Shortens a long text in the middle, because SIDs and numbers are recognised by their ends.
fn cut(text: &str) -> String {
    let chars: Vec<char> = printable(text).chars().collect();
    match chars.len() {
        ..=KEY_CHARS_MAX => chars.into_iter().collect(),
        length => {
            let begin = &chars[..KEY_CHARS_MAX - KEY_END_CHARS - 1];
            begin.iter().chain(&['…']).chain(&chars[length - KEY_END_CHARS..]).collect()
        }
    }
}

/// A line on the meaning of an error code.
fn meaning(row: &RowJson) -> Option<String> {
    let (code, of_code) = (row.key.as_deref()?, row.code.as_ref()?);
    let line = format!("{code}  {}: {}", of_code.fault, printable(&of_code.title));
    let fits: String = line.chars().take(LINE_CHARS_MAX).collect();
    Some(fits + "\n")
}
