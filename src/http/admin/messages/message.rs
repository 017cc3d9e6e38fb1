//! `GET /v1/messages/{sid}`: one message with its timeline.

use actix_web::http::header::{ETag, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::IntoParams;

use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, MessageSid, Position, Timestamp};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::projection::fold::Folded;
use crate::projection::message_query::{
    AsOf, BeyondHead, MessageQuery, MessageResult, find_message,
};
use crate::wire::filter;
use crate::wire::parameters;
use crate::wire::written_time::{WrittenTime, ZoneName};

/// The account, and the position or time of interest.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct MessageParameters {
    /// The account, by SID or name, if several have this message SID; empty for a message without an account
    account_sid: Option<String>,
    /// Only events up to this position, which the log must have reached
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    as_of_position: Option<Position>,
    /// Only events received up to this time: RFC 3339, a day or a time in the time zone, `yesterday`, or a length
    /// of time ago, such as `24h`
    #[serde(deserialize_with = "parameters::time")]
    #[param(inline, value_type = WrittenTime, required = false)]
    as_of: Option<WrittenTime>,
    /// The time zone of `as_of`, such as `Europe/Berlin`; the default is that of the server's settings
    #[serde(deserialize_with = "parameters::time_zone")]
    #[param(value_type = ZoneName, required = false)]
    time_zone: Option<Zone>,
}

/// The response that the client already has.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "actix reads the header")]
pub struct CacheParameters {
    /// The `ETag` of an earlier answer
    #[param(rename = "If-None-Match", nullable = false)]
    if_none_match: Option<String>,
}

/// One message with its timeline, folded from the log at this moment.
#[utoipa::path(get, path = "/v1/messages/{sid}", operation_id = "message", tag = "messages",
    params(
        ("sid" = String, Path, description = "The message's SID"),
        MessageParameters, CacheParameters),
    responses((status = 200, body = crate::wire::Message, headers(("ETag" = String))),
              (status = 304, description = "It has not changed"),
              (status = 410, description = "It was erased", content_type = "application/problem+json"), Failures))]
pub async fn one(
    sid: web::Path<String>,
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, _): Query<MessageParameters>,
) -> Result<HttpResponse, Problem> {
    let (folded, as_of_position) = find(&state, redaction, &sid, parameters).await?;
    let (error_codes, names) = (&state.error_codes, state.account_names());
    let message = redaction.message(&folded, as_of_position, error_codes, &names);
    let json = serde_json::to_vec(&message).map_err(|_| Problem::Internal)?;
    returned.add(1);
    Ok(unless_known(&request, json))
}

/// The message with this SID as of the requested moment, and the last position that counts. It is not
/// redacted; only the request is checked against what the client may see.
pub async fn find(
    state: &web::Data<AdminState>,
    redaction: Redaction,
    sid: &str,
    parameters: MessageParameters,
) -> Result<(Folded, Position), Problem> {
    let question = question(sid, parameters, state)?;
    redaction.check_text(question.message_sid.as_str())?;
    question.account_sid.iter().flatten().try_for_each(|sid| redaction.check_text(sid.as_str()))?;
    let ledger = state.clone();
    let found = web::block(move || {
        ledger.wait_for_views()?;
        find_message(&*ledger.store, &question).map_err(Problem::from)
    });
    match found.await?? {
        MessageResult::NotFound => Err(Problem::NotFound(format!(
            "no event of message `{}` is in the log",
            sid.escape_debug()
        ))),
        MessageResult::Erased(erased) => Err(Problem::ErasedMessage(erased)),
        MessageResult::BeyondHead(BeyondHead { asked_for, head }) => Err(Problem::Conflict(
            format!("as_of_position `{asked_for}` is beyond the head, {head}"),
        )),
        MessageResult::Ambiguous(accounts) => {
            let names = state.account_names();
            let named = |sid: AccountSid| (sid.clone(), names.describe(sid.as_str()));
            Err(Problem::SeveralAccounts(accounts.into_iter().map(named).collect()))
        }
        MessageResult::Found { folded, as_of_position } => Ok((*folded, as_of_position)),
    }
}

impl MessageParameters {
    /// The message of this account, as of now.
    pub fn of_account(account_sid: Option<String>) -> Self {
        Self { account_sid, ..Self::default() }
    }

    /// The same as of now; `None` if it is already.
    pub fn now(&self) -> Option<Self> {
        let is_earlier = self.as_of_position.is_some() || self.as_of.is_some();
        is_earlier.then(|| Self::of_account(self.account_sid.clone()))
    }

    /// The requested account.
    pub fn account_sid(&self) -> Option<&str> {
        self.account_sid.as_deref()
    }
}

/// The JSON with an `ETag` of its content, or 304 if the client has it already.
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

fn question(
    sid: &str,
    parameters: MessageParameters,
    state: &AdminState,
) -> Result<MessageQuery, Problem> {
    let message_sid = MessageSid::parse(sid)
        .ok_or_else(|| Problem::BadRequest("the message SID is empty".to_owned()))?;
    let zone = parameters.time_zone.as_ref().unwrap_or(&state.time_zone);
    let now = Timestamp::from(OffsetDateTime::now_utc());
    let time = parameters.as_of.map(|written| written.time(now, zone));
    Ok(MessageQuery {
        message_sid,
        account_sid: parameters.account_sid.map(|written| account(&written, state)).transpose()?,
        rule: state.rule,
        as_of: as_of(parameters.as_of_position, time)?,
    })
}

/// The account; `None` if the text is empty, which stands for no account.
pub fn account(written: &str, state: &AdminState) -> Result<Option<AccountSid>, Problem> {
    let Some(written) = AccountSid::parse(written) else { return Ok(None) };
    Ok(Some(filter::account(&written, &state.account_names())?))
}

fn as_of(position: Option<Position>, time: Option<Timestamp>) -> Result<AsOf, Problem> {
    match (position, time) {
        (None, None) => Ok(AsOf::Head),
        (Some(_), Some(_)) => Err(Problem::Conflict(
            "as_of_position and as_of exclude each other; give one".to_owned(),
        )),
        (Some(position), None) => Ok(AsOf::Position(position)),
        (None, Some(time)) => Ok(AsOf::Time(time)),
    }
}
