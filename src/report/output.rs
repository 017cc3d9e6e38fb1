//! The JSON of a report, and what it shows of each row.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::json::{ComparedJson, FiguresJson};
use super::{Clock, Dimension, Figures, Period, Report, Row, RowKey};
use crate::domain::account_names::AccountNames;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, ErrorCodes, Timestamp};
use crate::wire::mask;

/// Twilio's page of an error code; the code follows.
const ERROR_PAGE: &str = "https://www.twilio.com/docs/api/errors/";

/// A report as JSON.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeliveryReport)]
pub struct ReportJson {
    /// The properties, with a comma in between.
    pub by: String,
    /// The beginning of the period; `null` if it has none.
    pub since: Option<String>,
    /// The end of the period, which is not part of it; `null` if it has none.
    pub until: Option<String>,
    /// The report includes at least all events up to here.
    pub as_of_position: u64,
    /// The rule by which statuses are decided.
    pub rule: &'static str,
    /// Whose times decide when a message counts, and its durations: `ledger` or `twilio`.
    pub clock: &'static str,
    /// Messages whose time by that clock is known. By Twilio's clock, the others count when they arrived.
    pub clock_known: i64,
    /// Events that were received in the period and erased since; what they were about is not known any more.
    pub erased_events: u64,
    /// The zone of days, weeks, months, weekdays and hours.
    pub time_zone: String,
    /// The period that it is compared with, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compared_with: Option<PeriodJson>,
    /// The rows, in the requested order and number.
    pub rows: Vec<RowJson>,
    /// The number of rows without a limit.
    pub rows_in_all: usize,
    /// The figures of all messages, also of those in rows beyond the limit.
    pub total: FiguresJson,
    /// The total of the period that it is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub compared_total: Option<ComparedJson>,
    #[serde(skip)]
    dimensions: Vec<Dimension>,
    #[serde(skip)]
    query_clock: Clock,
}

/// A period.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportPeriod)]
pub struct PeriodJson {
    /// The beginning.
    pub since: String,
    /// The end, which is not part of it.
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
    /// The figures of the row's messages.
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

/// The meaning of an error code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportCode)]
pub struct CodeJson {
    /// A short description of the code.
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
            clock: query.clock.name(),
            clock_known: report.total.clock_known(),
            erased_events: report.erased_events,
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
            query_clock: query.clock,
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

    /// Which times the report has; `None` if they are the ledger's.
    pub fn clock_sentence(&self) -> Option<String> {
        self.query_clock.sentence(self.clock_known, self.total.messages)
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
            Dimension::Country | Dimension::Carrier => continue,
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
                erased_events: 0,
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
