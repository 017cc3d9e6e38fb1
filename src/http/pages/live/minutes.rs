//! How many callbacks arrived in each minute of the last hour: the heading of Live and its chart.

use crate::domain::{Position, Timestamp};
use crate::http::pages::frame::rate::{self, callbacks_by_minute};
use crate::http::pages::frame::spark::{Bar, spark};
use crate::store::{Store, StoreError};

/// The minutes of the chart.
const MINUTES: usize = 60;

/// The callbacks of the last hour by minute.
pub struct Minutes(Vec<u64>);

impl Minutes {
    /// Counts them; `None` if the log is damaged.
    pub fn read(
        store: &dyn Store,
        head: Position,
        now: Timestamp,
    ) -> Result<Option<Self>, StoreError> {
        Ok(callbacks_by_minute(store, head, now, MINUTES)?.map(Self))
    }

    /// How many arrive, in words.
    pub fn headline(&self) -> String {
        let Self(counts) = self;
        let recent: u64 = counts.iter().rev().take(rate::MINUTES).sum();
        let minutes = rate::MINUTES;
        match recent {
            0 => format!("No callbacks in the last {minutes} minutes"),
            1 => format!("1 callback in the last {minutes} minutes"),
            few if few < 2 * minutes as u64 => {
                format!("{few} callbacks in the last {minutes} minutes")
            }
            many => format!("{} callbacks a minute", grouped(many / minutes as u64)),
        }
    }

    /// The bars; a minute without callbacks has none.
    pub fn bars(&self) -> Vec<Bar> {
        let counts: Vec<_> = self.0.iter().map(|count| *count as i64).collect();
        spark(&counts, self.most() as i64, None)
    }

    /// What the chart shows, in words.
    pub fn description(&self) -> String {
        let fewest = self.0.iter().min().copied().unwrap_or_default();
        let (fewest, most) = (grouped(fewest), grouped(self.most()));
        format!("Callbacks a minute in the last hour: between {fewest} and {most}")
    }

    fn most(&self) -> u64 {
        self.0.iter().max().copied().unwrap_or_default()
    }
}

/// A number with its digits in groups.
pub fn grouped(number: u64) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), number % 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::Minutes;

    fn headline(recent: &[u64]) -> String {
        let mut counts = vec![900; 60];
        counts.extend(recent);
        Minutes(counts).headline()
    }

    #[test]
    fn the_heading_counts_the_last_ten_minutes() {
        assert_eq!(headline(&[0; 10]), "No callbacks in the last 10 minutes");
        assert_eq!(headline(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), "1 callback in the last 10 minutes");
        assert_eq!(headline(&[1; 10]), "10 callbacks in the last 10 minutes");
        assert_eq!(headline(&[34; 10]), "34 callbacks a minute");
        assert_eq!(headline(&[1_234_567; 10]), "1,234,567 callbacks a minute");
    }
}
