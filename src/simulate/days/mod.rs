//! Two days of a shop's messages up to a moment, and what follows: they rise and fall with the hours of the
//! recipients, go over several channels, and fail as messages usually do. Since noon a carrier filters them.

mod chance;
mod fate;
mod market;
mod rhythm;
mod shop;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::vec;

use fastrand::Rng;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use self::chance::happens;
use self::fate::Stage;
use self::market::{FILTERED_SHARE, MARKETS, is_of_filtering_carrier};
use self::rhythm::{Begin, Rhythm};
use self::shop::Shop;
use super::stream::{Callback, token};
use crate::domain::Timestamp;

/// The period before the moment, in seconds.
pub const PERIOD_SECONDS: i64 = 48 * HOUR_SECONDS;

const HOUR_SECONDS: i64 = 3600;
const DAY_HOURS: i64 = 24;
const NOON: i64 = 12;
const EVENING: i64 = 18;

/// The hours that the carrier must have filtered for, so that it is visible in a chart by hour.
const FILTERED_HOURS_MIN: i64 = 2;

/// The share of callbacks that are sent once more, because the first response got lost.
const DUPLICATES: f64 = 0.011;

/// The longest time after which a callback is sent once more, in seconds (`tt` of Twilio's connection overrides).
const RETRY_SECONDS_MAX: f64 = 15.0;

/// The share of callbacks that never arrive.
const LOST: f64 = 0.004;

/// A minute in UTC as carriers' receipts write it: `YYMMDDhhmm`.
const RECEIPT_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year repr:last_two][month][day][hour][minute]");

/// The plan of the messages.
#[derive(Debug, Clone)]
pub struct DaysPlan {
    /// The account of the messages.
    pub account_sid: String,
    /// The same seed gives the same messages.
    pub seed: u64,
    /// The number of messages that begin in the period.
    pub messages: u64,
    /// The end of the period.
    pub until: Timestamp,
}

/// A callback and when it arrives.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrival {
    /// When it arrives.
    pub at: Timestamp,
    /// The callback.
    pub callback: Callback,
}

/// The callbacks of a plan, in order of arrival, without an end: after the period, messages begin at the rate of
/// the hour. The same plan yields the same callbacks.
pub struct Arrivals {
    account_sid: String,
    rng: Rng,
    rhythm: Rhythm,
    shop: Shop,
    filtered_since: Timestamp,
    past: vec::IntoIter<Begin>,
    next: Begin,
    on_their_way: BinaryHeap<Reverse<Arrival>>,
}

/// The time in a carrier's receipt of this moment. Carriers do not name the time zone; this is UTC.
pub fn receipt(at: Timestamp) -> String {
    let time = OffsetDateTime::from_unix_timestamp(at.micros() / 1_000_000);
    let text = time.ok().and_then(|time| time.format(RECEIPT_FORMAT).ok());
    text.unwrap_or_default()
}

/// Since when the carrier filters: the last noon in UTC, if that is at least two hours ago. In the two hours after
/// noon it is the evening before, because the noon before that is no longer among the last 24 hours.
pub fn filtered_since(now: Timestamp) -> Timestamp {
    let hour = now.micros().div_euclid(HOUR_SECONDS * 1_000_000);
    let since = |of_day: i64| (hour - of_day).rem_euclid(DAY_HOURS);
    let hours = if since(NOON) < FILTERED_HOURS_MIN { since(EVENING) } else { since(NOON) };
    Timestamp::from_micros((hour - hours) * HOUR_SECONDS * 1_000_000)
}

impl DaysPlan {
    /// The callbacks of the plan.
    pub fn arrivals(self) -> Arrivals {
        let mut rng = Rng::with_seed(self.seed);
        let rhythm = Rhythm::new(self.until, self.messages);
        let mut past = rhythm.past(&mut rng).into_iter();
        let next = past.next().unwrap_or_else(|| rhythm.next(self.until, &mut rng));
        Arrivals {
            account_sid: self.account_sid,
            filtered_since: filtered_since(self.until),
            shop: Shop::default(),
            rng,
            rhythm,
            past,
            next,
            on_their_way: BinaryHeap::new(),
        }
    }
}

impl Arrivals {
    /// The number of messages a second at a moment.
    pub fn messages_a_second(&self, at: Timestamp) -> f64 {
        self.rhythm.messages_a_second(at)
    }

    /// The next callback, if it has arrived by this moment.
    pub fn next_until(&mut self, moment: Timestamp) -> Option<Arrival> {
        self.begin_messages();
        let is_due = self.on_their_way.peek().is_some_and(|Reverse(first)| first.at <= moment);
        is_due.then(|| self.next()).flatten()
    }

    /// Begins messages until no callback of a later one can arrive before the first on its way.
    fn begin_messages(&mut self) {
        while self.on_their_way.peek().is_none_or(|Reverse(first)| first.at >= self.next.at) {
            self.begin_message();
        }
    }

    fn begin_message(&mut self) {
        let Begin { at, market } = self.next;
        let following = self.past.next();
        self.next = following.unwrap_or_else(|| self.rhythm.next(at, &mut self.rng));
        let market = &MARKETS[market];
        let sold = self.shop.message(market, &mut self.rng);
        let may_be_filtered =
            at >= self.filtered_since && is_of_filtering_carrier(market, &sold.message);
        let is_filtered = may_be_filtered && happens(FILTERED_SHARE, &mut self.rng);
        let mut time = at;
        for Stage { step, after } in fate::stages(market, &sold, is_filtered, &mut self.rng) {
            time = later(time, after);
            let callback = Callback {
                at_ms: 0,
                query: sold.query.clone(),
                body: sold.message.body(&self.account_sid, step, &receipt(time)),
                idempotency_token: token(&mut self.rng),
                forged: false,
            };
            self.set_out(callback, time, step.0);
        }
    }

    fn set_out(&mut self, callback: Callback, sent: Timestamp, status: &str) {
        let at = later(sent, fate::way(status, &mut self.rng));
        if happens(DUPLICATES, &mut self.rng) {
            let again = later(at, self.rng.f64() * RETRY_SECONDS_MAX);
            self.on_their_way.push(Reverse(Arrival { at: again, callback: callback.clone() }));
        }
        if !happens(LOST, &mut self.rng) {
            self.on_their_way.push(Reverse(Arrival { at, callback }));
        }
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        self.begin_messages();
        self.on_their_way.pop().map(|Reverse(arrival)| arrival)
    }
}

/// A moment some seconds later.
fn later(moment: Timestamp, seconds: f64) -> Timestamp {
    Timestamp::from_micros(moment.micros() + (seconds * 1e6) as i64)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Arrival, Arrivals, DaysPlan, HOUR_SECONDS, filtered_since, later};
    use crate::domain::Timestamp;
    use crate::domain::country::Country;
    use crate::twilio::form::Form;

    const MESSAGES: u64 = 20_000;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn arrivals(until: Timestamp) -> Arrivals {
        DaysPlan { account_sid: "AC1".to_owned(), seed: 7, messages: MESSAGES, until }.arrivals()
    }

    fn past(until: Timestamp) -> Vec<Arrival> {
        let mut arrivals = arrivals(until);
        std::iter::from_fn(|| arrivals.next_until(until)).collect()
    }

    fn parameter(arrival: &Arrival, name: &str) -> Option<String> {
        let form = Form::parse(arrival.callback.body.as_bytes());
        let value = form.values(name).next()?;
        Some(String::from_utf8(value.to_vec()).unwrap())
    }

    #[test]
    fn the_same_plan_gives_the_same_callbacks_in_order_of_arrival() {
        let noon = at("2026-11-26T12:00:00Z");
        let [once, again] =
            [arrivals(noon), arrivals(noon)].map(|it| it.take(70_000).collect::<Vec<_>>());
        assert_eq!(once, again);
        assert!(once.is_sorted_by_key(|arrival| arrival.at));
        assert!(once.last().unwrap().at > noon, "they go on after the period");
        let sids: BTreeSet<_> =
            past(noon).iter().map(|arrival| parameter(arrival, "MessageSid")).collect();
        assert!((19_900..=20_000).contains(&sids.len()), "{}", sids.len());
    }

    #[test]
    fn the_carrier_filters_since_noon_or_the_evening_before_until_two_hours_after_it() {
        for (now, since) in [
            ("2026-11-26T14:00:00Z", "2026-11-26T12:00:00Z"),
            ("2026-11-26T23:59:59Z", "2026-11-26T12:00:00Z"),
            ("2026-11-26T03:10:00Z", "2026-11-25T12:00:00Z"),
            ("2026-11-26T11:59:59Z", "2026-11-25T12:00:00Z"),
            ("2026-11-26T12:00:00Z", "2026-11-25T18:00:00Z"),
            ("2026-11-26T13:59:59Z", "2026-11-25T18:00:00Z"),
        ] {
            assert_eq!(filtered_since(at(now)), at(since), "{now}");
        }
    }

    /// The overview compares 24 hours with those before, and dates a rise by the first hour with over ten
    /// failures and over twice as many as before.
    #[test]
    fn the_filtered_messages_stand_out_at_any_time_of_the_day() {
        for now in ["03:00", "11:59", "12:01", "14:00"] {
            let now = at(&format!("2026-11-26T{now}:00Z"));
            let mut by_hour = BTreeMap::<i64, u32>::new();
            for arrival in past(now) {
                if parameter(&arrival, "ErrorCode").as_deref() == Some("30007") {
                    *by_hour.entry(arrival.at.micros() / 1_000_000 / HOUR_SECONDS).or_default() +=
                        1;
                }
            }
            let since = filtered_since(now).micros() / 1_000_000 / HOUR_SECONDS;
            let before: Vec<_> = by_hour.range(..since).map(|(_, count)| *count).collect();
            let after: u32 = by_hour.range(since..).map(|(_, count)| count).sum();
            assert!(before.iter().all(|count| *count <= 6), "{now}: {by_hour:?}");
            assert!(by_hour[&since] > 13, "{now}: {by_hour:?}");
            assert!(after > 80, "{now}: {by_hour:?}");
        }
    }

    #[test]
    fn nights_are_quiet_where_the_recipients_are() {
        let now = at("2026-11-26T00:00:00Z");
        let hours = |country: &'static str, from: i64| {
            let is_within = move |arrival: &&Arrival| {
                let to = parameter(arrival, "To").unwrap();
                let found = Country::from_address(&to).unwrap_or_else(|| panic!("{to}"));
                let hour = arrival.at.micros().rem_euclid(86_400_000_000) / 3_600_000_000;
                found.to_string() == country && (from..from + 3).contains(&hour)
            };
            past(now).iter().filter(is_within).count()
        };
        assert!(hours("US", 17) > 8 * hours("US", 8), "17:00 UTC is noon in New York");
        assert!(hours("DE", 10) > 8 * hours("DE", 1));
        assert!(hours("AU", 1) > 3 * hours("AU", 15));
        let countries: BTreeSet<_> = past(now)
            .iter()
            .filter_map(|arrival| Country::from_address(&parameter(arrival, "To")?))
            .map(|country| country.to_string())
            .collect();
        let expected = ["AU", "CA", "DE", "FR", "GB", "SE", "US"].map(str::to_owned);
        assert_eq!(countries, BTreeSet::from(expected));
    }

    #[test]
    fn what_follows_keeps_the_rate_of_the_hour() {
        let now = at("2026-11-26T17:00:00Z");
        let mut arrivals = arrivals(now);
        let rate = arrivals.messages_a_second(now);
        while arrivals.next_until(now).is_some() {}
        let end = later(now, 3600.0);
        let mut begun = BTreeSet::new();
        while let Some(arrival) = arrivals.next_until(end) {
            begun.insert(parameter(&arrival, "MessageSid"));
        }
        let expected = rate * 3600.0;
        let ratio = begun.len() as f64 / expected;
        assert!((0.85..1.15).contains(&ratio), "{} instead of {expected:.0}", begun.len());
    }
}
