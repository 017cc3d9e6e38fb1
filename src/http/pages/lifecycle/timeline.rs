//! The timeline of a message: a row for each event, in the order of arrival or in that of the lifecycle.

use super::graph::{GraphRow, Lanes};
use super::mark::Mark;
use super::raw::RawEvent;
use crate::domain::message::event_ref::Subject;
use crate::domain::message::status_reported::Label;
use crate::domain::{Position, RecordedEvent, Status, Timestamp};
use crate::http::auth::redaction::Redaction;
use crate::http::pages::frame::filters::duration_of;
use crate::projection::fold::{Entry, Folded};
use crate::wire::TimelineEntry;
use crate::wire::explanation;
use crate::wire::message::ClickEntry;
use crate::wire::status_name::status_name;

const MILLISECOND_MICROS: i64 = 1000;

/// The events that are shown: thirty times as many as a message usually has. The API has all of them.
pub const EVENTS_MAX: usize = 200;

/// The order of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As the events arrived.
    #[default]
    Arrived,
    /// As it happened: by the rank of their statuses, then as they arrived.
    Happened,
}

/// One event.
pub struct Row {
    /// Its place in the order of arrival, from 1.
    pub number: usize,
    pub position: Position,
    pub received_at: Timestamp,
    /// True if it was received on another day than the first event.
    pub is_on_another_day: bool,
    /// The time since the first event.
    pub passed: String,
    /// When Twilio says that it happened, if it does.
    pub occurred: Option<Occurred>,
    pub graph: GraphRow,
    pub known_status: Option<&'static str>,
    /// The status, or an unrecognised word as received.
    pub status: Option<String>,
    /// What it reports, if that is a click or feedback.
    pub subject: Option<Mark>,
    /// The click that it reports, as the client may see it.
    pub click: Option<ClickEntry>,
    pub effect: Option<Mark>,
    pub decides: bool,
    /// True if it came after the moment of interest.
    pub is_later: bool,
    /// The effect on the message in words.
    pub explanation: String,
    pub is_open: bool,
    pub raw: RawEvent,
}

/// A step: the status of the message after one of its events.
pub struct Step {
    pub number: usize,
    pub position: Position,
    pub status: &'static str,
    pub is_current: bool,
}

/// When Twilio says that an event happened.
pub struct Occurred {
    pub at: Timestamp,
    /// True if it was on another day than the event was received.
    pub is_on_another_day: bool,
    /// The time in full, and how long before its arrival it is.
    pub description: String,
}

/// A message as of a moment, and as of now.
pub struct Timeline<'a> {
    /// The message as of the moment of interest: only its events are counted.
    pub counted: Shown<'a>,
    /// The message as of now.
    pub now: Shown<'a>,
    pub order: Order,
    /// The position of the event to show open.
    pub open: Option<Position>,
    pub redaction: Redaction,
}

/// A message, and the entries of its timeline as the client may see them.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub message: &'a Folded,
    pub entries: &'a [TimelineEntry],
}

impl Order {
    /// The order with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Arrived, Self::Happened].into_iter().find(|order| order.name() == name)
    }

    /// The name in the parameter `order`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Happened => "happened",
        }
    }
}

impl Timeline<'_> {
    /// The rows: first the events that are counted, in the chosen order, then those after the moment.
    pub fn rows(&self, lanes: &Lanes) -> Vec<Row> {
        let mut counted: Vec<_> = self.counted.pairs().take(EVENTS_MAX).collect();
        if self.order == Order::Happened {
            let rule = self.counted.message.lifecycle.evidence.rule;
            // Clicks and feedback have no rank; they follow the statuses.
            counted.sort_by_key(|(event, _)| {
                (event.reported.subject() != Subject::Status, rule.rank(event.reported.status))
            });
        }
        let events: Vec<&Entry> = counted.iter().map(|(event, _)| *event).collect();
        let graphs = lanes.rows(&events, &self.status_line(&events), self.order == Order::Arrived);
        let row = |((event, entry), graph)| self.row(event, entry, graph, false);
        let rows = counted.iter().copied().zip(graphs).map(row);
        let later = self.now.pairs().filter(|(event, _)| !self.counted.has(event.event.position));
        let left = EVENTS_MAX.saturating_sub(counted.len());
        let later = later.take(left);
        let later = later.map(|(event, entry)| self.row(event, entry, lanes.later(event), true));
        rows.chain(later).collect()
    }

    /// One step for each event, whether it is counted or not.
    pub fn steps(&self) -> Vec<Step> {
        let last = self.counted.message.timeline.last().map(|entry| entry.event.position);
        let step = |(at, entry): (usize, &Entry)| Step {
            number: at + 1,
            position: entry.event.position,
            status: status_name(entry.change.after()),
            is_current: last == Some(entry.event.position),
        };
        self.now.message.timeline.iter().take(EVENTS_MAX).enumerate().map(step).collect()
    }

    /// The events that are not shown.
    pub fn left_out(&self) -> usize {
        self.now.message.timeline.len().saturating_sub(EVENTS_MAX)
    }

    /// The place of an event in the order of arrival, from 1.
    pub fn number(&self, position: Position) -> usize {
        self.now.place(position).map_or(0, |place| place + 1)
    }

    fn row(&self, event: &Entry, entry: &TimelineEntry, graph: GraphRow, is_later: bool) -> Row {
        let first = self.now.message.lifecycle.first_received_at;
        let number = self.number(event.event.position);
        let deciding = self.counted.message.lifecycle.evidence.deciding.as_ref();
        let shown = self.redaction.recorded(event.event.clone());
        let explanation = self.explanation(event, &shown);
        let Entry { event, reported, effect, .. } = event;
        Row {
            number,
            position: event.position,
            received_at: event.received_at,
            is_on_another_day: day(event.received_at) != day(first),
            passed: match number {
                1 => "first".to_owned(),
                _ => passed(event.received_at.micros() - first.micros()),
            },
            occurred: reported.occurred_at().map(|at| Occurred::new(at, event.received_at)),
            graph,
            known_status: reported.status.map(Status::name),
            status: entry.status.clone(),
            subject: Mark::of_subject(reported),
            click: entry.click.clone(),
            effect: Mark::of(*effect).filter(|_| !is_later),
            decides: deciding.is_some_and(|deciding| {
                deciding.position == event.position && deciding.status.is_some()
            }),
            is_later,
            explanation: match is_later {
                true => "after this moment".to_owned(),
                false => explanation,
            },
            is_open: self.open == Some(event.position),
            raw: RawEvent::new(event, &shown, self.redaction),
        }
    }

    /// The effect of an event in words; that it is simulated only if not all of them are.
    fn explanation(&self, entry: &Entry, shown: &RecordedEvent) -> String {
        let mut reported = entry.reported.clone();
        if self.now.message.lifecycle.evidence.kinds.is_simulated() {
            reported.labels.retain(|label| *label != Label::Simulated);
        }
        let text = explanation::of_event(shown, &reported, entry.effect, entry.change);
        text.replace("->", "→")
    }

    /// The status after each event in the order of the rows.
    fn status_line(&self, events: &[&Entry]) -> Vec<Option<Status>> {
        let mut reached = None;
        let after = |entry: &&Entry| match self.order {
            Order::Arrived => entry.change.after(),
            Order::Happened => {
                reached = entry.reported.status.or(reached);
                reached
            }
        };
        events.iter().map(after).collect()
    }
}

impl<'a> Shown<'a> {
    fn pairs(self) -> impl Iterator<Item = (&'a Entry, &'a TimelineEntry)> {
        self.message.timeline.iter().zip(self.entries)
    }

    fn place(self, position: Position) -> Option<usize> {
        self.message.timeline.binary_search_by_key(&position, |entry| entry.event.position).ok()
    }

    fn has(self, position: Position) -> bool {
        self.place(position).is_some()
    }
}

impl Occurred {
    fn new(at: Timestamp, received_at: Timestamp) -> Self {
        let before = received_at.micros() - at.micros();
        let length = duration_of(before.abs() / MILLISECOND_MICROS);
        let side = if before < 0 { "after" } else { "before" };
        Self {
            at,
            is_on_another_day: day(at) != day(received_at),
            description: format!(
                "Happened at {at} by Twilio’s clock, {length} {side} it was received here"
            ),
        }
    }
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> i64 {
    const DAY_MICROS: i64 = 24 * 3600 * 1000 * MILLISECOND_MICROS;
    time.micros().div_euclid(DAY_MICROS)
}

/// A time that has passed: `+7 ms`, `+1.9 s`, `+2.5 min`, `+3.1 h`, `+2.1 d`.
fn passed(micros: i64) -> String {
    let seconds = micros as f64 / 1e6;
    let sign = if micros < 0 { '\u{2212}' } else { '+' };
    let (number, unit) = match seconds.abs() {
        seconds if seconds < 0.9995 => (format!("{:.0}", seconds * 1000.0), "ms"),
        seconds if seconds < 60.0 => (format!("{seconds:.1}"), "s"),
        seconds if seconds < 3600.0 => (format!("{:.1}", seconds / 60.0), "min"),
        seconds if seconds < 86_400.0 => (format!("{:.1}", seconds / 3600.0), "h"),
        seconds => (format!("{:.1}", seconds / 86_400.0), "d"),
    };
    format!("{sign}{number}\u{a0}{unit}")
}

#[cfg(test)]
mod tests {
    use super::passed;

    #[test]
    fn the_time_since_the_first_event_has_one_unit() {
        let written =
            [7_200, 999_600, 1_911_883, 151_400_000, 11_160_000_000, 181_440_000_000, -7_200];
        let written = written.map(|micros| passed(micros).replace('\u{a0}', " "));
        assert_eq!(written, ["+7 ms", "+1.0 s", "+1.9 s", "+2.5 min", "+3.1 h", "+2.1 d", "−7 ms"]);
    }
}
