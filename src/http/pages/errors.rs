//! `GET /errors`: the error codes that messages failed with, and what to fix first.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::codes::advice::advice;
use super::codes::trend::{CodeTrend, Trends, hours_of_bar};
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::range::{self, Range, RangeLink, with_query};
use super::frame::spark::Bar;
use super::frame::visit::Visit;
use super::list::query::ListQuery;
use crate::domain::rollup::Hour;
use crate::domain::{ErrorCode, ErrorCodes, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query;
use crate::wire::parameters::BadValue;

/// The path of the page.
const PATH: &str = "/errors";

/// The path of the report that has the same figures.
const REPORT: &str = "/v1/reports/delivery";

/// The hours up to which the last failure is so many hours ago; then days are enough.
const HOURS_NAMED_MAX: i64 = 48;

/// The sides, as in `side`, and their names in the tabs. Sender and configuration are us.
const SIDES: [(&str, &str); 6] = [
    ("us", "Us"),
    ("twilio", "Twilio"),
    ("carrier", "Carrier"),
    ("channel", "Channel"),
    ("recipient", "Recipient"),
    ("unknown", "Unknown"),
];

/// The page.
#[derive(Template)]
#[template(path = "errors.html")]
struct ErrorsPage {
    page: Page,
    ranges: Vec<RangeLink>,
    range: Range,
    /// The side that is shown; `None` for all.
    side: Option<&'static str>,
    /// The path and query of the table as CSV.
    csv: String,
    trends: Trends,
    culprit: Option<Culprit>,
    sides: Vec<SideTab>,
    rows: Vec<Row>,
}

/// The code that makes the difference to the period before.
struct Culprit {
    name: String,
    side: &'static str,
    since: Option<Timestamp>,
    target: String,
}

/// A tab with the failures of one side.
struct SideTab {
    name: &'static str,
    failures: i64,
    target: String,
    is_current: bool,
}

/// The failures with one error code.
struct Row {
    code: String,
    title: String,
    advice: Option<&'static str>,
    side: &'static str,
    /// The path and query of their list; `None` if they have no code.
    target: Option<String>,
    failures: i64,
    before: i64,
    change: i64,
    /// Their part of all failures.
    share: Option<f64>,
    is_beyond_chance: bool,
    most: i64,
    bars: Vec<Bar>,
    places: String,
    last: String,
}

/// The error codes.
pub async fn errors(
    visit: Visit,
    _readable: Redaction,
    returned: Returned,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let mut parameters = query::values(request.query_string())?;
    let range = Range::take(&mut parameters, visit.now, &visit.state.time_zone)?;
    let side = parameters.remove("side").map(|side| known_side(&side)).transpose()?;
    if let Some(unknown) = parameters.keys().next() {
        let unknown = unknown.escape_debug();
        return Err(Problem::BadRequest(format!(
            "there is no parameter `{unknown}` here; there are range, since, until, side"
        )));
    }
    returned.filter_by(range.parameters().iter().map(|(name, _)| *name));
    let (state, counted) = (visit.state.clone(), range.clone());
    let trends = web::block(move || {
        state.wait_for_views()?;
        Trends::new(&*state.store, &counted, &state.error_codes)
    });
    let trends = trends.await??;
    let error_codes = &visit.state.error_codes;
    let shown = trends.codes.iter().filter(|code| side.is_none_or(|side| code.side == side));
    let all = trends.failures;
    let row = |code| Row::new(code, all, error_codes, &range, visit.now);
    let rows: Vec<_> = shown.map(row).collect();
    returned.add(rows.len());
    let others: Vec<_> = side.into_iter().map(|side| ("side", side)).collect();
    let times = range.as_times();
    let times = times.iter().map(|(name, value)| (*name, value.as_str()));
    let report =
        |by| [("by", by)].into_iter().chain(times.clone()).chain([("compare", "previous")]);
    let frame = visit.page(Section::Errors, "Errors").as_of(trends.as_of_position);
    html(&ErrorsPage {
        page: frame.json(with_query(REPORT, report("error-code,hour"))),
        csv: with_query(REPORT, report("error-code").chain([("format", "csv")])),
        ranges: range.links(PATH, &others),
        culprit: trends.culprit().map(|code| Culprit::new(code, error_codes, &range, visit.now)),
        sides: sides(&trends, &range, side),
        side,
        rows,
        range,
        trends,
    })
}

fn known_side(side: &str) -> Result<&'static str, Problem> {
    let known = SIDES.iter().find(|(name, _)| *name == side).map(|(name, _)| *name);
    known.ok_or_else(|| {
        let names = SIDES.map(|(name, _)| name).join(", ");
        BadValue::new("side", side, format!("one of {names}")).into()
    })
}

fn sides(trends: &Trends, range: &Range, current: Option<&str>) -> Vec<SideTab> {
    let target = |side: Option<&'static str>| {
        let range = range.parameters();
        let range = range.iter().map(|(name, value)| (*name, value.as_str()));
        with_query(PATH, range.chain(side.map(|side| ("side", side))))
    };
    let all = SideTab {
        name: "All",
        failures: trends.failures,
        target: target(None),
        is_current: current.is_none(),
    };
    let tab = |(side, name): (&'static str, &'static str)| SideTab {
        name,
        failures: trends.of_side(side),
        target: target(Some(side)),
        is_current: current == Some(side),
    };
    [all].into_iter().chain(SIDES.map(tab)).collect()
}

/// How long ago an hour was.
fn ago(hour: Hour, now: Timestamp) -> String {
    match Hour::from_timestamp(now).0 - hour.0 {
        ..=0 => "this hour".to_owned(),
        hours if hours < HOURS_NAMED_MAX => format!("{hours}\u{a0}h ago"),
        hours => format!("{}\u{a0}d ago", hours / 24),
    }
}

impl ErrorsPage {
    /// The path and query of this page with the same period as two times.
    fn as_times(&self) -> String {
        let times = self.range.as_times();
        let times = times.iter().map(|(name, value)| (*name, value.as_str()));
        with_query(PATH, times.chain(self.side.map(|side| ("side", side))))
    }

    fn minute(&self, time: &Timestamp) -> String {
        range::minute(*time)
    }

    /// The codes that are shown, as one row.
    fn all(&self) -> (i64, i64, Option<f64>) {
        let failures: i64 = self.rows.iter().map(|row| row.failures).sum();
        let all = self.trends.failures;
        let before = match self.side {
            None => self.trends.before,
            Some(_) => self.rows.iter().map(|row| row.before).sum(),
        };
        (failures, before, (all > 0).then(|| failures as f64 / all as f64))
    }

    /// What the bars of the rows count, as the head of their column.
    fn bar(&self) -> String {
        match hours_of_bar(self.range.hours().len()) {
            1 => "By hour".to_owned(),
            24 => "By day".to_owned(),
            hours => format!("By {hours} h"),
        }
    }

    fn share(&self) -> Option<f64> {
        let Trends { failures, messages, .. } = self.trends;
        (messages > 0).then(|| failures as f64 / messages as f64)
    }
}

impl Row {
    fn new(
        trend: &CodeTrend,
        all: i64,
        error_codes: &ErrorCodes,
        range: &Range,
        now: Timestamp,
    ) -> Self {
        let (most, bars) = trend.bars();
        Self {
            code: trend.code.map_or("none".to_owned(), |code| code.number().to_string()),
            title: match trend.code {
                Some(code) => error_codes.title(code),
                None => "No error code was reported".to_owned(),
            },
            advice: trend.code.and_then(|code| advice(code.number())),
            side: trend.side,
            target: trend.code.map(|code| list(code, range, now)),
            failures: trend.failures,
            before: trend.before,
            change: trend.change(),
            share: (all > 0).then(|| trend.failures as f64 / all as f64),
            is_beyond_chance: trend.is_beyond_chance(),
            most,
            bars,
            places: trend.places(),
            last: trend.last(range).map_or(String::new(), |last| ago(last, now)),
        }
    }
}

impl Culprit {
    fn new(trend: &CodeTrend, error_codes: &ErrorCodes, range: &Range, now: Timestamp) -> Self {
        let row = Row::new(trend, trend.failures, error_codes, range, now);
        Self {
            name: format!("{} {}", row.code, row.title),
            side: match trend.side {
                "us" => ", on our side",
                "twilio" => ", on Twilio’s side",
                "carrier" => ", on the carriers’ side",
                "channel" => ", on the channel’s side",
                "recipient" => ", on the recipients’ side",
                _ => "",
            },
            since: trend.since(range),
            target: row.target.unwrap_or_else(|| PATH.to_owned()),
        }
    }
}

/// The path and query of the messages with a code in a period.
fn list(code: ErrorCode, range: &Range, now: Timestamp) -> String {
    let code = code.number().to_string();
    let times = range.as_times();
    let times = times.iter().map(|(name, value)| (*name, value.as_str()));
    let has_ended = range.period.until <= now;
    let times = times.filter(|(name, _)| *name == "since" || has_ended);
    ListQuery::with_filters([("error_code", code.as_str())].into_iter().chain(times)).target()
}
