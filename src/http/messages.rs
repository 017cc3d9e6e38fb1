//! Questions about messages.

use std::time::{Duration, Instant};

use actix_web::http::header::{ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::error::Problem;
use super::openapi::{CacheParameters, Failures};
use super::query::{self, Query};
use super::shown::Shown;
use super::state::Admin;
use crate::domain::{AccountSid, MessageSid, Timestamp};
use crate::projection::message_query::{Answer, AsOf, BeyondHead, Question, ask};

/// How long somebody is kept waiting for views that are being rebuilt.
pub const TAIL_PATIENCE: Duration = Duration::from_secs(2);

/// The parameters of one message.
const PARAMETERS: [&str; 3] = ["account_sid", "as_of_position", "as_of"];

/// One message with its timeline, folded from the log at this moment.
#[utoipa::path(get, path = "/v1/messages/{sid}", operation_id = "message", tag = "messages",
    params(
        ("sid" = String, Path, description = "The message's SID"),
        ("account_sid" = Option<String>, Query, description = "Which account's, where several have this SID; empty for a message without an account"),
        ("as_of_position" = Option<u64>, Query, minimum = 0, description = "Only events up to this position, which the log must have reached"),
        ("as_of" = Option<String>, Query, format = "date-time", description = "Only events received up to this moment, RFC 3339"),
        CacheParameters),
    responses((status = 200, body = crate::wire::Message, headers(("ETag" = String))),
              (status = 304, description = "It is still the same"), Failures))]
pub async fn one(
    sid: web::Path<String>,
    request: HttpRequest,
    state: web::Data<Admin>,
    shown: Shown,
) -> Result<HttpResponse, Problem> {
    let question = question(&sid, &Query::read(request.query_string(), &PARAMETERS)?, &state)?;
    shown.may_ask_for(question.message_sid.as_str())?;
    question.account_sid.iter().flatten().try_for_each(|sid| shown.may_ask_for(sid.as_str()))?;
    let answer = web::block(move || {
        if !state.projection.wait_for_short_tail(Instant::now() + TAIL_PATIENCE) {
            return Err(Problem::Behind);
        }
        ask(&*state.store, &question).map_err(Problem::from)
    });
    match answer.await?? {
        Answer::NotFound => Err(Problem::NotFound(format!(
            "no event of message `{}` is in the log",
            sid.escape_debug()
        ))),
        Answer::BeyondHead(BeyondHead { asked_for, head }) => Err(Problem::Conflict(format!(
            "as_of_position `{asked_for}` is beyond the head, {head}"
        ))),
        Answer::Ambiguous(accounts) => Err(Problem::Conflict(several_accounts(&accounts))),
        Answer::Found { folded, as_of_position } => {
            let message = shown.message(&folded, as_of_position);
            let json = serde_json::to_vec(&message).map_err(|_| Problem::Internal)?;
            Ok(unless_known(&request, json))
        }
    }
}

/// The JSON with a tag of its content, or 304 where the asker has just that.
fn unless_known(request: &HttpRequest, mut json: Vec<u8>) -> HttpResponse {
    json.push(b'\n');
    let tag = EntityTag::new_strong(URL_SAFE_NO_PAD.encode(Sha256::digest(&json)));
    let known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|have| have.weak_eq(&tag)),
        Err(_) => false,
    };
    let mut response = match known {
        true => HttpResponse::NotModified(),
        false => HttpResponse::Ok(),
    };
    response.insert_header(ETag(tag));
    match known {
        true => response.finish(),
        false => response.content_type("application/json").body(json),
    }
}

fn question(sid: &str, query: &Query, state: &Admin) -> Result<Question, Problem> {
    let message_sid = MessageSid::parse(sid)
        .ok_or_else(|| Problem::BadRequest("the message SID is empty".to_owned()))?;
    Ok(Question {
        message_sid,
        account_sid: query.get("account_sid").map(AccountSid::parse),
        rule: state.rule,
        as_of: as_of(query.get("as_of_position"), query.get("as_of"))?,
    })
}

fn as_of(position: Option<&str>, time: Option<&str>) -> Result<AsOf, Problem> {
    let bad = |detail: String| Problem::BadRequest(detail);
    match (position, time) {
        (None, None) => Ok(AsOf::Head),
        (Some(_), Some(_)) => Err(Problem::Conflict(
            "as_of_position and as_of exclude each other; give one".to_owned(),
        )),
        (Some(text), None) => query::position("as_of_position", text).map(AsOf::Position),
        // A + that was not escaped arrives as a space.
        (None, Some(text)) => {
            Timestamp::parse(&text.replace(' ', "+")).map(AsOf::Time).ok_or_else(|| {
                bad(format!("as_of `{text}` is not an RFC 3339 time, such as 2026-01-31T12:00:00Z"))
            })
        }
    }
}

fn several_accounts(accounts: &[AccountSid]) -> String {
    let names: Vec<_> = accounts.iter().map(AccountSid::as_str).collect();
    format!("several accounts have this message SID; add account_sid, one of: {}", names.join(", "))
}
