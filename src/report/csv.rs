//! The CSV of a report: the rows without the total.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use super::figures::json::{DifferencesJson, FiguresJson, TimesJson};
use super::output::{ReportJson, RowJson};
use crate::wire::csv::{escape_formula, write_error};

/// The columns of a distribution of durations, after its name.
const TIMES: [&str; 6] = ["known", "unknown", "negative", "p50", "p95", "p99"];

/// The counts and rates after the statuses.
const FIGURES: [&str; 6] =
    ["open", "conflicts", "imported", "delivery_rate", "read_rate", "failure_rate"];

/// The figures at the end, and those of the other period and the differences after them.
const DETAILS: [&str; 11] = [
    "segments",
    "segments_known",
    "prices",
    "priced",
    "clicks",
    "clicked",
    "click_rate",
    "feedback_confirmed",
    "feedback_unconfirmed",
    "feedback_unknown",
    "conversion_rate",
];

/// Writes the rows of a report as CSV (RFC 4180).
pub fn write(report: &ReportJson, out: impl Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    csv.write_record(header(report)).map_err(write_error)?;
    for row in &report.rows {
        csv.write_record(cells(report, row)).map_err(write_error)?;
    }
    csv.flush()
}

fn header(report: &ReportJson) -> Vec<String> {
    let mut header: Vec<_> =
        report.dimensions().iter().map(|by| by.name().replace('-', "_")).collect();
    let by_code = report.is_by_code();
    header.extend(["title", "fault"].into_iter().filter(|_| by_code).map(str::to_owned));
    header.push("messages".to_owned());
    header.extend(report.total.statuses.keys().cloned());
    header.extend(FIGURES.map(str::to_owned));
    for what in ["time_to_sent_ms", "sent_to_delivered_ms"] {
        header.extend(TIMES.map(|column| format!("{what}_{column}")));
    }
    header.extend(["share_of_failures", "url"].into_iter().filter(|_| by_code).map(str::to_owned));
    header.extend(["late", "duplicate"].map(str::to_owned));
    if report.compared_with.is_some() {
        header.extend(compared(report).map(|what| format!("compared_{what}")));
        header.extend(compared(report).map(|what| format!("{what}_difference")));
    }
    header.extend(DETAILS.map(str::to_owned));
    if report.compared_with.is_some() {
        header.extend(DETAILS.map(|what| format!("compared_{what}")));
        header.extend(DETAILS.map(|what| format!("{what}_difference")));
    }
    header
}

/// The figures of the other period that a comparing report has at its end, and the differences: all
/// counts and rates.
fn compared(report: &ReportJson) -> impl Iterator<Item = &str> {
    let statuses = report.total.statuses.keys().map(String::as_str);
    std::iter::once("messages").chain(statuses).chain(FIGURES)
}

fn cells(report: &ReportJson, row: &RowJson) -> Vec<String> {
    let by_code = report.is_by_code();
    let value = |value: &Option<String>| {
        escape_formula(Cow::Borrowed(value.as_deref().unwrap_or_default())).into_owned()
    };
    let mut cells: Vec<_> = row.values.iter().map(value).collect();
    let code = row.code.as_ref();
    if by_code {
        cells.push(code.map(|code| code.title.clone()).unwrap_or_default());
        cells.push(code.map(|code| code.fault.to_owned()).unwrap_or_default());
    }
    cells.extend(counts_and_rates(&row.figures));
    for TimesJson { known, unknown, negative, p50, p95, p99 } in
        [&row.figures.time_to_sent_ms, &row.figures.sent_to_delivered_ms]
    {
        cells.extend([known, unknown, negative].map(ToString::to_string));
        cells.extend([p50, p95, p99].map(|length| optional(*length)));
    }
    if by_code {
        cells.push(optional(code.and_then(|code| code.share_of_failures)));
        cells.push(code.map(|code| code.url.clone()).unwrap_or_default());
    }
    cells.extend([row.figures.late, row.figures.duplicate].map(|count| count.to_string()));
    if let Some(compared) = &row.compared {
        cells.extend(counts_and_rates(&compared.figures));
        let differences = &compared.differences;
        cells.push(differences.messages.to_string());
        cells.extend(differences.statuses.values().map(ToString::to_string));
        let DifferencesJson { open, conflicts, imported, .. } = differences;
        cells.extend([open, conflicts, imported].map(ToString::to_string));
        let rates = [differences.delivery_rate, differences.read_rate, differences.failure_rate];
        cells.extend(rates.map(optional));
    }
    cells.extend(details(&row.figures));
    if let Some(compared) = &row.compared {
        cells.extend(details(&compared.figures));
        cells.extend(detail_differences(&compared.differences));
    }
    cells
}

fn details(figures: &FiguresJson) -> [String; DETAILS.len()] {
    [
        figures.segments.to_string(),
        figures.segments_known.to_string(),
        prices(&figures.prices),
        figures.priced.to_string(),
        figures.clicks.to_string(),
        figures.clicked.to_string(),
        optional(figures.click_rate),
        figures.feedback_confirmed.to_string(),
        figures.feedback_unconfirmed.to_string(),
        figures.feedback_unknown.to_string(),
        optional(figures.conversion_rate),
    ]
}

fn detail_differences(differences: &DifferencesJson) -> [String; DETAILS.len()] {
    [
        differences.segments.to_string(),
        differences.segments_known.to_string(),
        prices(&differences.prices),
        differences.priced.to_string(),
        differences.clicks.to_string(),
        differences.clicked.to_string(),
        optional(differences.click_rate),
        differences.feedback_confirmed.to_string(),
        differences.feedback_unconfirmed.to_string(),
        differences.feedback_unknown.to_string(),
        optional(differences.conversion_rate),
    ]
}

/// Sums of prices as `EUR=-0.3 USD=-12.5`.
fn prices(prices: &BTreeMap<String, String>) -> String {
    let prices = prices.iter().map(|(currency, sum)| format!("{currency}={sum}"));
    prices.collect::<Vec<_>>().join(" ")
}

fn counts_and_rates(figures: &FiguresJson) -> Vec<String> {
    let FiguresJson { messages, statuses, open, conflicts, imported, .. } = figures;
    let mut cells = vec![messages.to_string()];
    cells.extend(statuses.values().map(ToString::to_string));
    cells.extend([open, conflicts, imported].map(ToString::to_string));
    cells.extend([figures.delivery_rate, figures.read_rate, figures.failure_rate].map(optional));
    cells
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
