//! Failures by error code: in a period, by its hours and countries, and in the period before.

use std::collections::BTreeMap;

use crate::domain::message::filter::MessageFilter;
use crate::domain::rollup::Hour;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, ErrorCodes, Position, Timestamp};
use crate::http::error::Problem;
use crate::http::pages::frame::range::Range;
use crate::http::pages::frame::spark::{Bar, spark};
use crate::report::{Dimension, Figures, ReportQuery, RowKey, reports};
use crate::store::Store;

/// The smallest rise that is named: fewer are noise in any traffic.
const RISE_MIN: i64 = 20;

/// A rise counts as beyond chance from this many standard errors on, of two counts.
const STANDARD_ERRORS: f64 = 3.0;

/// The part of the whole rise that a code has to account for to be named alone.
const MOST_OF_THE_RISE: f64 = 0.9;

/// An outbreak begins with an hour of more failures than this, and more than twice as many as before.
const OUTBREAK_MIN: i64 = 10;

/// The maximum number of bars: with more they are thinner than their outlines.
const BARS_MAX: usize = 48;

/// The bars of a period with more hours than that.
const BARS_OF_LONG_PERIODS: usize = 30;

const HOUR_SECONDS: i64 = 3600;

/// The countries that are shown for a code.
const PLACES_MAX: usize = 2;

/// Failures by error code, most frequent first.
pub struct Trends {
    pub codes: Vec<CodeTrend>,
    /// All messages of the period, and those that failed, in it and in the period before.
    pub messages: i64,
    pub failures: i64,
    pub before: i64,
    pub messages_before: i64,
    pub as_of_position: Position,
}

/// The failures with one error code, or with none.
pub struct CodeTrend {
    pub code: Option<ErrorCode>,
    /// The party that usually causes them, as in docs/REPORTS.md; sender and configuration are `us`.
    pub side: &'static str,
    pub failures: i64,
    pub before: i64,
    /// False if there were no messages at all in the period before.
    pub is_comparable: bool,
    /// By hour of the period.
    pub hours: Vec<i64>,
    /// Countries with their failures, most first; `None` is no country.
    pub countries: Vec<(Option<String>, i64)>,
}

impl Trends {
    /// Counts from the roll-ups.
    pub fn new(
        store: &dyn Store,
        range: &Range,
        error_codes: &ErrorCodes,
    ) -> Result<Self, Problem> {
        let period = range.period;
        let query = ReportQuery {
            filter: MessageFilter {
                since: Some(period.since),
                until: Some(period.until),
                inbound: Some(false),
                ..MessageFilter::default()
            },
            compare: Some(period.previous(&Zone::default())),
            ..ReportQuery::new([])
        };
        let by = [Dimension::Hour, Dimension::Country].map(|by| vec![Dimension::ErrorCode, by]);
        let [by_hour, by_country] = reports(store, &query, by)?;
        let hours = range.hours();
        let Hour(first) = Hour::from_timestamp(period.since);
        let mut codes: BTreeMap<Option<ErrorCode>, CodeTrend> = BTreeMap::new();
        for row in &by_hour.rows {
            let [code, RowKey::Number(hour)] = &row.keys[..] else { continue };
            let trend = entry(&mut codes, code, hours.len(), error_codes);
            let failures = row.figures.not_reached();
            trend.failures += failures;
            trend.before += row.compared.as_ref().map_or(0, |before| before.not_reached());
            let place = usize::try_from(hour.div_euclid(HOUR_SECONDS) - first).ok();
            if let Some(in_hour) = place.and_then(|place| trend.hours.get_mut(place)) {
                *in_hour += failures;
            }
        }
        for row in &by_country.rows {
            let [code, country] = &row.keys[..] else { continue };
            let trend = entry(&mut codes, code, hours.len(), error_codes);
            let country = match country {
                RowKey::Text(country) => Some(country.clone()),
                RowKey::None | RowKey::Number(_) => None,
            };
            trend.countries.push((country, row.figures.not_reached()));
        }
        let before = by_hour.compared_total;
        let messages_before = before.as_ref().map_or(0, Figures::messages);
        let mut codes: Vec<_> = codes.into_values().filter(|code| code.failures > 0).collect();
        codes.sort_by_key(|code| (std::cmp::Reverse(code.failures), code.code));
        for code in &mut codes {
            code.is_comparable = messages_before > 0;
            code.countries.retain(|(_, failures)| *failures > 0);
            code.countries.sort_by_key(|(_, failures)| std::cmp::Reverse(*failures));
        }
        Ok(Self {
            codes,
            messages: by_hour.total.messages(),
            failures: by_hour.total.not_reached(),
            before: before.as_ref().map_or(0, Figures::not_reached),
            messages_before,
            as_of_position: by_hour.as_of_position,
        })
    }

    /// The failures of a side.
    pub fn of_side(&self, side: &str) -> i64 {
        let of_side = self.codes.iter().filter(|code| code.side == side);
        of_side.map(|code| code.failures).sum()
    }

    /// The code that accounts for most of the rise of all failures.
    pub fn culprit(&self) -> Option<&CodeTrend> {
        let rise = self.failures - self.before;
        let most = self.codes.iter().max_by_key(|code| code.change())?;
        let explains = most.change() as f64 >= rise as f64 * MOST_OF_THE_RISE;
        (rise >= RISE_MIN && explains && most.is_beyond_chance()).then_some(most)
    }
}

fn entry<'a>(
    codes: &'a mut BTreeMap<Option<ErrorCode>, CodeTrend>,
    key: &RowKey,
    hours: usize,
    error_codes: &ErrorCodes,
) -> &'a mut CodeTrend {
    let code = match key {
        RowKey::Number(number) => u32::try_from(*number).ok().and_then(ErrorCode::from_number),
        RowKey::None | RowKey::Text(_) => None,
    };
    codes.entry(code).or_insert_with(|| CodeTrend {
        code,
        side: side(error_codes.responsibility(code).name()),
        failures: 0,
        before: 0,
        is_comparable: true,
        hours: vec![0; hours],
        countries: Vec::new(),
    })
}

fn side(fault: &'static str) -> &'static str {
    if matches!(fault, "sender" | "configuration") { "us" } else { fault }
}

impl CodeTrend {
    /// The failures less those of the period before.
    pub fn change(&self) -> i64 {
        self.failures - self.before
    }

    /// True if there are more failures than before, beyond chance.
    pub fn is_beyond_chance(&self) -> bool {
        let standard_error = ((self.failures + self.before) as f64).sqrt();
        self.is_comparable
            && self.change() >= RISE_MIN
            && self.change() as f64 > STANDARD_ERRORS * standard_error
    }

    /// The place of the first hour with more than twice as many failures as any hour before.
    fn outbreak(&self) -> Option<usize> {
        let mut most = 0;
        self.hours.iter().position(|failures| {
            let begins = *failures > OUTBREAK_MIN && *failures > 2 * most;
            most = most.max(*failures);
            begins
        })
    }

    /// The time at which the rise began, if it has a beginning.
    pub fn since(&self, range: &Range) -> Option<Timestamp> {
        let place = self.outbreak().filter(|place| *place > 0)?;
        range.hours().nth(place).map(Hour::start)
    }

    /// The last hour with failures.
    pub fn last(&self, range: &Range) -> Option<Hour> {
        let place = self.hours.iter().rposition(|failures| *failures > 0)?;
        range.hours().nth(place)
    }

    /// The failures of the bar with most, and the bars of its chart.
    pub fn bars(&self) -> (i64, Vec<Bar>) {
        let hours = hours_of_bar(self.hours.len());
        let outbreak = self.outbreak().filter(|_| self.is_beyond_chance());
        let counts: Vec<i64> = self.hours.chunks(hours).map(|hours| hours.iter().sum()).collect();
        let most = counts.iter().copied().max().unwrap_or_default().max(1);
        (most, spark(&counts, most, outbreak.map(|first| first / hours)))
    }

    /// The countries with most failures, and their shares.
    pub fn places(&self) -> String {
        let place = |(country, failures): &(Option<String>, i64)| {
            let share = *failures as f64 / self.failures as f64 * 100.0;
            format!("{} {share:.0}\u{a0}%", country.as_deref().unwrap_or("no country"))
        };
        self.countries.iter().take(PLACES_MAX).map(place).collect::<Vec<_>>().join(", ")
    }
}

/// The hours that one bar of a chart counts, in a period of this many.
pub fn hours_of_bar(hours: usize) -> usize {
    if hours <= BARS_MAX { 1 } else { hours.div_ceil(BARS_OF_LONG_PERIODS) }
}

#[cfg(test)]
mod tests {
    use super::{CodeTrend, Trends};

    fn trend(before: i64, hours: &[i64]) -> CodeTrend {
        CodeTrend {
            code: None,
            side: "carrier",
            failures: hours.iter().sum(),
            before,
            is_comparable: true,
            hours: hours.to_vec(),
            countries: Vec::new(),
        }
    }

    #[test]
    fn a_rise_is_beyond_chance_from_three_standard_errors_on() {
        assert!(trend(30, &[9, 9, 63, 195]).is_beyond_chance());
        assert!(!trend(63, &[69]).is_beyond_chance());
        assert!(!trend(0, &[19]).is_beyond_chance(), "fewer than 20 are noise");
    }

    #[test]
    fn bars_are_red_from_the_hour_in_which_an_outbreak_begins() {
        let red = |trend: &CodeTrend| {
            trend.bars().1.iter().map(|bar| bar.is_highlighted).collect::<Vec<_>>()
        };
        assert_eq!(red(&trend(30, &[9, 9, 63, 195])), [false, false, true, true]);
        assert_eq!(red(&trend(60, &[9, 9, 20, 22])), [false; 4], "no rise beyond chance");
    }

    #[test]
    fn a_code_is_named_if_it_accounts_for_most_of_the_rise() {
        let named = |codes: [CodeTrend; 2]| {
            let failures = codes.iter().map(|code| code.failures).sum();
            let before = codes.iter().map(|code| code.before).sum();
            let trends = Trends {
                codes: codes.into(),
                messages: 1000,
                failures,
                before,
                messages_before: 1000,
                as_of_position: 1,
            };
            trends.culprit().map(|code| code.failures)
        };
        assert_eq!(named([trend(30, &[278]), trend(130, &[120])]), Some(278));
        assert_eq!(named([trend(30, &[278]), trend(30, &[120])]), None, "two codes");
        assert_eq!(named([trend(30, &[35]), trend(30, &[20])]), None, "no rise");
    }
}
