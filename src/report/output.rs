//! The JSON of a report, and what it shows of each row.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Dimension, Figures, Period, Report, Row, RowKey};
use crate::domain::account_names::AccountNames;
use crate::domain::histogram::DurationHistogram;
use crate::domain::zone::Zone;
use crate::domain::{ErrorCode, ErrorCodes, Status, Timestamp};
use crate::wire::mask;
use crate::wire::status_name::status_name;

/// Twilio's page of an error code; the code follows.
const ERROR_PAGE: &str = "https://www.twilio.com/docs/api/errors/";

/// A report as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryReport)]
pub struct ReportJson {
    /// The properties, with a comma in between.
    pub by: String,
    pub since: Option<String>,
    pub until: Option<String>,
    pub as_of_position: u64,
    pub rule: &'static str,
    /// The zone of days, weeks, months, weekdays and hours.
    pub time_zone: String,
    /// The period that it is compared with, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compared_with: Option<PeriodJson>,
    pub rows: Vec<RowJson>,
    /// The number of rows without a limit.
    pub rows_in_all: usize,
    pub total: FiguresJson,
    /// The total of the period that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compared_total: Option<ComparedJson>,
    #[serde(skip)]
    dimensions: Vec<Dimension>,
}

/// A period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportPeriod)]
pub struct PeriodJson {
    pub since: String,
    pub until: String,
}

/// A row: the values that its messages share, and its figures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportRow)]
pub struct RowJson {
    /// `null` for messages without a value. Of two properties, both values with ` / ` in between.
    pub key: Option<String>,
    /// The value of each property.
    pub keys: BTreeMap<String, Option<String>>,
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
    /// In comparing reports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compared: Option<ComparedJson>,
    /// The values in the order of the properties.
    #[serde(skip)]
    pub values: Vec<Option<String>>,
}

/// The figures of the period that a report is compared with, and the differences to them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportComparison)]
pub struct ComparedJson {
    #[serde(flatten)]
    pub figures: FiguresJson,
    pub differences: DifferencesJson,
}

/// The figures of the report less those of the period that it is compared with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportDifferences)]
pub struct DifferencesJson {
    pub messages: i64,
    /// Messages by status, as in the figures.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub statuses: Map<String, Value>,
    pub open: i64,
    pub conflicts: i64,
    pub imported: i64,
    pub late: i64,
    pub duplicate: i64,
    /// `null` if one of the two is.
    pub delivery_rate: Option<f64>,
    pub read_rate: Option<f64>,
    pub failure_rate: Option<f64>,
}

/// The meaning of an error code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportCode)]
pub struct CodeJson {
    #[schema(required = false)]
    pub title: String,
    /// Who is usually responsible.
    #[schema(required = false)]
    pub fault: &'static str,
    /// Twilio's page.
    #[schema(required = false)]
    pub url: String,
    /// The row's part of all undelivered and failed messages of the report; `null` if there are none.
    #[schema(required = false)]
    pub share_of_failures: Option<f64>,
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
    /// Messages with late events.
    pub late: i64,
    /// Messages with duplicate events.
    pub duplicate: i64,
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
    /// The JSON of a report, with titles from the table of error codes. Masked, it shows only the last
    /// four digits of addresses, so that two rows may look alike; they are sorted by what they show, so
    /// that their order reveals nothing about the hidden digits.
    pub fn new(report: &Report, error_codes: &ErrorCodes, masked: bool) -> Self {
        let query = &report.query;
        let mut rows = report.rows.clone();
        if masked {
            rows.iter_mut().for_each(|row| mask_keys(row, &query.by));
            // Rows that look alike must not stand in the order of what is hidden.
            rows.sort_by_cached_key(|row| {
                format!("{:?}", (&row.keys, &row.figures, &row.compared))
            });
            query.order.sort(&mut rows, &query.by);
        }
        let failures = report.total.not_reached();
        let shown = rows.iter().take(query.limit.unwrap_or(usize::MAX));
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        Self {
            by: query.by.iter().map(Dimension::name).collect::<Vec<_>>().join(","),
            since: text(query.filter.since),
            until: text(query.filter.until),
            as_of_position: report.as_of_position,
            rule: report.rule.name(),
            time_zone: query.zone.name().to_owned(),
            compared_with: query.compare.map(PeriodJson::new),
            rows: shown
                .map(|row| RowJson::new(row, &query.by, &query.zone, error_codes, failures))
                .collect(),
            rows_in_all: rows.len(),
            total: FiguresJson::new(&report.total),
            compared_total: report
                .compared_total
                .as_ref()
                .map(|theirs| ComparedJson::new(&report.total, theirs)),
            dimensions: query.by.clone(),
        }
    }

    /// Adds the names of the accounts, if the report is by account. Of a masked report, names that may be
    /// addresses are masked too.
    pub fn with_account_names(mut self, names: &AccountNames, masked: bool) -> Self {
        let place = self.dimensions.iter().position(|by| *by == Dimension::Account);
        for row in &mut self.rows {
            let sid = place.and_then(|place| row.values.get(place)?.as_deref());
            let name = sid.and_then(|sid| names.name(sid));
            row.account_name = name.map(|name| match masked {
                true => mask::text(name),
                false => name.to_owned(),
            });
        }
        self
    }

    /// The properties.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// True if the rows have error codes with their meanings.
    pub fn is_by_code(&self) -> bool {
        self.dimensions.contains(&Dimension::ErrorCode)
    }
}

/// Masks the values of a row that may be addresses. SIDs, channels and tags are texts that a sender may
/// choose.
pub fn mask_keys(row: &mut Row, by: &[Dimension]) {
    for (key, dimension) in row.keys.iter_mut().zip(by) {
        let RowKey::Text(text) = key else { continue };
        *text = match dimension {
            Dimension::Country => continue,
            Dimension::From => mask::address(text),
            Dimension::Tag(name) => mask::tag_value(name, text),
            _ => mask::text(text),
        };
    }
}

impl PeriodJson {
    fn new(period: Period) -> Self {
        Self { since: period.since.to_string(), until: period.until.to_string() }
    }
}

impl RowJson {
    fn new(
        row: &Row,
        by: &[Dimension],
        zone: &Zone,
        error_codes: &ErrorCodes,
        failures: i64,
    ) -> Self {
        let hour = |starts_at: i64| zone.show_hour(Timestamp::from_micros(starts_at * 1_000_000));
        let values: Vec<_> =
            by.iter().zip(&row.keys).map(|(by, key)| by.format(key, hour)).collect();
        let key = match &values[..] {
            [one] => one.clone(),
            several => {
                let shown = several.iter().map(|value| value.as_deref().unwrap_or("(none)"));
                Some(shown.collect::<Vec<_>>().join(" / "))
            }
        };
        let code = by.iter().zip(&row.keys).find_map(|(by, key)| match key {
            RowKey::Number(code) if *by == Dimension::ErrorCode => {
                ErrorCode::from_number(u32::try_from(*code).ok()?)
            }
            _ => None,
        });
        let names = by.iter().map(|by| by.name().into_owned());
        Self {
            key,
            keys: names.zip(values.iter().cloned()).collect(),
            account_name: None,
            code: code.map(|code| CodeJson::new(code, error_codes, &row.figures, failures)),
            figures: FiguresJson::new(&row.figures),
            compared: row.compared.as_ref().map(|theirs| ComparedJson::new(&row.figures, theirs)),
            values,
        }
    }
}

impl CodeJson {
    fn new(code: ErrorCode, error_codes: &ErrorCodes, figures: &Figures, failures: i64) -> Self {
        let fault = error_codes.meaning(code).map(|meaning| meaning.fault.name());
        let share = figures.not_reached() as f64 / failures as f64;
        Self {
            title: error_codes.title(code),
            fault: fault.unwrap_or("unknown"),
            url: format!("{ERROR_PAGE}{}", code.number()),
            share_of_failures: (failures > 0).then_some(share),
        }
    }
}

impl ComparedJson {
    fn new(ours: &Figures, theirs: &Figures) -> Self {
        let rate = |rate: fn(&Figures) -> Option<f64>| Some(rate(ours)? - rate(theirs)?);
        let of_status = |status| ours.of_status(status) - theirs.of_status(status);
        Self {
            figures: FiguresJson::new(theirs),
            differences: DifferencesJson {
                messages: ours.messages() - theirs.messages(),
                statuses: by_status(of_status),
                open: ours.open() - theirs.open(),
                conflicts: ours.conflicts() - theirs.conflicts(),
                imported: ours.imported() - theirs.imported(),
                late: ours.late() - theirs.late(),
                duplicate: ours.duplicate() - theirs.duplicate(),
                delivery_rate: rate(Figures::delivery_rate),
                read_rate: rate(Figures::read_rate),
                failure_rate: rate(Figures::failure_rate),
            },
        }
    }
}

impl FiguresJson {
    /// The JSON of a row's figures.
    pub fn new(figures: &Figures) -> Self {
        Self {
            messages: figures.messages(),
            statuses: by_status(|status| figures.of_status(status)),
            open: figures.open(),
            conflicts: figures.conflicts(),
            imported: figures.imported(),
            late: figures.late(),
            duplicate: figures.duplicate(),
            delivery_rate: figures.delivery_rate(),
            read_rate: figures.read_rate(),
            failure_rate: figures.failure_rate(),
            time_to_sent_ms: TimesJson::new(&figures.time_to_sent()),
            sent_to_delivered_ms: TimesJson::new(&figures.sent_to_delivered()),
        }
    }
}

/// A number for each status, in order of precedence, `unknown` last.
fn by_status(number: impl Fn(Option<Status>) -> i64) -> Map<String, Value> {
    let statuses = Status::ALL.into_iter().map(Some).chain([None]);
    statuses.map(|status| (status_name(status).to_owned(), number(status).into())).collect()
}

impl TimesJson {
    fn new(times: &DurationHistogram) -> Self {
        let [p50, p95, p99] = [50, 95, 99].map(|hundredths| times.percentile_ms(hundredths));
        let (known, unknown, negative) = (times.known(), times.unknown, times.negative);
        Self { known, unknown, negative, p50, p95, p99 }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dimension, Figures, Report, ReportJson, RowKey};
    use crate::domain::{ErrorCodes, Rule};
    use crate::report::{ReportQuery, Row};

    #[test]
    fn rows_of_masked_senders_do_not_stand_in_the_order_of_what_is_hidden() {
        let shown = |senders: [&str; 3]| {
            let row = |sender: &str| Row {
                keys: [RowKey::Text(sender.to_owned())].into_iter().collect(),
                figures: Figures::default(),
                compared: None,
            };
            let report = Report {
                query: ReportQuery::new([Dimension::From]),
                as_of_position: 1,
                rule: Rule::default(),
                rows: senders.map(row).into(),
                total: Figures::default(),
                compared_total: None,
            };
            let shown = ReportJson::new(&report, &ErrorCodes::default(), true);
            shown.rows.into_iter().map(|row| row.key).collect::<Vec<_>>()
        };
        let in_order = ["+*******0001", "+*******0002", "+*******0003"];
        let in_order = in_order.map(|key| Some(key.to_owned()));
        assert_eq!(shown(["+15550000003", "+15560000001", "+15570000002"]), in_order);
        assert_eq!(shown(["+15550000002", "+15560000003", "+15570000001"]), in_order);
    }
}
