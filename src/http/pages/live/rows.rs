//! The rows of Live: events with their effects, as the client may see them. The page and its stream show them by
//! the same template.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use askama::Template;

use super::query::LiveFilter;
use crate::domain::{Effect, Position, RecordedEvent, Source, Status, Timestamp};
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::pages::frame::{filters, html};
use crate::http::pages::lifecycle::mark::Mark;
use crate::http::pages::list::row;
use crate::projection::effects::Effects;
use crate::store::{EventPages, Store, StoreError};
use crate::text::printable;
use crate::twilio::callback::ParsedCallback;

/// The rows of a page without a script: what is looked through at once.
pub const ROWS: usize = 50;

/// The events that the first page of a filter examines at most: some tenths of a second.
const EXAMINED_MAX: u64 = 10_000;

/// The same if their effects have to be found, each by a search in the views.
const EXAMINED_FOR_EFFECT_MAX: u64 = 2_000;

/// The events that are read at once while few of them match.
const STEP_EVENTS: u64 = 500;

/// The characters of a status or an address that are shown: no real one is longer.
const CHARACTERS_MAX: usize = 40;

/// A text with more characters than this may be broken into lines, so that the page does not scroll sideways.
const LINE_CHARACTERS_MAX: usize = 26;

const DAY_MICROS: i64 = 24 * 3600 * 1_000_000;

/// One event.
pub struct Row {
    pub position: Position,
    pub received_at: Timestamp,
    /// True if it was not received on the day on which the row is made.
    pub is_of_another_day: bool,
    pub known_status: Option<&'static str>,
    /// The status, or an unrecognised word as received.
    pub status: Option<String>,
    /// What it reports, if that is a click or feedback.
    pub subject: Option<Mark>,
    /// The usual effect by its name.
    pub effect: Option<&'static str>,
    /// The mark of an unusual one.
    pub mark: Option<Mark>,
    /// Where it came from, if it is no callback.
    pub source: Option<&'static str>,
    pub to: Option<String>,
    pub from: Option<String>,
    pub error_code: Option<u32>,
    /// The path of its message's page; `None` if it is of no message, or its SID is masked.
    message: Option<String>,
}

/// Rows as HTML.
#[derive(Template)]
#[template(path = "live/rows.html")]
struct Rows {
    page: Masking,
    rows: Vec<Row>,
}

/// What the template needs to know of its page.
struct Masking {
    masked: bool,
}

/// Reads events as rows.
pub struct RowReader {
    pub filter: LiveFilter,
    pub redaction: Redaction,
    pub now: Timestamp,
}

/// The last rows of a part of the log.
pub struct Found {
    /// The newest one first.
    pub rows: Vec<Row>,
    /// The first position that was examined; 1 if there are no older events.
    pub first: Position,
}

/// The HTML of rows in this order.
pub fn render(rows: Vec<Row>, redaction: Redaction) -> Result<String, Problem> {
    html::render(&Rows { page: Masking { masked: redaction.is_masked() }, rows })
}

impl RowReader {
    /// The last matching events up to a position, as many as a page has, or fewer if they are rare.
    pub fn last_rows(&self, store: &dyn Store, last: Position) -> Result<Found, StoreError> {
        let examined_max = match self.filter.is_by_effect() {
            true => EXAMINED_FOR_EFFECT_MAX,
            false => EXAMINED_MAX,
        };
        let step = if self.filter.is_everything() { ROWS as u64 } else { STEP_EVENTS };
        let (mut rows, mut first) = (Vec::new(), last + 1);
        while first > 1 && rows.len() < ROWS && last + 1 - first < examined_max {
            let until = first - 1;
            first = first.saturating_sub(step).max(1);
            let mut effects = Effects::new(first - 1);
            let mut found = self.rows(store, &mut effects, first..=until)?;
            found.reverse();
            rows.append(&mut found);
        }
        if let Some(first_left_out) = rows.get(ROWS) {
            first = first_left_out.position + 1;
            rows.truncate(ROWS);
        }
        Ok(Found { rows, first })
    }

    /// The matching events of a range, in its order. The events before it have been passed to `effects`.
    pub fn rows(
        &self,
        store: &dyn Store,
        effects: &mut Effects,
        range: RangeInclusive<Position>,
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for events in EventPages::new(store, range) {
            for event in events? {
                rows.extend(self.row(store, effects, event)?);
            }
        }
        Ok(rows)
    }

    /// The row of an event; `None` if it does not match.
    pub fn row(
        &self,
        store: &dyn Store,
        effects: &mut Effects,
        event: RecordedEvent,
    ) -> Result<Option<Row>, StoreError> {
        let reading = ParsedCallback::parse(&event);
        effects.pass(&event, &reading);
        if !self.filter.matches(reading.with_event(&event)) {
            return Ok(None);
        }
        let effect = effects.effect(store, &event, &reading)?;
        if !self.filter.matches_effect(effect) {
            return Ok(None);
        }
        let known_status = reading.reported.as_ref().and_then(|it| it.status).map(Status::name);
        let subject = reading.reported.as_ref().and_then(Mark::of_subject);
        let message_sid = reading.message_sid.as_deref().filter(|_| reading.reported.is_some());
        let message_sid = message_sid.filter(|sid| self.redaction.check_text(sid).is_ok());
        let message = message_sid.and_then(row::target);
        drop(reading);
        let shown = self.shown(event, effect);
        let effect = shown.effect.filter(|_| subject.is_none());
        Ok(Some(Row { known_status, subject, effect, message, ..shown }))
    }

    /// The row of an event without what is not masked.
    fn shown(&self, event: RecordedEvent, effect: Option<Effect>) -> Row {
        let (position, received_at, source) = (event.position, event.received_at, event.source);
        // The same as in the API, so that masking is the same.
        let facts = self.redaction.event(event).facts.unwrap_or_default();
        let mark = effect.and_then(Mark::of);
        Row {
            position,
            received_at,
            is_of_another_day: day(received_at) != day(self.now),
            known_status: None,
            subject: None,
            status: facts.status.map(shortened),
            effect: effect.map(Effect::name).filter(|_| mark.is_none()),
            mark,
            source: (source != Source::Callback).then(|| source.name()),
            to: facts.to.map(shortened),
            from: facts.from.map(shortened),
            error_code: facts.error_code,
            message: None,
        }
    }
}

impl Row {
    /// True if a text has to be broken into lines.
    pub fn is_long(&self, text: &str) -> bool {
        printable(text).chars().count() > LINE_CHARACTERS_MAX
    }

    /// The path of its message's page; that of the event as JSON if it is of no message.
    pub fn message_target(&self) -> Cow<'_, str> {
        match &self.message {
            Some(target) => target.into(),
            None => format!("/v1/events/{}", self.position).into(),
        }
    }

    /// The path, query and fragment that show the event's bytes.
    pub fn event_target(&self) -> String {
        let position = self.position;
        match &self.message {
            Some(target) => format!("{target}?open={position}#p{position}"),
            None => format!("/v1/events/{position}"),
        }
    }
}

/// A text that fits a row.
fn shortened(text: String) -> String {
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The day of a time, in UTC.
fn day(time: Timestamp) -> i64 {
    time.micros().div_euclid(DAY_MICROS)
}
