//! The period that a page is about: the last hour, day, week or month, or between two times. It begins and ends
//! at whole hours, so that roll-ups count it.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

use crate::domain::Timestamp;
use crate::domain::rollup::Hour;
use crate::domain::time::zone::Zone;
use crate::http::error::Problem;
use crate::report::Period;
use crate::wire::filter::{in_order, time_flag};
use crate::wire::parameters::BadValue;

/// The named ranges: the value of `range`, what a page shows, and the length in hours.
const NAMED: [(&str, &str, i64); 4] =
    [("1h", "1 h", 1), ("24h", "24 h", 24), ("7d", "7 d", 7 * 24), ("30d", "30 d", 30 * 24)];

/// The range without a choice.
const DEFAULT: usize = 1;

/// A period of whole hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The place among the named ranges; `None` for two times.
    named: Option<usize>,
    pub period: Period,
}

/// A link to a range.
pub struct RangeLink {
    pub name: &'static str,
    pub target: String,
    pub is_current: bool,
}

impl Range {
    /// Reads `range`, or `since` and `until`, from the parameters of a page, and removes them.
    pub fn take(
        parameters: &mut BTreeMap<String, String>,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<Self, Problem> {
        let mut take = |name| parameters.remove(name).filter(|value| !value.is_empty());
        let (range, since, until) = (take("range"), take("since"), take("until"));
        let present = Hour::from_timestamp(now).0;
        if since.is_none() && until.is_none() {
            let range = range.as_deref().unwrap_or(NAMED[DEFAULT].0);
            let named = NAMED.iter().position(|(name, ..)| *name == range).ok_or_else(|| {
                let names = NAMED.map(|(name, ..)| name).join(", ");
                BadValue::new("range", range, format!("one of {names}"))
            })?;
            let period = hours(present + 1 - NAMED[named].2, present + 1);
            return Ok(Self { named: Some(named), period });
        }
        let (since, until) = ends([since, until], now, zone)?;
        let until = until.map_or(present + 1, hour_after);
        let first = since.map_or(until - NAMED[DEFAULT].2, |since| Hour::from_timestamp(since).0);
        Ok(Self { named: None, period: hours(first, until) })
    }

    /// Its hours, from the first to the last one.
    pub fn hours(&self) -> impl ExactSizeIterator<Item = Hour> + use<> {
        let Period { since, until } = self.period;
        let range = Hour::from_timestamp(since).0..hour_after(until);
        (0..(range.end - range.start).max(0) as usize)
            .map(move |place| Hour(range.start + place as i64))
    }

    /// True for one of the named ranges.
    pub fn is_named(&self) -> bool {
        self.named.is_some()
    }

    /// The period before it, in words.
    pub fn before(&self) -> &'static str {
        match self.named {
            Some(0) => "The hour before",
            Some(1) => "The day before",
            Some(2) => "The 7 days before",
            Some(3) => "The 30 days before",
            _ => "The period before",
        }
    }

    /// The links to the named ranges of a page with this path and these other parameters.
    pub fn links(&self, path: &str, others: &[(&str, &str)]) -> Vec<RangeLink> {
        let link = |(place, (value, name, _)): (usize, &(&str, &'static str, i64))| RangeLink {
            name,
            target: with_query(path, others.iter().copied().chain([("range", *value)])),
            is_current: self.named == Some(place),
        };
        NAMED.iter().enumerate().map(link).collect()
    }

    /// The parameters that say the same.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        match self.named {
            Some(named) => vec![("range", NAMED[named].0.to_owned())],
            None => self.as_times().into(),
        }
    }

    /// The same as parameters of the API.
    pub fn as_times(&self) -> [(&'static str, String); 2] {
        [("since", self.period.since.to_string()), ("until", self.period.until.to_string())]
    }
}

/// The two ends of a period as they were written.
///
/// # Errors
///
/// One is no time, or the period ends before it begins.
pub fn ends(
    [since, until]: [Option<String>; 2],
    now: Timestamp,
    zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
    let time = |name: &str, text: Option<String>| {
        text.map(|text| time_flag(name, &text, now, zone)).transpose()
    };
    let (since, until) = (time("since", since)?, time("until", until)?);
    in_order(since, until)?;
    Ok((since, until))
}

/// A time to the minute, as people write it and every page reads it.
pub fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    format!("{} {}Z", &text[..10], &text[11..16])
}

/// A path with a query.
pub fn with_query<'a>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    format!("{path}?{}", Serializer::new(String::new()).extend_pairs(parameters).finish())
}

fn hours(first: i64, end: i64) -> Period {
    Period { since: Hour(first).start(), until: Hour(end).start() }
}

/// The hour that begins at a time, or next after it.
fn hour_after(time: Timestamp) -> i64 {
    let hour = Hour::from_timestamp(time);
    if hour.start() == time { hour.0 } else { hour.0 + 1 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::Range;
    use crate::domain::Timestamp;
    use crate::domain::time::zone::Zone;

    fn range(pairs: &[(&str, &str)]) -> Range {
        let now = Timestamp::parse("2026-11-25T14:56:20Z").unwrap();
        let pairs = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut parameters: BTreeMap<_, _> = pairs.collect();
        Range::take(&mut parameters, now, &Zone::default()).unwrap()
    }

    #[test]
    fn a_range_has_whole_hours_and_ends_with_the_present_one() {
        for (pairs, since, until) in [
            (&[][..], "2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"),
            (&[("range", "1h")], "2026-11-25T14:00:00Z", "2026-11-25T15:00:00Z"),
            (&[("range", "7d")], "2026-11-18T15:00:00Z", "2026-11-25T15:00:00Z"),
            (&[("since", "2026-11-24T15:20Z")], "2026-11-24T15:00:00Z", "2026-11-25T15:00:00Z"),
            (
                &[("since", "2026-11-24"), ("until", "2026-11-24 01:30")],
                "2026-11-24T00:00:00Z",
                "2026-11-24T02:00:00Z",
            ),
        ] {
            let period = range(pairs).period;
            let [since, until] = [since, until].map(|text| Timestamp::parse(text).unwrap());
            assert_eq!((period.since, period.until), (since, until), "{pairs:?}");
        }
        assert_eq!(range(&[]).hours().len(), 24);
        assert_eq!(range(&[]).before(), "The day before");
    }
}
