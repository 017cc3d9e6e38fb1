//! The JSON and the CSV of a report.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Dimension, Figures, Report, RowKey};
use crate::domain::account_names::AccountNames;
use crate::domain::histogram::DurationHistogram;
use crate::domain::{ErrorCode, ErrorCodes, Status};
use crate::wire::csv::{escape_formula, write_error};
use crate::wire::mask;
use crate::wire::status_name::status_name;

/// A report as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryReport)]
pub struct ReportJson {
    pub by: &'static str,
    pub since: Option<String>,
    pub until: Option<String>,
    pub as_of_position: u64,
    pub rule: &'static str,
    pub time_zone: &'static str,
    pub rows: Vec<RowJson>,
    pub total: FiguresJson,
}

/// A row: the value that its messages share, and its figures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportRow)]
pub struct RowJson {
    /// `null` for messages without a value.
    pub key: Option<String>,
    /// The configured name of the account, in reports by account only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub account_name: Option<String>,
    /// In reports by error code only.
    #[serde(flatten)]
    #[schema(value_type = CodeJson)]
    pub code: Option<CodeJson>,
    #[serde(flatten)]
    pub figures: FiguresJson,
}

/// The meaning of an error code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportCode)]
pub struct CodeJson {
    #[schema(required = false)]
    pub title: String,
    #[schema(required = false)]
    pub fault: &'static str,
}

/// The figures of a row; docs/REPORTS.md defines them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportFigures)]
pub struct FiguresJson {
    pub messages: i64,
    /// Messages by status, in order of precedence, `unknown` last.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub statuses: Map<String, Value>,
    pub open: i64,
    pub conflicts: i64,
    /// Messages with imported events.
    pub imported: i64,
    pub delivery_rate: Option<f64>,
    pub read_rate: Option<f64>,
    pub failure_rate: Option<f64>,
    pub time_to_sent_ms: TimesJson,
    pub sent_to_delivered_ms: TimesJson,
}

/// A distribution of durations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportTimes)]
pub struct TimesJson {
    pub known: i64,
    pub unknown: i64,
    pub negative: i64,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

impl ReportJson {
    /// The JSON of a report, with titles from the table of error codes.
    pub fn new(report: &Report, error_codes: &ErrorCodes) -> Self {
        let Report { by, since, until, as_of_position, rule, rows, total } = report;
        Self {
            by: by.name(),
            since: since.map(|since| since.to_string()),
            until: until.map(|until| until.to_string()),
            as_of_position: *as_of_position,
            rule: rule.name(),
            time_zone: "UTC",
            rows: rows
                .iter()
                .map(|(key, figures)| RowJson::new(*by, key, figures, error_codes))
                .collect(),
            total: FiguresJson::new(total),
        }
    }

    /// Adds the names of the accounts, if the report is by account.
    pub fn with_account_names(mut self, names: &AccountNames) -> Self {
        if self.by == Dimension::Account.name() {
            for row in &mut self.rows {
                let name = row.key.as_deref().and_then(|sid| names.name(sid));
                row.account_name = name.map(str::to_owned);
            }
        }
        self
    }

    /// Masks all but the last four digits of addresses, so that two senders may look alike. Rows with
    /// equally many messages are sorted again by what they show: the order of the whole addresses
    /// would reveal something about the hidden digits.
    pub fn masked(mut self) -> Self {
        let masked: fn(&str) -> String = match Dimension::parse(self.by) {
            Some(Dimension::From) => mask::address,
            Some(Dimension::Day | Dimension::Hour | Dimension::Country | Dimension::ErrorCode) => {
                return self;
            }
            // SIDs and channels are texts that a sender may choose.
            _ => mask::text,
        };
        let keys = self.rows.iter_mut().flat_map(|row| [&mut row.key, &mut row.account_name]);
        keys.flatten().for_each(|key| *key = masked(key));
        self.rows.sort_by_cached_key(|row| {
            let shown = serde_json::to_string(&row.figures).unwrap_or_default();
            (Reverse(row.figures.messages), row.key.clone(), shown)
        });
        self
    }

    /// Writes the rows as CSV, without the total.
    pub fn write_csv(&self, out: impl Write) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let is_by_code = self.by == Dimension::ErrorCode.name();
        let of_code: &[&str] = if is_by_code { &["title", "fault"] } else { &[] };
        let statuses = self.total.statuses.keys().map(String::as_str);
        let times = ["time_to_sent_ms", "sent_to_delivered_ms"]
            .into_iter()
            .flat_map(|what| TimesJson::COLUMNS.map(|column| format!("{what}_{column}")));
        let header = std::iter::once(self.by.replace('-', "_"))
            .chain(of_code.iter().map(ToString::to_string))
            .chain(["messages".to_owned()])
            .chain(statuses.map(str::to_owned))
            .chain(
                ["open", "conflicts", "imported", "delivery_rate", "read_rate", "failure_rate"]
                    .map(String::from),
            )
            .chain(times);
        csv.write_record(header).map_err(write_error)?;
        for RowJson { key, code, figures, .. } in &self.rows {
            let key =
                escape_formula(Cow::Borrowed(key.as_deref().unwrap_or_default())).into_owned();
            let of_code = code.iter().flat_map(|code| [code.title.clone(), code.fault.to_owned()]);
            // The messages without a code have no title either.
            let missing = if is_by_code && code.is_none() { 2 } else { 0 };
            let blank = std::iter::repeat_n(String::new(), missing);
            let cells = std::iter::once(key).chain(of_code).chain(blank).chain(figures.columns());
            csv.write_record(cells).map_err(write_error)?;
        }
        csv.flush()
    }
}

impl RowJson {
    fn new(by: Dimension, key: &RowKey, figures: &Figures, error_codes: &ErrorCodes) -> Self {
        let key = by.format(key);
        let code = key.as_deref().filter(|_| by == Dimension::ErrorCode).and_then(ErrorCode::parse);
        let code = code.map(|code| CodeJson::new(code, error_codes));
        Self { key, account_name: None, code, figures: FiguresJson::new(figures) }
    }
}

impl CodeJson {
    fn new(code: ErrorCode, error_codes: &ErrorCodes) -> Self {
        let fault = error_codes.meaning(code).map(|meaning| meaning.fault.name());
        Self { title: error_codes.title(code), fault: fault.unwrap_or("unknown") }
    }
}

impl FiguresJson {
    /// The JSON of a row's figures.
    pub fn new(figures: &Figures) -> Self {
        let statuses = Status::ALL.into_iter().map(Some).chain([None]);
        let of_status = |status| (status_name(status).to_owned(), figures.of_status(status).into());
        Self {
            messages: figures.messages(),
            statuses: statuses.map(of_status).collect(),
            open: figures.open(),
            conflicts: figures.conflicts(),
            imported: figures.imported(),
            delivery_rate: figures.delivery_rate(),
            read_rate: figures.read_rate(),
            failure_rate: figures.failure_rate(),
            time_to_sent_ms: TimesJson::new(&figures.time_to_sent()),
            sent_to_delivered_ms: TimesJson::new(&figures.sent_to_delivered()),
        }
    }

    fn columns(&self) -> impl Iterator<Item = String> {
        let statuses: Vec<_> = self.statuses.values().map(Value::to_string).collect();
        let rates = [self.delivery_rate, self.read_rate, self.failure_rate].map(optional);
        std::iter::once(self.messages.to_string())
            .chain(statuses)
            .chain([self.open, self.conflicts, self.imported].map(|count| count.to_string()))
            .chain(rates)
            .chain(self.time_to_sent_ms.columns())
            .chain(self.sent_to_delivered_ms.columns())
    }
}

impl TimesJson {
    const COLUMNS: [&'static str; 6] = ["known", "unknown", "negative", "p50", "p95", "p99"];

    fn new(times: &DurationHistogram) -> Self {
        let [p50, p95, p99] = [50, 95, 99].map(|hundredths| times.percentile_ms(hundredths));
        let (known, unknown, negative) = (times.known(), times.unknown, times.negative);
        Self { known, unknown, negative, p50, p95, p99 }
    }

    fn columns(&self) -> [String; 6] {
        let Self { known, unknown, negative, p50, p95, p99 } = self;
        let [known, unknown, negative] = [known, unknown, negative].map(ToString::to_string);
        let [p50, p95, p99] = [p50, p95, p99].map(|length| optional(*length));
        [known, unknown, negative, p50, p95, p99]
    }
}

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Dimension, Figures, Report, ReportJson, RowKey};
    use crate::domain::{ErrorCodes, Rule};

    #[test]
    fn rows_of_masked_senders_do_not_stand_in_the_order_of_what_is_hidden() {
        let shown = |senders: [&str; 3]| {
            let rows = senders.map(|sender| (RowKey::Text(sender.to_owned()), Figures::default()));
            let (since, until, as_of_position) = (None, None, 1);
            let (rows, total, rule) = (rows.into(), Figures::default(), Rule::default());
            let by = Dimension::From;
            let report = Report { by, since, until, as_of_position, rule, rows, total };
            ReportJson::new(&report, &ErrorCodes::default())
                .masked()
                .rows
                .into_iter()
                .map(|row| row.key)
                .collect::<Vec<_>>()
        };
        let in_order = ["+*******0001", "+*******0002", "+*******0003"];
        let in_order = in_order.map(|key| Some(key.to_owned()));
        assert_eq!(shown(["+15550000003", "+15560000001", "+15570000002"]), in_order);
        assert_eq!(shown(["+15550000002", "+15560000003", "+15570000001"]), in_order);
    }
}
