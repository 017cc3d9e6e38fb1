//! `GET /messages`: the list of messages, with filters, tabs by status and pages.

use std::fmt::Display;

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::empty;
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use super::list::counts::{Counts, HourCount};
use super::list::query::{Columns, EITHER, ListQuery};
use super::list::row::{Known, Row};
use super::search;
use crate::domain::message::filter::MessageFilter;
use crate::domain::rollup::Hour;
use crate::domain::{Status, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::admin::messages::list::{self, PageParameters, message_filter};
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::text::capitalised;
use crate::wire::filter::MessageParameters;
use crate::wire::parameters::TAG_PREFIX;

/// The statuses that have a tab: those in which messages stay.
const TABS: [Status; 4] = [Status::Delivered, Status::Read, Status::Undelivered, Status::Failed];

/// The channels that can be chosen.
const CHANNELS: [&str; 5] = ["sms", "mms", "whatsapp", "rcs", "messenger"];

/// The filters with a field of their own in the form.
const FIELDS: [&str; 8] =
    ["error_code", "channel", "since", "until", "conflict", "late", "duplicate", "stuck"];

/// The filters by a number, of which one field shows one.
const NUMBERS: [&str; 3] = ["to", "from", EITHER];

/// The number of columns that cannot be left out.
const COLUMNS_ALWAYS: usize = 7;

/// The page.
#[derive(Template)]
#[template(path = "messages.html")]
struct MessagesPage {
    page: Page,
    query: ListQuery,
    rows: Vec<Row>,
    tabs: Vec<Tab>,
    /// The messages of this list in all pages; `None` if there are more than were counted.
    total: Option<i64>,
    counted: i64,
    marked: [Mark; 3],
    chart: Option<Chart>,
    older: Option<String>,
    /// For an empty list: each filter, and what there would be without it.
    removable: Vec<Removable>,
}

/// A tab with a status.
struct Tab {
    name: String,
    count: Option<i64>,
    target: String,
    is_current: bool,
}

/// A filter by what is unusual.
struct Mark {
    name: &'static str,
    text: &'static str,
    count: Option<i64>,
}

/// The messages by hour of their first arrival.
struct Chart {
    bars: Vec<Bar>,
    description: String,
    since: Timestamp,
    /// The end of the last hour, or the present.
    until: Timestamp,
}

/// A bar of the chart, in shares of its width and height.
struct Bar {
    x: f64,
    width: f64,
    ok_y: f64,
    ok_height: f64,
    failed_y: f64,
    failed_height: f64,
}

/// A filter that can be removed.
struct Removable {
    text: String,
    target: String,
    found: String,
}

impl MessagesPage {
    /// The filters that no visible field of the form has.
    fn hidden(&self) -> Vec<(&str, &str)> {
        let first_tag = self.query.tags().next().map(|(name, _)| name);
        let is_hidden = |(name, _): &(&str, &str)| match name.strip_prefix(TAG_PREFIX) {
            Some(tag) => first_tag != Some(tag),
            // One field shows one of these three.
            None if NUMBERS.contains(name) => self.number().0 != *name,
            None => !FIELDS.contains(name),
        };
        self.query.filters().filter(is_hidden).collect()
    }

    /// The filter that the field for a number shows, and its value.
    fn number(&self) -> (&'static str, &str) {
        let set = NUMBERS.into_iter().find(|name| !self.query.value(name).is_empty());
        set.map_or((EITHER, ""), |name| (name, self.query.value(name)))
    }

    /// The number of columns, which the heading of a day spans.
    fn columns_shown(&self) -> usize {
        let Columns { tags, events, sid } = self.query.columns();
        let Known { clicks, segments, price } = self.known();
        let optional = [tags, events, sid, clicks, segments, price];
        COLUMNS_ALWAYS + optional.into_iter().filter(|shown| *shown).count()
    }

    /// The columns of clicks, segments and price that have something to show.
    fn known(&self) -> Known {
        Known::new(&self.rows)
    }

    /// The path and query of the messages of this list with an error code.
    fn with_code(&self, code: impl Display) -> String {
        self.query.with("error_code", &code.to_string())
    }
}

/// The list of messages.
pub async fn messages(
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    if visit.state.projection.head() == 0 {
        return empty::empty(&visit);
    }
    let mut query = ListQuery::parse(request.query_string(), visit.now)?;
    if let Some(text) = query.search.take() {
        return search::search(visit, redaction, returned, text).await;
    }
    let Query(parameters, page) = Query::<MessageParameters, PageParameters>::parse(&query.api())?;
    returned.filter_by(query.filters().map(|(name, _)| name));
    let filter = redaction.check_filter(message_filter(parameters.clone(), &visit.state)?)?;
    let listed = list::list(&visit.state, redaction, parameters, page).await?;
    returned.add(listed.data.len());
    let is_empty = listed.data.is_empty() && listed.next_cursor.is_none();
    let (state, now, asked) = (visit.state.clone(), visit.now, query.clone());
    let counted = web::block(move || {
        let views = state.store.views();
        let counts = Counts::new(views, &filter, now)?;
        let removable = match is_empty {
            true => removable(&asked, |filter| Counts::new(views, filter, now), &state)?,
            false => Vec::new(),
        };
        Ok::<_, Problem>((filter, counts, removable))
    });
    let (filter, counts, removable) = counted.await??;
    let frame = visit.page(Section::Messages, "Messages").as_of(listed.as_of_position);
    let page = MessagesPage {
        page: frame.json(format!("/v1/messages?{}", query.api())),
        rows: Row::list(listed.data, visit.now),
        tabs: tabs(&query, &counts, &filter),
        total: counts.total(&filter),
        counted: counts.messages,
        marked: [
            Mark { name: "conflict", text: "in conflict", count: counts.conflicts },
            Mark { name: "late", text: "with late callbacks", count: counts.late },
            Mark { name: "duplicate", text: "with duplicates", count: counts.duplicate },
        ],
        chart: Chart::new(&counts.hours, visit.now),
        older: listed.next_cursor.map(|cursor| query.after(&cursor)),
        removable,
        query,
    };
    html(&page)
}

fn tabs(query: &ListQuery, counts: &Counts, filter: &MessageFilter) -> Vec<Tab> {
    let all = Tab {
        name: "All".to_owned(),
        count: counts.are_exact().then_some(counts.messages),
        target: query.without_status(),
        is_current: filter.status.is_none() && filter.open.is_none(),
    };
    let open = Tab {
        name: "Still open".to_owned(),
        count: counts.open,
        target: query.with_status("open", "true"),
        is_current: filter.open == Some(true),
    };
    // A status without a tab has one while it is chosen.
    let chosen = filter.status.filter(|status| !status.is_some_and(|s| TABS.contains(&s)));
    let statuses = TABS.into_iter().map(Some).chain(chosen);
    let tab = |status: Option<Status>| {
        let name = status.map_or("unknown", Status::name);
        Tab {
            name: capitalised(&name.replace('_', " ")),
            count: counts.of_status(status),
            target: query.with_status("status", name),
            is_current: filter.status == Some(status),
        }
    };
    [all].into_iter().chain(statuses.map(tab)).chain([open]).collect()
}

impl Chart {
    fn new(hours: &[HourCount], now: Timestamp) -> Option<Self> {
        let most =
            hours.iter().max_by_key(|hour| hour.messages).filter(|hour| hour.messages > 0)?;
        let fewest = hours.iter().min_by_key(|hour| hour.messages)?;
        let step = 1.0 / hours.len() as f64;
        let bar = |(place, hour): (usize, &HourCount)| {
            let share = |messages: i64| messages as f64 / most.messages as f64;
            let (all, failed) = (share(hour.messages), share(hour.failed));
            Bar {
                x: step * (place as f64 + 0.07),
                width: step * 0.86,
                ok_y: 1.0 - all + failed,
                ok_height: all - failed,
                failed_y: 1.0 - all,
                failed_height: failed,
            }
        };
        Some(Self {
            bars: hours.iter().enumerate().map(bar).collect(),
            description: format!(
                "By hour of first arrival: fewest at {}, most at {}",
                &fewest.starts_at.to_string()[11..16],
                &most.starts_at.to_string()[11..16]
            ),
            since: hours.first()?.starts_at,
            until: Hour(Hour::from_timestamp(hours.last()?.starts_at).0 + 1).start().min(now),
        })
    }
}

/// Each filter, and how many messages there would be without it.
fn removable(
    query: &ListQuery,
    count: impl Fn(&MessageFilter) -> Result<Counts, crate::store::StoreError>,
    state: &crate::http::admin::state::AdminState,
) -> Result<Vec<Removable>, Problem> {
    let mut removable = Vec::new();
    for (name, value) in query.filters().filter(|(_, value)| !value.is_empty()) {
        let others = query.filters().filter(|(other, _)| *other != name);
        let without = ListQuery::with_filters(others);
        let Query(parameters, _) = Query::<MessageParameters>::parse(&without.filters_only())?;
        let filter = message_filter(parameters, state)?;
        let found = count(&filter)?.total(&filter);
        removable.push(Removable {
            text: label(name, value),
            target: query.without(name),
            found: found.map_or("many".to_owned(), |found| found.to_string()),
        });
    }
    Ok(removable)
}

/// A filter in words.
fn label(name: &str, value: &str) -> String {
    match (name, value) {
        ("open", "true") => "still open".to_owned(),
        ("conflict", "true") => "in conflict".to_owned(),
        ("late", "true") => "with late callbacks".to_owned(),
        ("duplicate", "true") => "with duplicates".to_owned(),
        ("stuck", length) => format!("open over {length}"),
        _ => match name.strip_prefix(TAG_PREFIX) {
            Some(tag) => format!("{tag}={value}"),
            None => format!("{} {value}", name.replace('_', " ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Chart, HourCount};
    use crate::domain::Timestamp;

    #[test]
    fn a_chart_ends_with_its_last_hour_or_now() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let hour = |text| HourCount { starts_at: at(text), messages: 1, failed: 0 };
        let hours = [hour("2026-11-25T22:00:00Z"), hour("2026-11-25T23:00:00Z")];
        for (now, until) in [
            ("2026-11-26T16:17:00Z", "2026-11-26T00:00:00Z"),
            ("2026-11-25T23:17:00Z", "2026-11-25T23:17:00Z"),
        ] {
            let chart = Chart::new(&hours, at(now)).unwrap();
            assert_eq!((chart.since, chart.until), (at("2026-11-25T22:00:00Z"), at(until)));
        }
    }
}
