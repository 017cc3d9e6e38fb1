//! A report as a table: the figures of each row, and what they share below.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::cli::common::table::{Cell, Column, Table};
use crate::cli::common::terminal::styled::Styled;
use crate::cli::common::text::number;
use crate::report::Dimension;
use crate::report::figures::json::{ComparedJson, FiguresJson, TimesJson};
use crate::report::output::{ReportJson, RowJson};
use crate::text::printable;

/// The table, the meanings of error codes, and what the rows share.
pub fn for_people(report: &ReportJson, screen_columns: Option<usize>) -> Styled {
    let mut table = Table::new(columns(report));
    for row in &report.rows {
        table.row(cells(report, row));
    }
    table.row(total(report));
    let mut shown = table.fit(screen_columns);
    shown.push("\n");
    let codes: Vec<_> = report.rows.iter().filter_map(meaning).collect();
    codes.iter().for_each(|code| shown.push(code));
    shown.push(&below(report, !codes.is_empty()));
    shown
}

fn columns(report: &ReportJson) -> Vec<Column> {
    let mut columns: Vec<_> = report.dimensions().iter().map(dimension).collect();
    columns.push(Column::right("messages").short_heading("msgs"));
    if report.compared_with.is_some() {
        columns.extend([
            Column::right("before"),
            Column::right("change"),
            Column::right("delivery"),
            Column::right("before"),
            Column::right("change"),
            Column::right("failed").optional(),
            Column::right("before").optional(),
            Column::right("change").optional(),
        ]);
        return columns;
    }
    columns.extend([
        Column::right("reached"),
        Column::right("failed"),
        Column::right("open"),
        Column::right("conflict").short_heading("confl").optional(),
        Column::right("delivery").short_heading("deliv"),
        Column::right("read"),
        Column::right("sent p50").short_heading("sent"),
        Column::right("p95").optional(),
        Column::right("delivered p50").short_heading("dlvd"),
        Column::right("p95").optional(),
    ]);
    let known = Known::new(&report.total);
    let details = [
        (known.segments, Column::right("segments").short_heading("segs").optional()),
        (known.prices, Column::right("price").optional()),
        (known.clicks, Column::right("clicked").optional()),
        (known.feedback, Column::right("converted").short_heading("conv").optional()),
    ];
    columns.extend(details.into_iter().filter(|(is_known, _)| *is_known).map(|(_, column)| column));
    columns
}

/// The details that any message of a report has. Only these have columns.
#[derive(Clone, Copy)]
struct Known {
    segments: bool,
    prices: bool,
    clicks: bool,
    feedback: bool,
}

impl Known {
    fn new(total: &FiguresJson) -> Self {
        Self {
            segments: total.segments_known > 0,
            prices: total.priced > 0,
            clicks: total.clicks > 0,
            feedback: total.feedback_confirmed + total.feedback_unconfirmed > 0,
        }
    }

    fn is_any(self) -> bool {
        self.segments || self.prices || self.clicks || self.feedback
    }

    fn cells(self, figures: &FiguresJson) -> impl Iterator<Item = Cell> {
        let cells = [
            (self.segments, whole(figures.segments)),
            (self.prices, prices(&figures.prices)),
            (self.clicks, percent(figures.click_rate)),
            (self.feedback, percent(figures.conversion_rate)),
        ];
        cells.into_iter().filter(|(is_known, _)| *is_known).map(|(_, cell)| cell)
    }
}

/// Sums of prices as `-12.5 USD, -0.3 EUR`.
fn prices(prices: &BTreeMap<String, String>) -> Cell {
    if prices.is_empty() {
        return Cell::text("-");
    }
    let prices = prices.iter().map(|(currency, sum)| format!("{sum} {currency}"));
    Cell::text(prices.collect::<Vec<_>>().join(", "))
}

/// The column of a property. The name of a tag may be long; a line below the table has it too.
fn dimension(by: &Dimension) -> Column {
    Column::left(printable(&by.name()).into_owned()).short_heading(by.kind())
}

fn cells(report: &ReportJson, row: &RowJson) -> Vec<Cell> {
    let keys = report.dimensions().iter().zip(&row.values);
    let shown = |(by, value): (&Dimension, &Option<String>)| match (by, &row.account_name) {
        (Dimension::Account, Some(name)) => Cell::text(printable(name)),
        _ => key(by, value.as_deref()),
    };
    let mut cells: Vec<_> = keys.map(shown).collect();
    cells.extend(figures(&row.figures, row.compared.as_ref(), Known::new(&report.total)));
    cells
}

fn total(report: &ReportJson) -> Vec<Cell> {
    let blanks = report.dimensions().len().saturating_sub(1);
    let mut cells = vec![Cell::text("total")];
    cells.extend(std::iter::repeat_n(Cell::text(""), blanks));
    let known = Known::new(&report.total);
    cells.extend(figures(&report.total, report.compared_total.as_ref(), known));
    cells
}

fn key(by: &Dimension, value: Option<&str>) -> Cell {
    let Some(value) = value else { return Cell::text("(none)") };
    match by {
        Dimension::Account | Dimension::MessagingService => Cell::sid(value),
        Dimension::From => Cell::address(value),
        // A line below the table names the zone.
        Dimension::Hour => {
            Cell::text(value).short(value.get(..16).unwrap_or(value).replace('T', " "))
        }
        _ => Cell::text(printable(value)),
    }
}

fn figures(figures: &FiguresJson, compared: Option<&ComparedJson>, known: Known) -> Vec<Cell> {
    let failed = failures(&figures.statuses);
    if let Some(compared) = compared {
        return vec![
            whole(figures.messages),
            whole(compared.figures.messages),
            Cell::text(format!("{:+}", compared.differences.messages)),
            percent(figures.delivery_rate),
            percent(compared.figures.delivery_rate),
            points(compared.differences.delivery_rate),
            whole(failed),
            whole(failures(&compared.figures.statuses)),
            Cell::text(format!("{:+}", failures(&compared.differences.statuses))),
        ];
    }
    let TimesJson { p50: sent, p95: sent_95, .. } = &figures.time_to_sent_ms;
    let TimesJson { p50: delivered, p95: delivered_95, .. } = &figures.sent_to_delivered_ms;
    let mut cells = vec![
        whole(figures.messages),
        whole(counted(&figures.statuses, &["delivered", "read"])),
        whole(failed),
        whole(figures.open),
        whole(figures.conflicts),
        percent(figures.delivery_rate),
        percent(figures.read_rate),
        length(*sent),
        length(*sent_95),
        length(*delivered),
        length(*delivered_95),
    ];
    cells.extend(known.cells(figures));
    cells
}

fn failures(statuses: &Map<String, Value>) -> i64 {
    counted(statuses, &["undelivered", "failed"])
}

fn counted(statuses: &Map<String, Value>, names: &[&str]) -> i64 {
    names.iter().filter_map(|name| statuses.get(*name)?.as_i64()).sum()
}

/// A count. In its short form it is in millions from a million on.
fn whole(count: i64) -> Cell {
    let count = u64::try_from(count).unwrap_or(0);
    match count {
        ..1_000_000 => Cell::number(count),
        _ => Cell::number(count).short(format!("{:.2}M", count as f64 / 1e6)),
    }
}

fn percent(rate: Option<f64>) -> Cell {
    Cell::text(rate.map_or("-".to_owned(), |rate| format!("{:.1}%", rate * 100.0)))
}

/// A difference of rates, in percentage points.
fn points(difference: Option<f64>) -> Cell {
    Cell::text(difference.map_or("-".to_owned(), |rate| format!("{:+.1}", rate * 100.0)))
}

/// A length of time for people: `850ms`, `12.3s`, `4.1m`, `2.0h`, `3.5d`.
fn length(ms: Option<u64>) -> Cell {
    let Some(ms) = ms else { return Cell::text("-") };
    let seconds = Duration::from_millis(ms).as_secs_f64();
    Cell::text(match seconds {
        ..1.0 => format!("{ms}ms"),
        ..60.0 => format!("{seconds:.1}s"),
        ..3600.0 => format!("{:.1}m", seconds / 60.0),
        ..86400.0 => format!("{:.1}h", seconds / 3600.0),
        _ => format!("{:.1}d", seconds / 86400.0),
    })
}

/// A line on an error code: its share, who is usually responsible, its title, and Twilio's page.
fn meaning(row: &RowJson) -> Option<String> {
    let code = row.code.as_ref()?;
    let share = code.share_of_failures.map(|share| format!("{:.1}% of failures, ", share * 100.0));
    Some(format!(
        "{}  {}{}: {} {}\n",
        code.url.rsplit('/').next().unwrap_or_default(),
        share.unwrap_or_default(),
        code.fault,
        printable(&code.title),
        code.url,
    ))
}

/// The properties that all rows share.
fn below(report: &ReportJson, has_codes: bool) -> String {
    let end = |name, text: &Option<String>| {
        text.as_ref().map(|text| format!("{name} {text}, ")).unwrap_or_default()
    };
    let omitted = match report.rows_in_all - report.rows.len() {
        0 => String::new(),
        rows => format!("{} more rows; the total is of all.\n", number(rows as u64)),
    };
    let compared = report.compared_with.as_ref().map(|period| {
        format!(
            "Compared with {} to {}; a change of a rate is in percentage points.\n",
            period.since, period.until
        )
    });
    let durations = match report.compared_with {
        Some(_) => "",
        None => {
            "sent: from the first event before `sent` to the first `sent`; delivered: from there to the \
             first `delivered`; if both are known.\n"
        }
    };
    let clock = report.clock_sentence();
    format!(
        "{}{omitted}Messages by {}, {}{}times in {}, rule {}, as of position {}.\n{}{}{durations}{}{}{}",
        if has_codes { "\n" } else { "" },
        printable(&report.by),
        end("since", &report.since),
        end("until", &report.until),
        report.time_zone,
        report.rule,
        number(report.as_of_position),
        clock.map(|sentence| sentence + "\n").unwrap_or_default(),
        compared.unwrap_or_default(),
        details(report),
        imported(report.total.imported),
        erased(report.erased_events),
    )
}

/// A line on the events that no figure contains; empty if there are none.
fn erased(events: u64) -> String {
    match events {
        0 => String::new(),
        1 => "1 event of this period was erased and is in no figure.\n".to_owned(),
        events => {
            format!("{} events of this period were erased and are in no figure.\n", number(events))
        }
    }
}

/// A line on the columns of details, and how many messages have them; empty if there are none.
fn details(report: &ReportJson) -> String {
    let total = &report.total;
    let known = Known::new(total);
    if report.compared_with.is_some() || !known.is_any() {
        return String::new();
    }
    let count = |count: i64| number(count.unsigned_abs());
    let messages = count(total.messages);
    let parts = [
        (
            known.segments,
            format!("segments: known of {} of {messages} messages", count(total.segments_known)),
        ),
        (known.prices, format!("price: of {} of {messages}", count(total.priced))),
        (known.clicks, "clicked: of those delivered or read".to_owned()),
        (
            known.feedback,
            format!(
                "converted: confirmed, of those sent; {} unconfirmed, {} unknown",
                count(total.feedback_unconfirmed),
                count(total.feedback_unknown)
            ),
        ),
    ];
    let parts: Vec<_> = parts.into_iter().filter(|(is, _)| *is).map(|(_, part)| part).collect();
    format!("{}.\n", parts.join("; "))
}

/// A line on messages with imported events; empty if there are none.
fn imported(messages: i64) -> String {
    match messages {
        0 => String::new(),
        1 => "1 message has imported events.\n".to_owned(),
        messages => {
            format!("{} messages have imported events.\n", number(messages.unsigned_abs()))
        }
    }
}
