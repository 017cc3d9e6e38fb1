//! Lists of messages, page by page.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use time::OffsetDateTime;

use super::error::Problem;
use super::messages::TAIL_PATIENCE;
use super::openapi::{Failures, MessageParameters, PageParameters};
use super::query::Query;
use super::shown::Shown;
use super::state::Admin;
use crate::domain::filter::MessageFilter;
use crate::domain::{Position, Timestamp};
use crate::wire;
use crate::wire::filter::{self, MESSAGE_FILTERS};

/// How many messages a page has where nothing is said of it.
const LIMIT_DEFAULT: u64 = 100;

/// How many it may have: a few hundred kilobytes of JSON.
const LIMIT_MAX: u64 = 1000;

/// Tells a cursor of ours from other text.
const CURSOR: &[u8] = b"m1";

/// A page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MessagePage)]
pub struct Page {
    data: Vec<wire::Message>,
    next_cursor: Option<String>,
    as_of_position: Position,
}

/// Messages that are asked for, the newest first.
#[utoipa::path(get, path = "/v1/messages", operation_id = "messages", tag = "messages", params(MessageParameters, PageParameters),
    responses((status = 200, body = Page), Failures))]
pub async fn messages(
    request: HttpRequest,
    state: web::Data<Admin>,
    asker: Shown,
) -> Result<HttpResponse, Problem> {
    let known: Vec<_> = MESSAGE_FILTERS.into_iter().chain(["limit", "after"]).collect();
    let query = Query::read(request.query_string(), &known)?;
    let wanted = asker.may_ask(message_filter(&query)?)?;
    let limit = query.number("limit", LIMIT_DEFAULT, 1, LIMIT_MAX)?;
    let before = query.get("after").map(id_of_cursor).transpose()?;
    let listed = web::block(move || {
        if !state.projection.wait_for_short_tail(Instant::now() + TAIL_PATIENCE) {
            return Err(Problem::Behind);
        }
        Ok(state.store.views().list(&wanted, before, limit as usize)?)
    });
    let listed = listed.await??;
    let as_of_position = listed.checkpoint.position;
    let messages = listed.messages.iter();
    let shown = |message: &crate::store::Message| {
        asker.row(wire::Message::new(&message.key, &message.lifecycle, as_of_position))
    };
    Ok(HttpResponse::Ok().json(Page {
        data: messages.map(shown).collect(),
        next_cursor: listed.next_before.map(cursor_of_id),
        as_of_position,
    }))
}

/// The filter that a query has, whatever else it has.
pub fn message_filter(query: &Query) -> Result<MessageFilter, Problem> {
    let (mut wanted, now) = (MessageFilter::usual(), Timestamp::from(OffsetDateTime::now_utc()));
    for (name, value) in query.iter() {
        filter::set(&mut wanted, name, value, now)?;
    }
    filter::check(&wanted).map_err(|bad| Problem::Conflict(bad.to_string()))?;
    Ok(wanted)
}

fn cursor_of_id(id: u64) -> String {
    URL_SAFE_NO_PAD.encode([CURSOR, &id.to_be_bytes()].concat())
}

fn id_of_cursor(cursor: &str) -> Result<u64, Problem> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok();
    let id = bytes.as_deref().and_then(|bytes| bytes.strip_prefix(CURSOR)?.try_into().ok());
    let id = id.map(u64::from_be_bytes).filter(|id| i64::try_from(*id).is_ok());
    id.ok_or_else(|| {
        let cursor = cursor.escape_debug();
        Problem::BadRequest(format!("after `{cursor}` is not the next_cursor of an earlier page"))
    })
}
