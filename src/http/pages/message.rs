//! `GET /messages/{sid}`: one message, the reason for its status, and its timeline down to the bytes.

use std::borrow::Borrow;

use actix_web::{HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use super::lifecycle::facts::{Facts, Proof};
use super::lifecycle::graph::Lanes;
use super::lifecycle::raw::Verification;
use super::lifecycle::reason::{Part, reason};
use super::lifecycle::sealed::SealState;
use super::lifecycle::timeline::{Order, Row, Shown, Step, Timeline};
use super::list::query::ListQuery;
use super::list::row;
use crate::domain::{Position, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::admin::messages::message::{MessageParameters, find};
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::projection::fold::Folded;
use crate::wire::{Message, parameters};

/// The page.
#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    page: Page,
    message: Message,
    facts: Facts,
    reason: Vec<Part>,
    /// The moment of interest; `None` if it is now.
    as_of: Option<Moment>,
    lanes: Lanes,
    steps: Vec<Step>,
    rows: Vec<Row>,
    /// The events that are not shown.
    left_out: usize,
    proof: Option<Proof>,
    /// `None` if the server does not seal.
    sealed: Option<SealState>,
    view: View,
}

/// A moment that is not now.
struct Moment {
    position: Position,
    /// The time of the last event that is counted.
    received_at: Timestamp,
    /// The number of events after it.
    later: usize,
}

/// What the page shows of its message: the parameters of its links.
struct View {
    message_sid: String,
    account_sid: Option<String>,
    as_of_position: Option<Position>,
    order: Order,
}

/// The parameters that only the page has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct ViewParameters {
    /// `happened` for the order of the lifecycle instead of that of arrival
    #[serde(deserialize_with = "order")]
    #[param(value_type = Option<String>)]
    order: Option<Order>,
    /// The position of the event to show open
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>)]
    open: Option<Position>,
}

fn order<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Order>, D::Error> {
    parameters::parsed(value, "arrived or happened", Order::parse)
}

/// The page of one message.
pub async fn message(
    sid: web::Path<String>,
    visit: Visit,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, view): Query<MessageParameters, ViewParameters>,
) -> Result<HttpResponse, Problem> {
    let state = visit.state.clone();
    let account_sid = parameters.account_sid().map(str::to_owned);
    let as_of_now = parameters.now();
    let (counted, as_of_position) = find(&state, redaction, &sid, parameters).await?;
    let now = match as_of_now {
        Some(parameters) => Some(find(&state, redaction, &sid, parameters).await?.0),
        None => None,
    };
    returned.add(1);
    let shown = |message: &Folded| {
        redaction.message(message, as_of_position, &state.error_codes, &state.account_names())
    };
    let mut message = shown(&counted);
    let entries = message.timeline.take().unwrap_or_default();
    let entries_now = now.as_ref().and_then(|now| shown(now).timeline);
    let timeline = Timeline {
        counted: Shown { message: &counted, entries: &entries },
        now: match (&now, &entries_now) {
            (Some(message), Some(entries)) => Shown { message, entries },
            _ => Shown { message: &counted, entries: &entries },
        },
        order: view.order.unwrap_or_default(),
        open: view.open,
        redaction,
    };
    let as_of = now.as_ref().map(|now| Moment {
        position: as_of_position,
        received_at: counted.lifecycle.last_received_at,
        later: now.timeline.len().saturating_sub(counted.timeline.len()),
    });
    let view = View {
        message_sid: sid.into_inner(),
        account_sid,
        as_of_position: as_of.as_ref().map(|as_of| as_of.position),
        order: timeline.order,
    };
    let lanes = Lanes::new(timeline.now.message);
    let facts = Facts::new(&message, &timeline, &state.error_codes, visit.now);
    let title = format!("{}, {}", facts.status, message.message_sid);
    let page = visit.page(Section::Messages, title).as_of(as_of_position);
    let (steps, rows, left_out) = (timeline.steps(), timeline.rows(&lanes), timeline.left_out());
    let reason = reason(&counted, &state.error_codes);
    let deciding = facts.deciding;
    let last_event = counted.timeline.last().map_or(0, |entry| entry.event.position);
    let (proof, sealed) = web::block(move || {
        let proof = deciding.and_then(|at| Proof::new(&state, &counted, at, redaction));
        (proof, SealState::new(&state, last_event))
    })
    .await?;
    html(&MessagePage {
        page: page.json(view.json()),
        facts,
        reason,
        as_of,
        lanes,
        steps,
        rows,
        left_out,
        proof,
        sealed,
        view,
        message,
    })
}

impl View {
    /// The path and query of this page as of a position.
    fn as_of(&self, position: impl Borrow<Position>) -> String {
        self.target(Some(*position.borrow()), self.order)
    }

    /// The same as of now.
    fn now(&self) -> String {
        self.target(None, self.order)
    }

    /// The same in the order with this name.
    fn in_order(&self, name: &str) -> String {
        self.target(self.as_of_position, Order::parse(name).unwrap_or_default())
    }

    /// True if this is the order of the page.
    fn is_order(&self, name: &str) -> bool {
        self.order.name() == name
    }

    /// The path and query of the same content as JSON.
    fn json(&self) -> String {
        with_query(&format!("/v1{}", self.path()), self.parameters(self.as_of_position))
    }

    /// The file with which others can check the message.
    fn evidence(&self) -> String {
        let path = format!("/v1{}/evidence", self.path());
        with_query(&path, self.parameters(self.as_of_position))
    }

    /// The form of an export of the message's events.
    fn export(&self) -> String {
        let message = ("message_sid", self.message_sid.clone());
        let fields = [("content", "events".to_owned()), message].into_iter();
        with_query("/exports", fields.chain(self.parameters(self.as_of_position)))
    }

    fn target(&self, position: Option<Position>, order: Order) -> String {
        let order = (order != Order::default()).then(|| ("order", order.name().to_owned()));
        with_query(&self.path(), self.parameters(position).chain(order))
    }

    fn path(&self) -> String {
        row::target(&self.message_sid).unwrap_or_else(|| "/messages".to_owned())
    }

    fn parameters(
        &self,
        position: Option<Position>,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let account = self.account_sid.clone().map(|sid| ("account_sid", sid));
        let position = position.map(|position| ("as_of_position", position.to_string()));
        account.into_iter().chain(position)
    }
}

impl MessagePage {
    /// The path and query of the list with one filter; `None` if its value is masked.
    fn list(&self, name: &str, value: &str) -> Option<String> {
        let value = match value.rsplit_once('*') {
            None => value.to_owned(),
            Some((_, end)) if matches!(name, "to" | "from") && end.len() == 4 => format!("*{end}"),
            Some(_) => return None,
        };
        Some(ListQuery::with_filters([(name, &*value)]).target())
    }
}

fn with_query(path: &str, parameters: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    match query.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
