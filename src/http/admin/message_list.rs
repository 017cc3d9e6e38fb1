//! `GET /v1/messages`: lists messages, page by page.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use utoipa::IntoParams;

use super::state::AdminState;
use crate::domain::Timestamp;
use crate::domain::message::filter::MessageFilter;
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{PageLimit, Query};
use crate::http::response::{self, Failures};
use crate::store;
use crate::wire;
use crate::wire::filter::{FilterContext, MessageParameters};
use crate::wire::message_page::{self, MessagePage};
use crate::wire::parameters::parsed;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PageParameters {
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000, default = 100)]
    limit: PageLimit,
    /// The `next_cursor` of the previous page
    #[serde(deserialize_with = "cursor")]
    #[param(value_type = Option<String>, pattern = "^bT[EF][A-Za-z0-9_-]{10}[AQgw]$")]
    after: Option<u64>,
}

/// Messages that match the filter, newest first.
#[utoipa::path(get, path = "/v1/messages", operation_id = "messages", tag = "messages", params(MessageParameters, PageParameters),
    responses((status = 200, body = MessagePage), Failures))]
pub async fn messages(
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(filter, page): Query<MessageParameters, PageParameters>,
) -> Result<HttpResponse, Problem> {
    let filter = redaction.check_filter(message_filter(filter, &state)?)?;
    let ledger = state.clone();
    let addresses = filter.searched_for();
    let listed = web::block(move || {
        ledger.wait_for_views()?;
        ledger.check_tags(&filter, true)?;
        Ok::<_, Problem>(ledger.store.views().list(&filter, page.after, page.limit.rows())?)
    });
    let listed = listed.await??;
    returned.add(listed.messages.len());
    let as_of_position = listed.checkpoint.position;
    let messages = listed.messages.iter();
    let message = |message: &store::Message| {
        let store::Message { key, lifecycle, .. } = message;
        let row = wire::Message::new(key, lifecycle, as_of_position, &state.error_codes);
        redaction.message_row(row.with_account_name(&state.account_names))
    };
    let is_empty = listed.messages.is_empty() && listed.next_before.is_none();
    let page = MessagePage {
        data: messages.map(message).collect(),
        next_cursor: listed.next_before.map(message_page::cursor),
        as_of_position,
        searched_for: (is_empty && !addresses.is_empty()).then_some(addresses),
    };
    response::json(HttpResponse::Ok(), &page)
}

/// The filter that these parameters make.
pub fn message_filter(
    parameters: MessageParameters,
    state: &AdminState,
) -> Result<MessageFilter, Problem> {
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let AdminState { default_country, ref time_zone, .. } = *state;
    let context = FilterContext { now, time_zone: time_zone.clone(), default_country };
    let parameters = parameters.with_named_account(&state.account_names)?;
    parameters.filter(&context).map_err(|excluding| Problem::Conflict(excluding.to_string()))
}

fn cursor<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    parsed(value, message_page::CURSOR_EXPECTED, message_page::parse_cursor)
}
