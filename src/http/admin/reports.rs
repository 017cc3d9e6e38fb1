//! `GET /v1/reports/delivery`: delivery reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::http::header::ContentDisposition;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::messages::list::message_filter;
use super::state::AdminState;
use crate::domain::Timestamp;
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::{self, Failures};
use crate::report::comparison::{self, Comparison};
use crate::report::output::ReportJson;
use crate::report::{
    Clock, Dimension, Order, Report, ReportQuery, by_scan, csv, from_rollups_only,
};
use crate::wire::filter::tag_filter;
use crate::wire::filter::{MessageParameters, time_flag};
use crate::wire::parameters::{BadValue, not_empty, parsed};

/// The maximum of `limit`. A report by sender may have very many rows.
const LIMIT_MAX: usize = 1_000_000;

/// The media type and the file name of a report as CSV.
const CSV_TYPE: &str = "text/csv; charset=utf-8";
const CSV_NAME: &str = "delivery-report.csv";

/// What a report counts by, and which rows it has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ReportParameters {
    /// One property, or two with a comma in between: `day`, `hour`, `week`, `month`, `weekday`,
    /// `hour-of-day`, `channel`, `from`, `messaging-service`, `country`, `error-code`, `fault`,
    /// `carrier`, `account`, or `tag:` and the name of a tag
    #[serde(deserialize_with = "text")]
    #[param(value_type = String, required = true, example = "country,week",
        pattern = "^(day|hour|week|month|weekday|hour-of-day|channel|from|messaging-service|country|error-code|fault|carrier|account|tag:[A-Za-z0-9_-]+)(,(day|hour|week|month|weekday|hour-of-day|channel|from|messaging-service|country|error-code|fault|carrier|account|tag:[A-Za-z0-9_-]+))?$")]
    by: Option<String>,
    /// Whose times decide when a message counts, and its durations: `ledger`, when the ledger received the
    /// events, or `twilio`, when it happened according to Twilio. The default is `ledger`
    #[serde(deserialize_with = "clock")]
    #[param(value_type = Option<String>, pattern = "^(ledger|twilio)$")]
    clock: Option<Clock>,
    /// `previous`, the period of the same length directly before, or `SINCE..UNTIL`
    #[serde(deserialize_with = "text")]
    #[param(value_type = Option<String>,
        pattern = r"^(previous|20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])\.\.20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]))$")]
    compare: Option<String>,
    /// `key`, `messages`, `reached`, `failed`, `open`, `conflicts`, `delivery-rate`, `read-rate`,
    /// `failure-rate`, `time-to-sent`, `sent-to-delivered`, `segments`, `click-rate`, `conversion-rate` or,
    /// with `compare`, `change`; the greatest first, or the smallest with `:asc` after it
    #[serde(deserialize_with = "order")]
    #[param(value_type = Option<String>,
        pattern = "^(key|messages|reached|failed|open|conflicts|delivery-rate|read-rate|failure-rate|time-to-sent|sent-to-delivered|segments|click-rate|conversion-rate|change)(:asc|:desc)?$")]
    sort: Option<Order>,
    /// The maximum number of rows; the total is of all
    #[serde(deserialize_with = "limit")]
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1_000_000)]
    limit: Option<usize>,
    /// The default is `json`
    #[param(inline, value_type = ReportFormat, required = false)]
    format: Option<ReportFormat>,
}

/// The format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReportFormat {
    Json,
    /// The rows without the total.
    Csv,
}

fn text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    parsed(value, "a text that is not empty", not_empty)
}

fn clock<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Clock>, D::Error> {
    parsed(value, Clock::EXPECTED, Clock::parse)
}

fn order<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Order>, D::Error> {
    let text = String::deserialize(value)?;
    Order::parse(&text).map(Some).map_err(serde::de::Error::custom)
}

fn limit<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    let expected = format!("a number from 1 to {LIMIT_MAX}");
    parsed(value, &expected, |text| {
        text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))
    })
}

/// A delivery report: messages grouped by one or two properties, with counts, rates and times.
#[utoipa::path(get, path = "/v1/reports/delivery", operation_id = "deliveryReport", tag = "reports",
    params(ReportParameters, MessageParameters),
    responses((status = 200, content((ReportJson = "application/json"), (String = "text/csv; charset=utf-8"))), Failures))]
pub async fn delivery(
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, filter): Query<ReportParameters, MessageParameters>,
) -> Result<HttpResponse, Problem> {
    let format = parameters.format.unwrap_or(ReportFormat::Json);
    let query = parameters.query(filter, redaction, &state)?;
    let report = web::block(move || {
        let Made { report, .. } = made(&state, &query, redaction)?;
        let masked = redaction.is_masked();
        let json = ReportJson::new(&report, &state.error_codes, masked)
            .with_account_names(&state.account_names(), masked);
        returned.add(json.rows.len());
        Ok::<_, Problem>(json)
    });
    let report = report.await??;
    if format == ReportFormat::Json {
        return response::json(HttpResponse::Ok(), &report);
    }
    let mut rows = Vec::new();
    csv::write(&report, &mut rows).map_err(|_| Problem::Internal)?;
    let file = ContentDisposition::attachment(CSV_NAME);
    Ok(HttpResponse::Ok().content_type(CSV_TYPE).insert_header(file).body(rows))
}

/// A report, and how long it took if messages had to be scanned; `None` if the roll-ups sufficed.
pub struct Made {
    /// The report.
    pub report: Report,
    /// How long messages were scanned.
    pub scanned_for: Option<Duration>,
}

/// Makes a report of the present views. Blocks.
///
/// # Errors
///
/// The views are too far behind, or no message has a tag of the query.
pub fn made(
    state: &AdminState,
    query: &ReportQuery,
    redaction: Redaction,
) -> Result<Made, Problem> {
    redaction.check_tag_names(query.tags())?;
    state.wait_for_views()?;
    state.check_tags(&query.filter, false, redaction)?;
    let known = state.tag_names(redaction)?;
    query.tags().try_for_each(|name| {
        let checked = tag_filter::check(name, &known);
        checked.map_err(|bad| Problem::Conflict(format!("by: {bad}")))
    })?;
    let begun = Instant::now();
    let made = match from_rollups_only(state.store.views(), query)? {
        Some(report) => Made { report, scanned_for: None },
        None => {
            let report = by_scan(state.store.views(), query)?;
            Made { report, scanned_for: Some(begun.elapsed()) }
        }
    };
    // Views that another rule made are about to be rebuilt.
    match made.report.rule == state.rule {
        true => Ok(made),
        false => Err(Problem::Behind),
    }
}

impl ReportParameters {
    fn query(
        self,
        filter: MessageParameters,
        redaction: Redaction,
        state: &AdminState,
    ) -> Result<ReportQuery, Problem> {
        let by = self.by.ok_or_else(|| {
            let names = Dimension::ALL.map(|by| by.name().into_owned()).join(", ");
            Problem::BadRequest(format!(
                "by is missing; it is one of {names}, tag:NAME, or two of them with a comma in between"
            ))
        })?;
        let by =
            Dimension::parse_list(&by).map_err(|bad| Problem::BadRequest(format!("by: {bad}")))?;
        let zone = filter.time_zone.clone().unwrap_or_else(|| state.time_zone.clone());
        let mut query = ReportQuery {
            filter: redaction.check_filter(message_filter(filter, state)?)?,
            clock: self.clock.unwrap_or_default(),
            zone,
            order: self.sort.unwrap_or_default(),
            limit: self.limit,
            error_codes: Arc::clone(&state.error_codes),
            ..ReportQuery::new(by)
        };
        let checked = query.order.check(self.compare.is_some());
        checked.map_err(|missing| Problem::Conflict(format!("sort: {missing}")))?;
        if let Some(text) = self.compare {
            let now = Timestamp::from(OffsetDateTime::now_utc());
            let time =
                |text: &str| time_flag("compare", text, now, &query.zone).map_err(Problem::from);
            let ends = comparison::split(&text)
                .map_err(|expected| BadValue::new("compare", &text, expected))?;
            let comparison = match ends {
                None => Comparison::Previous,
                Some((since, until)) => Comparison::With(time(since)?, time(until)?),
            };
            comparison
                .apply(&mut query, now)
                .map_err(|bad| Problem::Conflict(format!("compare: {bad}")))?;
        }
        Ok(query)
    }
}
