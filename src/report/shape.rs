//! The JSON and the CSV of a report.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::{By, Count, Key, Report};
use crate::domain::error_codes::ErrorCodes;
use crate::domain::histogram::DurationHistogram;
use crate::domain::{ErrorCode, Status};
use crate::wire::cell::{harmless, write_error};
use crate::wire::mask;
use crate::wire::message::status_name;

/// A report as the API gives it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryReport)]
pub struct Shape {
    pub by: &'static str,
    pub since: Option<String>,
    pub until: Option<String>,
    pub as_of_position: u64,
    pub rule: &'static str,
    pub time_zone: &'static str,
    pub rows: Vec<Row>,
    pub total: Figures,
}

/// One row: what it is about, and its figures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportRow)]
pub struct Row {
    /// Nothing for the messages without one.
    pub key: Option<String>,
    /// In reports by error code only.
    #[serde(flatten)]
    #[schema(value_type = Code)]
    pub code: Option<Code>,
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is known of an error code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportCode)]
pub struct Code {
    #[schema(required = false)]
    pub title: String,
    #[schema(required = false)]
    pub fault: &'static str,
}

/// The figures of a row; docs/REPORTS.md defines them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportFigures)]
pub struct Figures {
    pub messages: i64,
    /// How many stand at each status, in order of precedence, `unknown` last.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub statuses: Map<String, Value>,
    pub open: i64,
    pub conflicts: i64,
    /// Of how many an import brought any event.
    pub imported: i64,
    pub delivery_rate: Option<f64>,
    pub read_rate: Option<f64>,
    pub failure_rate: Option<f64>,
    pub time_to_sent_ms: Times,
    pub sent_to_delivered_ms: Times,
}

/// How long something took.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportTimes)]
pub struct Times {
    pub known: i64,
    pub unknown: i64,
    pub negative: i64,
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

impl Shape {
    /// The shape of a report.
    pub fn new(report: &Report) -> Self {
        let Report { by, since, until, as_of_position, rule, rows, total } = report;
        Self {
            by: by.name(),
            since: since.map(|since| since.to_string()),
            until: until.map(|until| until.to_string()),
            as_of_position: *as_of_position,
            rule: rule.name(),
            time_zone: "UTC",
            rows: rows.iter().map(|(key, count)| Row::new(*by, key, count)).collect(),
            total: Figures::new(total),
        }
    }

    /// The same with all but the last four digits of addresses hidden. Two senders may then look alike.
    /// Rows with as many messages stand in the order of what is shown of them: the order of the whole
    /// addresses would tell something of what is hidden.
    pub fn masked(mut self) -> Self {
        let masked: fn(&str) -> String = match By::parse(self.by) {
            Some(By::From) => mask::address,
            Some(By::Day | By::Hour | By::Country | By::ErrorCode) => return self,
            // SIDs and channels are texts that a sender may choose.
            _ => mask::text,
        };
        let keys = self.rows.iter_mut().filter_map(|row| row.key.as_mut());
        keys.for_each(|key| *key = masked(key));
        self.rows.sort_by_cached_key(|row| {
            let shown = serde_json::to_string(&row.figures).unwrap_or_default();
            (Reverse(row.figures.messages), row.key.clone(), shown)
        });
        self
    }

    /// Writes the rows as CSV, without the total.
    pub fn write_csv(&self, out: impl Write) -> io::Result<()> {
        let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
        let is_by_code = self.by == By::ErrorCode.name();
        let of_code: &[&str] = if is_by_code { &["title", "fault"] } else { &[] };
        let statuses = self.total.statuses.keys().map(String::as_str);
        let times = ["time_to_sent_ms", "sent_to_delivered_ms"]
            .into_iter()
            .flat_map(|what| Times::COLUMNS.map(|column| format!("{what}_{column}")));
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
        for Row { key, code, figures } in &self.rows {
            let key = harmless(Cow::Borrowed(key.as_deref().unwrap_or_default())).into_owned();
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

impl Row {
    fn new(by: By, key: &Key, count: &Count) -> Self {
        let key_shown = by.shown(key);
        let code = key_shown.as_deref().filter(|_| by == By::ErrorCode).and_then(ErrorCode::parse);
        Self { key: key_shown, code: code.map(Code::new), figures: Figures::new(count) }
    }
}

impl Code {
    fn new(code: ErrorCode) -> Self {
        let fault = ErrorCodes::in_use().meaning(code).map(|meaning| meaning.fault.name());
        Self { title: code.title(), fault: fault.unwrap_or("unknown") }
    }
}

impl Figures {
    /// The figures of a count.
    pub fn new(count: &Count) -> Self {
        let statuses = Status::ALL.into_iter().map(Some).chain([None]);
        let of_status = |status| (status_name(status).to_owned(), count.of_status(status).into());
        Self {
            messages: count.messages(),
            statuses: statuses.map(of_status).collect(),
            open: count.open(),
            conflicts: count.conflicts(),
            imported: count.imported(),
            delivery_rate: count.delivery_rate(),
            read_rate: count.read_rate(),
            failure_rate: count.failure_rate(),
            time_to_sent_ms: Times::new(&count.time_to_sent()),
            sent_to_delivered_ms: Times::new(&count.sent_to_delivered()),
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

impl Times {
    const COLUMNS: [&'static str; 6] = ["known", "unknown", "negative", "p50", "p95", "p99"];

    fn new(spread: &DurationHistogram) -> Self {
        let [p50, p95, p99] = [50, 95, 99].map(|hundredths| spread.percentile_ms(hundredths));
        let (known, unknown, negative) = (spread.known(), spread.unknown, spread.negative);
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
    use super::{By, Count, Key, Report, Shape};
    use crate::domain::Rule;

    #[test]
    fn rows_of_masked_senders_do_not_stand_in_the_order_of_what_is_hidden() {
        let shown = |senders: [&str; 3]| {
            let rows = senders.map(|sender| (Key::Text(sender.to_owned()), Count::default()));
            let (since, until, as_of_position) = (None, None, 1);
            let (rows, total, rule) = (rows.into(), Count::default(), Rule::default());
            let by = By::From;
            let report = Report { by, since, until, as_of_position, rule, rows, total };
            Shape::new(&report).masked().rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
        };
        let in_order = ["+*******0001", "+*******0002", "+*******0003"];
        let in_order = in_order.map(|key| Some(key.to_owned()));
        assert_eq!(shown(["+15550000003", "+15560000001", "+15570000002"]), in_order);
        assert_eq!(shown(["+15550000002", "+15560000003", "+15570000001"]), in_order);
    }
}
