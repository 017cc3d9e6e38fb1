//! `GET /live/stream`: the rows that continue the page, as Server-Sent Events with the HTML of rows.
//!
//! Each has the position that it reaches as its id, so that a browser resumes there. How much one client gets is
//! limited: a page keeps few rows, and rendering them must not slow down callbacks.

use std::ops::RangeInclusive;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use time::OffsetDateTime;

use super::minutes::grouped;
use super::query::{LiveParameters, without_empty};
use super::rows::{Row, RowReader, render};
use super::{FilterQuery, ROWS_MAX};
use crate::domain::{Position, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::admin::events::stream::StreamParameters;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::stream::follow::{self, Page, Pages};
use crate::http::stream::sse::Event;
use crate::projection::effects::Effects;
use crate::store::{EventPages, StoreError};

/// The rows that are sent at once. With the pause between two of them, rendering takes some per cent of a core.
const PAGE_ROWS: usize = 100;

/// The events that are examined at once for a filter.
const PAGE_EXAMINED_MAX: usize = 5_000;

/// The same if their effects have to be found, each by a search in the views.
const PAGE_EFFECTS_MAX: usize = 200;

/// The events that a filter is behind at most; older ones are skipped.
const BEHIND_MAX: u64 = 20_000;

/// The rows after a position that match a filter, including those still to come.
pub async fn follow(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
) -> Result<HttpResponse, Problem> {
    let query = without_empty(request.query_string());
    let Query(parameters, StreamParameters { after }) =
        Query::<LiveParameters, StreamParameters>::parse(&query)?;
    returned.filter_by(FilterQuery::new(&query).names());
    let filter = parameters.filter(&state, redaction)?;
    let after = follow::first(&request, after, state.projection.head())?;
    let rows = RowReader { filter, redaction, now: now() };
    let pages = LiveRows { rows, effects: Effects::new(after) };
    follow::follow(&request, &state, returned, after, pages)
}

/// Rows as HTML.
struct LiveRows {
    rows: RowReader,
    effects: Effects,
}

impl Pages for LiveRows {
    /// Short enough to appear immediate.
    const PAUSE: Duration = Duration::from_millis(500);

    fn next_page(
        &mut self,
        state: &AdminState,
        after: Position,
        head: Position,
    ) -> Result<Page, Problem> {
        match state.wait_for_views() {
            Ok(()) => {}
            Err(Problem::Behind) => {
                let projected = grouped(state.projection.projected());
                let progress = format!("{projected} of {}", grouped(head));
                let behind = event("behind", progress);
                return Ok(Page { events: vec![(behind, 0)], last: after });
            }
            Err(problem) => return Err(problem),
        }
        let (begin, mut events) = (self.begin(after, head), Vec::new());
        if begin > after {
            self.effects = Effects::new(begin);
            events.push((event("skipped", (begin - after).to_string()), 0));
        }
        self.rows.now = now();
        let (mut rows, last) = self.read(state, begin + 1..=head)?;
        rows.reverse();
        let count = rows.len();
        let html = render(rows, self.rows.redaction)?;
        events.push((event("rows", html).with_id(last), count));
        Ok(Page { events, last })
    }
}

impl LiveRows {
    /// The position after which events are shown. The page keeps so few rows that older ones would be removed at
    /// once.
    fn begin(&self, after: Position, head: Position) -> Position {
        let behind_max = if self.rows.filter.is_everything() { ROWS_MAX } else { BEHIND_MAX };
        after.max(head.saturating_sub(behind_max))
    }

    /// The next rows, the oldest one first, and the last position that was examined.
    fn read(
        &mut self,
        state: &AdminState,
        range: RangeInclusive<Position>,
    ) -> Result<(Vec<Row>, Position), StoreError> {
        let examined_max = match self.rows.filter.is_by_effect() {
            true => PAGE_EFFECTS_MAX,
            false => PAGE_EXAMINED_MAX,
        };
        let (first, mut rows, mut examined) = (*range.start(), Vec::new(), 0);
        for events in EventPages::new(&*state.store, range) {
            for event in events? {
                let position = event.position;
                examined += 1;
                rows.extend(self.rows.row(&*state.store, &mut self.effects, event)?);
                if rows.len() >= PAGE_ROWS || examined >= examined_max {
                    return Ok((rows, position));
                }
            }
        }
        match examined {
            0 => Err(StoreError::NoSuchEvent { position: first }),
            examined => Ok((rows, first + examined as u64 - 1)),
        }
    }
}

fn event(name: &'static str, data: String) -> Event {
    Event::new(data).with_name(name)
}

fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}
