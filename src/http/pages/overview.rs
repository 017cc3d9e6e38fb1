//! `GET /`: whether deliveries are as usual, and if not, whose failures are up, and since when.
//!
//! Everything is computed from the same reports as `/v1/reports/delivery`, for a period of whole hours, and
//! compared with the period of the same length before it.

mod chart;
mod failures;
mod funnel;
mod ledger;
mod numbers;
mod period;
mod sides;
mod verdict;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use self::failures::Failures;
use self::funnel::Row;
use self::ledger::Ledger;
use self::numbers::Numbers;
use self::period::{RANGES, Steps};
use self::sides::Side;
use self::verdict::{Rise, Verdict};
use super::empty;
use super::frame::chance::rate_fell;
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::range::minute;
use super::frame::spark::{Bar, spark};
use super::frame::stacks::{Outcomes, Stacks};
use super::frame::visit::Visit;
use crate::domain::error_code::Responsibility;
use crate::domain::rollup::histogram::DurationHistogram;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::report::Figures;
use crate::wire::filter::time_flag;

/// The range if none is chosen.
const RANGE_DEFAULT: &str = "24h";

/// The scale of failures in a step is at least this: otherwise noise would fill the rows.
const FAILURES_SCALE_MIN: i64 = 40;

/// The rows of the tables of codes and of places.
const CODES_MAX: usize = 7;
const PLACES_MAX: usize = 5;

/// The query of the page.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
pub struct OverviewParameters {
    /// One of the ranges' names.
    range: Option<String>,
    since: Option<String>,
    until: Option<String>,
    /// What the table of places is by.
    by: Option<String>,
}

/// The page.
#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    /// The chosen range; `None` for a period of one's own.
    range: Option<String>,
    by: String,
    steps: Steps,
    numbers: Numbers,
    ledger: Ledger,
}

/// The overview.
pub async fn overview(
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if visit.state.projection.head() == 0 {
        return empty::empty(&visit);
    }
    let Query(parameters, _) = Query::<OverviewParameters>::parse(request.query_string())?;
    let steps = parameters.steps(&visit)?;
    let by = parameters.by.as_deref().unwrap_or(numbers::PLACES[0]).to_owned();
    let place = numbers::place(&by).ok_or_else(|| {
        let (by, known) = (by.escape_debug(), numbers::PLACES.join(", "));
        Problem::BadRequest(format!("by: `{by}` is none of {known}"))
    })?;
    let (state, now) = (visit.state.clone(), visit.now);
    let masked = redaction.is_masked();
    let asked = web::block(move || {
        state.wait_for_views()?;
        let numbers = Numbers::new(&state, steps, place, masked)?;
        Ok::<_, Problem>((numbers, Ledger::new(&state, now)?))
    });
    let (numbers, ledger) = asked.await??;
    // Views that another rule made are about to be rebuilt.
    if numbers.rule != visit.state.rule {
        return Err(Problem::Behind);
    }
    returned.add(numbers.outcomes.len());
    let own_period = parameters.since.is_some();
    let range = parameters.range.unwrap_or_else(|| RANGE_DEFAULT.to_owned());
    let json = format!("/v1/reports/delivery?by=hour&{}&compare=previous", period_query(steps));
    let page = visit.page(Section::Overview, "").as_of(numbers.as_of_position).json(json);
    let mut shown = OverviewPage {
        page: if own_period { page } else { page.refreshed() },
        range: (!own_period).then_some(range),
        by,
        steps,
        numbers,
        ledger,
    };
    shown.page.title = shown.headline();
    html(&shown)
}

impl OverviewParameters {
    fn steps(&self, visit: &Visit) -> Result<Steps, Problem> {
        let time = |name: &str, text: &Option<String>| {
            let text = text.as_deref().filter(|text| !text.is_empty());
            text.map(|text| time_flag(name, text, visit.now, &Zone::default())).transpose()
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        if let Some(since) = since {
            let until = until.unwrap_or(visit.now);
            crate::wire::filter::in_order(Some(since), Some(until))?;
            return Ok(Steps::between(since, until));
        }
        let range = self.range.as_deref().unwrap_or(RANGE_DEFAULT);
        Steps::of_range(range, visit.now).ok_or_else(|| {
            let names: Vec<_> = RANGES.iter().map(|(name, _)| *name).collect();
            let (range, names) = (range.escape_debug(), names.join(", "));
            Problem::BadRequest(format!("range: `{range}` is none of {names}; or add since"))
        })
    }
}

/// The period as parameters of a list or report.
fn period_query(steps: Steps) -> String {
    format!("since={}&until={}", steps.since(), steps.until())
}

impl OverviewPage {
    /// The title: the sentence in short.
    fn headline(&self) -> String {
        if let Some(problem) = &self.ledger.problem {
            return problem.title.clone();
        }
        match &self.numbers.verdict {
            Verdict::Nothing => "No messages in this period".to_owned(),
            Verdict::Rose(rise) => {
                let since =
                    rise.since.map(|since| format!(" since {}", &since.to_string()[11..16]));
                let named = self.numbers.sides[rise.side].failures_named;
                format!("{named} are up{}", since.unwrap_or_default())
            }
            Verdict::Fell => "Deliveries fell, for more than one reason".to_owned(),
            Verdict::First => "Deliveries so far".to_owned(),
            Verdict::Usual(_) => "Deliveries are as usual".to_owned(),
        }
    }

    fn ranges(&self) -> [(&'static str, &'static str); 4] {
        RANGES
    }

    fn places(&self) -> [&'static str; 3] {
        numbers::PLACES
    }

    /// The path and query of this page with another table of places.
    fn by_target(&self, by: &str) -> String {
        match &self.range {
            Some(range) => format!("/?range={range}&by={by}#wh"),
            None => format!("/?{}&by={by}#wh", self.period()),
        }
    }

    fn period(&self) -> String {
        period_query(self.steps)
    }

    /// The path and query of the messages of the period with this filter.
    fn messages(&self, filter: impl AsRef<str>) -> String {
        match filter.as_ref() {
            "" => format!("/messages?{}", self.period()),
            filter => format!("/messages?{filter}&{}", self.period()),
        }
    }

    /// The path and query of the same numbers as CSV.
    fn csv(&self, by: &str) -> String {
        format!("/v1/reports/delivery?by={by}&{}&compare=previous&format=csv", self.period())
    }

    /// The highest number of failures in a step, for every side.
    fn scale(&self) -> i64 {
        let most = self.numbers.sides.iter().map(|side| side.failures.most()).max();
        most.unwrap_or_default().max(FAILURES_SCALE_MIN)
    }

    /// The step from which a side's bars are highlighted.
    fn highlight_from(&self, side: &usize) -> Option<usize> {
        let rise = self.rise().filter(|rise| rise.side == *side)?;
        Some(rise.since_step.unwrap_or(0))
    }

    fn rise(&self) -> Option<&Rise> {
        self.numbers.verdict.rise()
    }

    fn side_bars(&self, place: &usize) -> Vec<Bar> {
        let steps = &self.numbers.sides[*place].failures.steps;
        spark(steps, self.scale(), self.highlight_from(place))
    }

    fn code_bars(&self, failures: &Failures) -> Vec<Bar> {
        let highlight_from = failures.rose_in_step().filter(|_| self.is_marked(failures));
        spark(&failures.steps, failures.most(), highlight_from)
    }

    /// True if a side or a code is marked as worse.
    fn is_marked(&self, failures: &Failures) -> bool {
        !self.numbers.verdict.is_usual() && failures.is_worse(self.numbers.traffic)
    }

    fn rate_is_marked(&self, now: &Figures, before: &Figures) -> bool {
        !self.numbers.verdict.is_usual() && rate_fell(now, before)
    }

    fn side_of(&self, code: &Option<ErrorCode>) -> &'static str {
        match self.numbers.error_codes.responsibility(*code) {
            Responsibility::Sender | Responsibility::Configuration => "us",
            fault => fault.name(),
        }
    }

    fn side(&self, rise: &Rise) -> &Side {
        &self.numbers.sides[rise.side]
    }

    /// An hour of today, or of another day with its name.
    fn since_words(&self, since: &Timestamp) -> String {
        let (day, time) = (since.to_string(), self.page.now.to_string());
        match day[..10] == time[..10] {
            true => day[11..16].to_owned(),
            false => filters::weekday_minute_of(*since),
        }
    }

    fn title(&self, code: &ErrorCode) -> String {
        self.numbers.error_codes.title(*code)
    }

    /// The path and query of the error codes of the period.
    fn errors(&self) -> String {
        format!("/errors?{}", self.period())
    }

    /// The path and query of a side's error codes.
    fn failures_target(&self, side: &Side) -> String {
        format!("{}&side={}", self.errors(), side.name.to_lowercase())
    }

    fn side_label(&self, side: &Side) -> String {
        let (failures, most) = (side.failures.now, side.failures.most());
        let (length, step) = (self.steps.length(), self.steps.step_name());
        format!("{}: {failures} failures in {length}, most in one {step} {most}", side.name)
    }

    fn code_label(&self, code: &Option<ErrorCode>, failures: &Failures) -> String {
        let code = code.map_or("no code".to_owned(), |code| code.number().to_string());
        format!("{code}: most in one {} {}", self.steps.step_name(), failures.most())
    }

    fn place_target(&self, value: &str) -> String {
        let name = if self.by == "account" { "account_sid" } else { self.by.as_str() };
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        self.messages(format!("{name}={value}"))
    }

    /// A share of all messages.
    fn share(&self, messages: i64) -> Option<f64> {
        let all = self.numbers.total.messages();
        (all > 0).then(|| messages as f64 / all as f64)
    }

    fn sent_to_delivered(&self) -> (DurationHistogram, DurationHistogram) {
        let Numbers { total, before, .. } = &self.numbers;
        (total.sent_to_delivered(), before.sent_to_delivered())
    }

    fn stacks(&self) -> Stacks {
        Stacks::new(&self.numbers.outcomes)
    }

    /// A channel within a sentence: abbreviations are in capitals.
    fn channel_name(&self, channel: &str) -> String {
        match channel {
            "sms" | "mms" | "rcs" => channel.to_uppercase(),
            "whatsapp" => "WhatsApp".to_owned(),
            other => other.to_owned(),
        }
    }

    /// What a stack of bars shows, as its tooltip.
    fn stack_label(&self, step: &usize, outcomes: &Outcomes) -> String {
        let at = filters::weekday_minute_of(self.steps.starts_at(*step));
        let Outcomes { reached, open, failed, .. } = outcomes;
        format!("{at}: {reached} delivered, {open} open, {failed} failed")
    }

    fn funnel(&self) -> Vec<Row> {
        funnel::rows(&self.numbers.total)
    }

    /// Both durations: their names, now and before.
    fn times(&self) -> [(&'static str, DurationHistogram, DurationHistogram); 2] {
        let Numbers { total, before, .. } = &self.numbers;
        [
            ("Queued to sent", total.time_to_sent(), before.time_to_sent()),
            ("Sent to delivered", total.sent_to_delivered(), before.sent_to_delivered()),
        ]
    }

    /// The labels below the chart of messages: at its beginning, at its quarters, and at its end.
    fn labels(&self) -> Vec<Timestamp> {
        let quarter = |part: usize| self.steps.starts_at(self.steps.len() * part / 4);
        (0..4).map(quarter).chain([self.page.now.min(self.steps.until())]).collect()
    }

    /// A list of words: `Twilio, the carriers and this ledger`.
    fn unchanged(&self, rise: &Rise) -> String {
        let mut words = rise.unchanged.clone();
        words.push("this ledger");
        let last = words.pop().unwrap_or_default();
        let text = match words.is_empty() {
            true => last.to_owned(),
            false => format!("{} and {last}", words.join(", ")),
        };
        let verb = if words.is_empty() { "is" } else { "are" };
        let mut letters = text.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string());
        format!("{}{} {verb} unchanged.", first.unwrap_or_default(), letters.as_str())
    }
}

/// A share as a percentile's place.
fn place(ms: &u64) -> f64 {
    chart::log_place(*ms)
}

fn percentile(times: &DurationHistogram, hundredths: &u64) -> Option<u64> {
    times.percentile_ms(*hundredths)
}
