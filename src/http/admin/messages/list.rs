//! `GET /v1/messages`: lists messages, page by page.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::domain::message::filter::MessageFilter;
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{PageLimit, Query};
use crate::http::response::{self, Failures};
use crate::projection::erased;
use crate::store;
use crate::wire;
use crate::wire::filter::{FilterContext, MessageParameters};
use crate::wire::message_page::{self, CURSOR_OF_ANOTHER_LIST, Cursor, ListHash, MessagePage};
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
    #[param(value_type = Option<String>, pattern = "^bT[MN][A-Za-z0-9_-]{29}$")]
    after: Option<Cursor>,
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
    let page = list(&state, redaction, filter, page).await?;
    returned.add(page.data.len());
    response::json(HttpResponse::Ok(), &page)
}

/// A page of the messages that match the filter, as the client may see them.
pub async fn list(
    state: &web::Data<AdminState>,
    redaction: Redaction,
    filter: MessageParameters,
    page: PageParameters,
) -> Result<MessagePage, Problem> {
    let mut context = state.filter_context();
    if let Some(first) = page.after {
        context.now = first.now;
    }
    let now = context.now;
    let filter = redaction.check_filter(filter_in(filter, state, &context)?)?;
    let list = ListHash::new(&filter);
    if page.after.is_some_and(|after| after.list != list) {
        return Err(Problem::Conflict(format!("after: {CURSOR_OF_ANOTHER_LIST}")));
    }
    let ledger = state.clone();
    let addresses = filter.searched_for();
    let listed = web::block(move || {
        ledger.wait_for_views()?;
        ledger.check_tags(&filter, true, redaction)?;
        Ok::<_, Problem>(erased::list(
            &*ledger.store,
            &filter,
            page.after.map(|after| after.before),
            page.limit.rows(),
        )?)
    });
    let listed = listed.await??;
    let as_of_position = listed.checkpoint.position;
    let messages = listed.messages.iter();
    let message = |message: &store::Message| {
        let store::Message { key, lifecycle, .. } = message;
        let row = wire::Message::new(key, lifecycle, as_of_position, &state.error_codes);
        redaction.message_row(row.with_account_name(&state.account_names()))
    };
    let is_empty = listed.messages.is_empty() && listed.next_before.is_none();
    Ok(MessagePage {
        data: messages.map(message).collect(),
        next_cursor: listed.next_before.map(|before| Cursor { before, now, list }.to_string()),
        as_of_position,
        searched_for: (is_empty && !addresses.is_empty()).then_some(addresses),
    })
}

/// The filter that these parameters make.
pub fn message_filter(
    parameters: MessageParameters,
    state: &AdminState,
) -> Result<MessageFilter, Problem> {
    filter_in(parameters, state, &state.filter_context())
}

/// The same at another time than the present.
fn filter_in(
    parameters: MessageParameters,
    state: &AdminState,
    context: &FilterContext,
) -> Result<MessageFilter, Problem> {
    let parameters = parameters.with_named_account(&state.account_names())?;
    parameters.filter(context).map_err(|excluding| Problem::Conflict(excluding.to_string()))
}

fn cursor<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Cursor>, D::Error> {
    parsed(value, message_page::CURSOR_EXPECTED, Cursor::parse)
}
