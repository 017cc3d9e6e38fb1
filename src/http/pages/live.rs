//! `GET /live`: the last events of the log, newest first. With a script, the page continues by itself.

mod minutes;
mod query;
mod rows;
mod stream;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use utoipa::IntoParams;

use self::minutes::Minutes;
use self::query::{EFFECTS, FAILURE, LiveParameters, without_empty};
use self::rows::{Row, RowReader};
pub use self::stream::follow;
use super::empty;
use super::frame::assets;
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use crate::domain::{Position, Status};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::wire::parameters;

/// The path of the page.
const PATH: &str = "/live";

/// The rows that a page which continues keeps: more than anybody scrolls through, and few for a browser.
const ROWS_MAX: u64 = 500;

/// The page.
#[derive(Template)]
#[template(path = "live.html")]
struct LivePage {
    page: Page,
    filter: FilterQuery,
    rows: Vec<Row>,
    minutes: Option<Minutes>,
    /// The position up to which events are shown.
    last: Position,
    /// The first position that was examined.
    first: Position,
    /// The number of events after `last`, if the page is of an earlier moment.
    paused: Option<Position>,
}

/// The parameter that only the page has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct PauseParameters {
    /// The position up to which events are shown, instead of all of them
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>)]
    paused: Option<Position>,
}

/// The filter as it is written in URLs.
struct FilterQuery(Vec<(String, String)>);

/// A status that can be chosen.
struct StatusChoice {
    value: String,
    name: String,
}

/// The last events.
pub async fn live(
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let head = visit.state.projection.head();
    if head == 0 {
        return empty::empty(&visit);
    }
    let query = without_empty(request.query_string());
    let Query(parameters, PauseParameters { paused }) = Query::parse(&query)?;
    let filter = FilterQuery::new(&query);
    returned.filter_by(filter.names());
    let last = match paused {
        Some(paused) if paused > head => {
            return Err(Problem::Conflict(format!(
                "paused: position `{paused}` is beyond the head, {head}; is it of another ledger?"
            )));
        }
        paused => paused.unwrap_or(head),
    };
    let parameters: LiveParameters = parameters;
    let reader = RowReader {
        filter: parameters.filter(&visit.state, redaction)?,
        redaction,
        now: visit.now,
    };
    let (state, now) = (visit.state.clone(), visit.now);
    let read = web::block(move || {
        state.wait_for_views()?;
        let found = reader.last_rows(&*state.store, last)?;
        let minutes = Minutes::read(&*state.store, head, now)?;
        Ok::<_, Problem>((found, minutes))
    });
    let (found, minutes) = read.await??;
    returned.add(found.rows.len());
    let frame = visit.page(Section::Live, "Live").as_of(last);
    html(&LivePage {
        page: frame.json(format!("/v1/events/stream?after={last}")),
        filter,
        rows: found.rows,
        minutes,
        last,
        first: found.first,
        paused: paused.map(|paused| head - paused),
    })
}

impl LivePage {
    /// The path and query of the events before those of this page; `None` if there are none.
    fn older(&self) -> Option<String> {
        (self.first > 1).then(|| self.filter.target(PATH, &[("paused", self.first - 1)]))
    }

    /// The path and query of the newest events.
    fn newest(&self) -> String {
        self.filter.target(PATH, &[])
    }

    /// The path and query of the stream that continues this page.
    fn stream(&self) -> String {
        self.filter.target("/live/stream", &[])
    }

    /// The URL of the script that continues this page.
    fn script(&self) -> &'static str {
        assets::LIVE.url()
    }

    /// The number of events that were examined.
    fn examined(&self) -> Position {
        self.last + 1 - self.first
    }

    fn rows_max(&self) -> u64 {
        ROWS_MAX
    }

    fn statuses(&self) -> Vec<StatusChoice> {
        let failure = (FAILURE, "undelivered or failed".to_owned());
        let known = Status::ALL.iter().map(|status| (status.name(), words(status.name())));
        // One that this program does not know may be chosen by URL.
        let chosen = self.filter.value("status");
        let is_unknown = |name: &&str| {
            !name.is_empty() && *name != FAILURE && Status::ALL.iter().all(|s| s.name() != *name)
        };
        let unknown = Some(chosen).filter(is_unknown).map(|name| (name, name.to_owned()));
        let choices = [failure].into_iter().chain(known).chain(unknown);
        choices.map(|(value, name)| StatusChoice { value: value.to_owned(), name }).collect()
    }

    fn effects(&self) -> [&'static str; 8] {
        EFFECTS
    }
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}

impl FilterQuery {
    /// The filter in a query without empty fields.
    fn new(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self(pairs.filter(|(name, _)| name != "paused").collect())
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// True if every event is shown.
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a field of the form.
    fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The fields that a form has to send, too.
    fn fields(&self) -> &[(String, String)] {
        &self.0
    }

    /// A path with this filter and these positions as its query.
    fn target(&self, path: &str, positions: &[(&str, Position)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.0);
        query.extend_pairs(positions.iter().map(|(name, position)| (name, position.to_string())));
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }
}
