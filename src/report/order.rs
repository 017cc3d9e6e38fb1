//! The order of a report's rows.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use super::{Dimension, Row, RowKey};
use crate::domain::rollup::histogram::DurationHistogram;
use crate::domain::similar::suggestion;

/// What rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortBy {
    /// Times and error codes by their value; otherwise the values with the most messages first.
    #[default]
    Usual,
    /// By value.
    Key,
    /// By the number of messages.
    Messages,
    /// By the number of messages that were delivered or read.
    Reached,
    /// By the number of messages that were undelivered or failed.
    Failed,
    /// By the number of messages without an outcome.
    Open,
    /// By the number of messages with evidence of both success and failure.
    Conflicts,
    /// By the delivery rate.
    DeliveryRate,
    /// By the read rate.
    ReadRate,
    /// By the failure rate.
    FailureRate,
    /// The median of the time to sent.
    TimeToSent,
    /// The median of the time from sent to delivered.
    SentToDelivered,
    /// The sum of the segments.
    Segments,
    /// The click rate.
    ClickRate,
    /// The rate of confirmed messages.
    ConversionRate,
    /// The number of messages, less that of the period that the report is compared with.
    Change,
}

/// The order of rows: figures from the greatest to the smallest, unless it is ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Order {
    /// The figure or value to sort by.
    pub by: SortBy,
    /// True for the smallest first.
    pub ascending: bool,
}

impl SortBy {
    /// Everything that can be asked for.
    pub const ALL: [SortBy; 15] = [
        SortBy::Key,
        SortBy::Messages,
        SortBy::Reached,
        SortBy::Failed,
        SortBy::Open,
        SortBy::Conflicts,
        SortBy::DeliveryRate,
        SortBy::ReadRate,
        SortBy::FailureRate,
        SortBy::TimeToSent,
        SortBy::SentToDelivered,
        SortBy::Segments,
        SortBy::ClickRate,
        SortBy::ConversionRate,
        SortBy::Change,
    ];

    /// The name used in flags and queries.
    pub fn name(self) -> &'static str {
        match self {
            SortBy::Usual => "usual",
            SortBy::Key => "key",
            SortBy::Messages => "messages",
            SortBy::Reached => "reached",
            SortBy::Failed => "failed",
            SortBy::Open => "open",
            SortBy::Conflicts => "conflicts",
            SortBy::DeliveryRate => "delivery-rate",
            SortBy::ReadRate => "read-rate",
            SortBy::FailureRate => "failure-rate",
            SortBy::TimeToSent => "time-to-sent",
            SortBy::SentToDelivered => "sent-to-delivered",
            SortBy::Segments => "segments",
            SortBy::ClickRate => "click-rate",
            SortBy::ConversionRate => "conversion-rate",
            SortBy::Change => "change",
        }
    }

    /// The figure; `None` for rows without it, which come last.
    fn figure(self, Row { figures, compared, .. }: &Row) -> Option<f64> {
        let count = |count: i64| Some(count as f64);
        let median = |times: DurationHistogram| times.percentile_ms(50).map(|ms| ms as f64);
        match self {
            SortBy::Usual | SortBy::Key => None,
            SortBy::Messages => count(figures.messages()),
            SortBy::Reached => count(figures.reached()),
            SortBy::Failed => count(figures.not_reached()),
            SortBy::Open => count(figures.open()),
            SortBy::Conflicts => count(figures.conflicts()),
            SortBy::DeliveryRate => figures.delivery_rate(),
            SortBy::ReadRate => figures.read_rate(),
            SortBy::FailureRate => figures.failure_rate(),
            SortBy::TimeToSent => median(figures.time_to_sent()),
            SortBy::SentToDelivered => median(figures.sent_to_delivered()),
            SortBy::Segments => count(figures.details().segments()),
            SortBy::ClickRate => figures.click_rate(),
            SortBy::ConversionRate => figures.conversion_rate(),
            SortBy::Change => count(figures.messages() - compared.as_ref()?.messages()),
        }
    }
}

impl Order {
    /// Parses `failure-rate`, `failure-rate:asc` or `failure-rate:desc`. Keys ascend, and figures
    /// descend, unless the text says otherwise.
    ///
    /// # Errors
    ///
    /// What would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, direction) = text.split_once(':').unwrap_or((text, ""));
        let names = SortBy::ALL.map(SortBy::name);
        let by = SortBy::ALL.into_iter().find(|by| by.name() == name).ok_or_else(|| {
            let similar = suggestion(name, names);
            format!("one of {}, with :asc or :desc after it{similar}", names.join(", "))
        })?;
        match direction {
            "" => Ok(Self { by, ascending: by == SortBy::Key }),
            "asc" => Ok(Self { by, ascending: true }),
            "desc" => Ok(Self { by, ascending: false }),
            _ => Err(format!("{name}, with :asc or :desc after it")),
        }
    }

    /// Makes sure that a report has what its rows are sorted by; `is_compared` if it is compared with a
    /// period.
    ///
    /// # Errors
    ///
    /// What is missing.
    pub fn check(self, is_compared: bool) -> Result<(), &'static str> {
        match self.by == SortBy::Change && !is_compared {
            true => Err(
                "without another period there is no change; compare with one, such as `previous`",
            ),
            false => Ok(()),
        }
    }

    /// Sorts rows by these properties. The order is the same however they stood before, unless two rows
    /// are the same.
    pub fn sort(self, rows: &mut Vec<Row>, by: &[Dimension]) {
        let ranks: Vec<_> = (0..by.len()).map(|place| ranks(rows, place, &by[place])).collect();
        let usual = |a: &Row, b: &Row| {
            let places = ranks.iter().zip(a.keys.iter().zip(&b.keys));
            places.fold(Ordering::Equal, |so_far, (ranks, (a, b))| {
                let rank = |key: &RowKey| ranks.get(key).copied().unwrap_or_default();
                so_far.then_with(|| rank(a).cmp(&rank(b))).then_with(|| a.cmp(b))
            })
        };
        let directed = |order: Ordering| if self.ascending { order } else { order.reverse() };
        // A median takes some time, so each figure is computed once.
        let mut sorted: Vec<_> = rows.drain(..).map(|row| (self.by.figure(&row), row)).collect();
        sorted.sort_by(|(of_a, a), (of_b, b)| match self.by {
            SortBy::Usual => usual(a, b),
            SortBy::Key => directed(a.keys.cmp(&b.keys)),
            _ => match (of_a, of_b) {
                (Some(a), Some(b)) => directed(a.total_cmp(b)),
                (a, b) => a.is_none().cmp(&b.is_none()),
            }
            .then_with(|| usual(a, b)),
        });
        rows.extend(sorted.into_iter().map(|(_, row)| row));
    }
}

/// The rank of each value of a property: those with the most messages first, unless the values have an
/// order of their own.
fn ranks(rows: &[Row], place: usize, by: &Dimension) -> HashMap<RowKey, Reverse<i64>> {
    let mut messages: HashMap<RowKey, Reverse<i64>> = HashMap::new();
    if by.is_ordered() {
        return messages;
    }
    for row in rows {
        if let Some(key) = row.keys.get(place) {
            messages.entry(key.clone()).or_insert(Reverse(0)).0 += row.figures.messages();
        }
    }
    messages
}
