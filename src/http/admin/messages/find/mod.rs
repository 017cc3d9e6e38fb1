//! `POST /v1/messages/find`: the messages of one whole number, also for tokens that see addresses masked.
//!
//! For somebody who has just been given the number. It stands in the body, because URLs are kept in the logs of
//! proxies and browsers.

pub mod limit;

use actix_web::web::{self, Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::{IntoResponses, ToSchema};

use crate::domain::Position;
use crate::domain::message::filter::{AddressPattern, MessageFilter};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::auth::tokens::{Client, Visibility};
use crate::http::body::{self, BodyBudget};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures, ProblemDetails};
use crate::projection::erased;
use crate::store::Message;
use crate::wire;
use crate::wire::mask;
use crate::wire::number::WrittenAddress;

/// The maximum length of a number in characters: any spelling fits, and so does any address of Twilio's.
const NUMBER_CHARACTERS_MAX: usize = 100;

/// The number of messages, unless another is requested: what fits on a screen.
const MESSAGES_DEFAULT: usize = 20;

/// The maximum number of messages. A longer list is no longer about one caller's question.
const MESSAGES_MAX: usize = 100;

/// A number whose messages are wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberToFind {
    /// The whole number in any spelling, or another address
    #[schema(min_length = 1, max_length = 100, pattern = "^[^*]")]
    number: String,
    /// The maximum number of messages
    #[serde(default, deserialize_with = "whole")]
    #[schema(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// The messages of a number, newest first.
#[derive(Serialize, ToSchema)]
pub struct FoundMessages {
    data: Vec<wire::Message>,
    /// True if there are more than these.
    more: bool,
    as_of_position: Position,
    /// If no message was found: the addresses that the number was understood as. Numbers are searched for on
    /// every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    searched_for: Option<Vec<String>>,
    /// If no message was found: what could be tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    hint: Option<&'static str>,
}

/// Errors of finding, besides those of every endpoint.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum FindFailures {
    /// The body did not arrive in time
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(ProblemDetails),
    /// The body is longer than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// The body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemDetails),
}

/// The messages to and from one whole number. A token with masked addresses needs `find` in its scope, and may
/// look up thirty numbers at once and one every two seconds after that.
#[utoipa::path(post, path = "/v1/messages/find", operation_id = "find_messages", tag = "messages",
    request_body = NumberToFind,
    responses((status = 200, body = FoundMessages), FindFailures, Failures))]
pub async fn find(
    request: HttpRequest,
    payload: Payload,
    state: Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let client = request.extensions().get::<Client>().cloned();
    let Some(Client::Known { name, scope }) = client else { return Err(Problem::Internal) };
    let sees_all = scope.visibility == Visibility::Full;
    if !scope.may_find && !sees_all {
        return Err(Problem::MayNotFind);
    }
    if !body::is_json(request.headers()) {
        return Err(Problem::NotJson);
    }
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget).await?;
    let wanted: NumberToFind = serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::BadRequest(format!("the body is no such request: {error}")))?;
    returned.filter_by(["number"].into_iter().chain(wanted.limit.map(|_| "limit")));
    let limit = messages_wanted(wanted.limit)?;
    let number = whole_number(&wanted.number)?;
    if !sees_all {
        // Who sees everything could list everything.
        state.lookups.count(&name)?;
    }
    let pattern = number.pattern(state.default_country);
    let searched_for = pattern.texts();
    let ledger = state.clone();
    let found = web::block(move || {
        ledger.wait_for_views()?;
        messages_of(&ledger, &pattern, limit)
    });
    let (found, more, as_of_position) = found.await??;
    returned.add(found.len());
    let message = |message: &Message| {
        let Message { key, lifecycle, .. } = message;
        let row = wire::Message::new(key, lifecycle, as_of_position, &state.error_codes);
        redaction.message_row(row.with_account_name(&state.account_names()))
    };
    let is_national = state.default_country.is_none() && number.needs_default_country();
    let shown = |address: &String| match sees_all {
        true => address.clone(),
        false => mask::address(address),
    };
    let found = FoundMessages {
        data: found.iter().map(message).collect(),
        more,
        as_of_position,
        searched_for: found.is_empty().then(|| searched_for.iter().map(shown).collect()),
        hint: (found.is_empty() && is_national).then_some(
            "the number has no calling code: begin it with + and that of its country, or have \
             default_country set",
        ),
    };
    response::json(HttpResponse::Ok(), &found)
}

/// A whole number, which JSON may also write as `20.0`.
fn whole<'de, D: Deserializer<'de>>(value: D) -> Result<Option<usize>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(value)? else { return Ok(None) };
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..1e9).contains(float));
    let whole = number.as_u64().or_else(|| float.map(|float| float as u64));
    let whole = whole.and_then(|whole| usize::try_from(whole).ok());
    whole.map(Some).ok_or_else(|| D::Error::custom(format!("limit `{number}` is no whole number")))
}

fn messages_wanted(limit: Option<usize>) -> Result<usize, Problem> {
    match limit.unwrap_or(MESSAGES_DEFAULT) {
        limit if (1..=MESSAGES_MAX).contains(&limit) => Ok(limit),
        limit => Err(Problem::BadRequest(format!(
            "limit `{limit}` is not a number from 1 to {MESSAGES_MAX}"
        ))),
    }
}

/// The number; the error if it is only a part of one.
fn whole_number(text: &str) -> Result<WrittenAddress, Problem> {
    let bad = |reason: String| Err(Problem::BadRequest(reason));
    // Neither the end nor the beginning of one: with these, all numbers could be tried.
    if text.contains('*') {
        return bad("number contains `*`: only a whole number can be found here; for its last \
                    digits, use `to` of GET /v1/messages"
            .to_owned());
    }
    match WrittenAddress::parse(text) {
        Some(_) if text.chars().count() > NUMBER_CHARACTERS_MAX => {
            bad(format!("number is longer than {NUMBER_CHARACTERS_MAX} characters"))
        }
        Some(number) => Ok(number),
        None => bad("number is empty".to_owned()),
    }
}

/// The newest messages to and from this address, whether there are more, and the position of the views.
fn messages_of(
    state: &AdminState,
    pattern: &AddressPattern,
    limit: usize,
) -> Result<(Vec<Message>, bool, Position), Problem> {
    let outbound = || MessageFilter { inbound: Some(false), ..MessageFilter::default() };
    let to = MessageFilter { to: Some(pattern.clone()), ..outbound() };
    let from = MessageFilter { from: Some(pattern.clone()), ..outbound() };
    let list = |filter| erased::list(&*state.store, filter, None, limit);
    let (to, from) = (list(&to)?, list(&from)?);
    let mut more = to.next_before.is_some() || from.next_before.is_some();
    let as_of_position = to.checkpoint.position.min(from.checkpoint.position);
    let mut found = to.messages;
    found.extend(from.messages);
    // Ids are in the order of first arrival.
    found.sort_unstable_by_key(|message| std::cmp::Reverse(message.id));
    found.dedup_by_key(|message| message.id);
    more |= found.len() > limit;
    found.truncate(limit);
    Ok((found, more, as_of_position))
}
