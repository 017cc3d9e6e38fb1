//! The JSON of figures: counts, rates and times, and the differences between two periods.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Figures;
use super::details::DetailFigures;
use crate::domain::Status;
use crate::domain::price::{Amount, Currency};
use crate::domain::rollup::histogram::DurationHistogram;
use crate::wire::status_name::status_name;

/// The figures of a row; docs/REPORTS.md defines them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportFigures)]
pub struct FiguresJson {
    /// Messages of any status.
    pub messages: i64,
    /// Messages by status, in order of precedence, `unknown` last.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub statuses: Map<String, Value>,
    /// Messages whose outcome is not known yet.
    pub open: i64,
    /// Messages with evidence of both success and failure.
    pub conflicts: i64,
    /// Messages with imported events.
    pub imported: i64,
    /// Messages with late events.
    pub late: i64,
    /// Messages with duplicate events.
    pub duplicate: i64,
    /// The share of messages that were delivered or read, of those with an outcome; `null` without any.
    pub delivery_rate: Option<f64>,
    /// The share of messages that were read, of those delivered on channels with read receipts; `null`
    /// without any.
    pub read_rate: Option<f64>,
    /// The share of messages that were undelivered or failed, of those with an outcome; `null` without any.
    pub failure_rate: Option<f64>,
    /// Times from the first of `accepted`, `queued` and `sending` to `sent`.
    pub time_to_sent_ms: TimesJson,
    /// Times from `sent` to `delivered`.
    pub sent_to_delivered_ms: TimesJson,
    /// The segments of all messages whose number of segments is known.
    pub segments: i64,
    /// Messages whose number of segments is known.
    pub segments_known: i64,
    /// The sum of all known prices by currency, as exact decimal numbers; what was charged is negative.
    pub prices: BTreeMap<String, String>,
    /// Messages whose price is known.
    pub priced: i64,
    /// Clicks that are probably a person's.
    pub clicks: i64,
    /// Messages with such a click that were delivered or read.
    pub clicked: i64,
    /// The share of messages with such a click, of those delivered or read; `null` without any.
    pub click_rate: Option<f64>,
    /// Messages whose purpose the sender confirmed to Twilio.
    pub feedback_confirmed: i64,
    /// Messages whose sender reported to Twilio that it was not reached.
    pub feedback_unconfirmed: i64,
    /// Messages without either.
    pub feedback_unknown: i64,
    /// The share of confirmed messages, of those sent: `sent`, `partially_delivered`, `delivered`, `read` and
    /// `undelivered`; `null` without any.
    pub conversion_rate: Option<f64>,
}

/// A distribution of durations.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportTimes)]
pub struct TimesJson {
    /// Messages with both reports, in this order.
    pub known: i64,
    /// Messages with only one of the reports, or none.
    pub unknown: i64,
    /// Messages whose end was reported before the start.
    pub negative: i64,
    /// The median in milliseconds; `null` if no time is known.
    pub p50: Option<u64>,
    /// The 95th percentile in milliseconds.
    pub p95: Option<u64>,
    /// The 99th percentile in milliseconds.
    pub p99: Option<u64>,
}

/// The figures of the period that a report is compared with, and the differences to them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportComparison)]
pub struct ComparedJson {
    /// The figures of the period that is compared with.
    #[serde(flatten)]
    pub figures: FiguresJson,
    /// The figures of the report less these.
    pub differences: DifferencesJson,
}

/// The figures of the report less those of the period that it is compared with.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReportDifferences)]
pub struct DifferencesJson {
    /// Messages of any status.
    pub messages: i64,
    /// Messages by status, as in the figures.
    #[schema(value_type = std::collections::BTreeMap<String, i64>)]
    pub statuses: Map<String, Value>,
    /// Messages whose outcome is not known yet.
    pub open: i64,
    /// Messages with evidence of both success and failure.
    pub conflicts: i64,
    /// Messages with imported events.
    pub imported: i64,
    /// Messages with late events.
    pub late: i64,
    /// Messages with duplicate events.
    pub duplicate: i64,
    /// `null` if one of the two is.
    pub delivery_rate: Option<f64>,
    /// `null` if one of the two is.
    pub read_rate: Option<f64>,
    /// `null` if one of the two is.
    pub failure_rate: Option<f64>,
    /// Segments, as far as they are known.
    pub segments: i64,
    /// Messages whose number of segments is known.
    pub segments_known: i64,
    /// The sums of prices by currency, as exact decimal numbers.
    pub prices: BTreeMap<String, String>,
    /// Messages whose price is known.
    pub priced: i64,
    /// Clicks that are probably a person's.
    pub clicks: i64,
    /// Messages with such a click that were delivered or read.
    pub clicked: i64,
    /// `null` if one of the two is.
    pub click_rate: Option<f64>,
    /// Messages whose purpose the sender confirmed to Twilio.
    pub feedback_confirmed: i64,
    /// Messages whose sender reported to Twilio that it was not reached.
    pub feedback_unconfirmed: i64,
    /// Messages without either.
    pub feedback_unknown: i64,
    /// `null` if one of the two is.
    pub conversion_rate: Option<f64>,
}

impl ComparedJson {
    /// Compares the figures of a report with those of the earlier period.
    pub fn new(ours: &Figures, theirs: &Figures) -> Self {
        let rate = |rate: fn(&Figures) -> Option<f64>| Some(rate(ours)? - rate(theirs)?);
        let of_status = |status| ours.of_status(status) - theirs.of_status(status);
        let detail =
            |count: fn(&DetailFigures) -> i64| count(ours.details()) - count(theirs.details());
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
                segments: detail(DetailFigures::segments),
                segments_known: detail(DetailFigures::segments_known),
                prices: price_differences(ours.details(), theirs.details()),
                priced: detail(DetailFigures::priced),
                clicks: detail(DetailFigures::clicks),
                clicked: detail(DetailFigures::clicked),
                click_rate: rate(Figures::click_rate),
                feedback_confirmed: detail(DetailFigures::confirmed),
                feedback_unconfirmed: detail(DetailFigures::unconfirmed),
                feedback_unknown: ours.feedback_unknown() - theirs.feedback_unknown(),
                conversion_rate: rate(Figures::conversion_rate),
            },
        }
    }
}

impl FiguresJson {
    /// The JSON of a row's figures.
    pub fn new(figures: &Figures) -> Self {
        let details = figures.details();
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
            segments: details.segments(),
            segments_known: details.segments_known(),
            prices: details
                .prices()
                .iter()
                .map(|sum| price(sum.currency, sum.billionths))
                .collect(),
            priced: details.priced(),
            clicks: details.clicks(),
            clicked: details.clicked(),
            click_rate: figures.click_rate(),
            feedback_confirmed: details.confirmed(),
            feedback_unconfirmed: details.unconfirmed(),
            feedback_unknown: figures.feedback_unknown(),
            conversion_rate: figures.conversion_rate(),
        }
    }
}

/// A sum of prices and its currency.
fn price(currency: Currency, billionths: i64) -> (String, String) {
    (currency.as_str().to_owned(), Amount::from_billionths(billionths).to_string())
}

/// The differences of the sums of prices, for each currency that one of the two has.
fn price_differences(ours: &DetailFigures, theirs: &DetailFigures) -> BTreeMap<String, String> {
    let mut sums: BTreeMap<Currency, i64> = BTreeMap::new();
    for (details, sign) in [(ours, 1_i64), (theirs, -1)] {
        for sum in details.prices().iter() {
            let ours = sums.entry(sum.currency).or_default();
            *ours = ours.wrapping_add(sign.wrapping_mul(sum.billionths));
        }
    }
    sums.into_iter().map(|(currency, billionths)| price(currency, billionths)).collect()
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
