//! `GET /v1/messages/{sid}/evidence`: a bundle with which others can check a message.

use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::message;
use crate::domain::{AccountSid, MessageSid, Position};
use crate::evidence::make::{MakeError, Request, make};
use crate::http::access::returned::Returned;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::seal::worker::NotSealed;
use crate::wire::parameters;

/// How long the views may take to read what the log has now.
const VIEWS_TIMEOUT: Duration = Duration::from_secs(2);

/// The account of the message, and the position of interest.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct EvidenceParameters {
    /// The account, by SID or name, if several have this message SID; empty for a message without an account
    account_sid: Option<String>,
    /// Only events up to this position, which the log must have reached
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    as_of_position: Option<Position>,
}

/// A file with which others can check the message without this ledger; `docs/EVIDENCE.md` says how. If no seal covers
/// the message yet, one is made. Not for tokens that see addresses masked.
#[utoipa::path(get, path = "/v1/messages/{sid}/evidence", operation_id = "message_evidence", tag = "evidence",
    params(("sid" = String, Path, description = "The message's SID"), EvidenceParameters),
    responses((status = 200, body = serde_json::Value, content_type = "application/json"), Failures))]
pub async fn evidence(
    sid: web::Path<String>,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, _): Query<EvidenceParameters>,
) -> Result<HttpResponse, Problem> {
    redaction.check_raw()?;
    let request = Request {
        message_sid: MessageSid::parse(&sid)
            .ok_or_else(|| Problem::BadRequest("the message SID is empty".to_owned()))?,
        account_sid: parameters
            .account_sid
            .map(|written| message::account(&written, &state))
            .transpose()?,
        as_of: parameters.as_of_position,
        rule: state.rule,
    };
    let text = web::block(move || text(&state, &request)).await??;
    returned.add(1);
    let name: String = sid.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let disposition = format!("attachment; filename=\"{name}.evidence.json\"");
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_DISPOSITION, disposition));
    Ok(response.content_type("application/json").body(text))
}

/// The text of the bundle. Blocks.
fn text(state: &AdminState, request: &Request) -> Result<String, Problem> {
    if !state.projection.wait_for(state.store.head()?, Instant::now() + VIEWS_TIMEOUT) {
        return Err(Problem::Behind);
    }
    let mut seal = |size| match &state.sealing {
        Some(sealing) => sealing.seal(size),
        None => Err(NotSealed::NoKey),
    };
    match make(&*state.store, request, &mut seal) {
        Ok(bundle) => Ok(bundle.to_text()),
        Err(MakeError::Ambiguous(accounts)) => {
            let names = state.account_names();
            let named = |sid: AccountSid| (sid.clone(), names.describe(sid.as_str()));
            Err(Problem::SeveralAccounts(accounts.into_iter().map(named).collect()))
        }
        Err(MakeError::NotFound) => Err(Problem::NotFound(format!(
            "no event of message `{}` is in the log",
            request.message_sid.as_str().escape_debug()
        ))),
        Err(error @ MakeError::BeyondHead { .. }) => {
            Err(Problem::Conflict(format!("as_of_position: {error}")))
        }
        Err(
            error
            @ (MakeError::NotCovered { .. } | MakeError::NotSealed(_) | MakeError::Differs(_)),
        ) => Err(Problem::Conflict(error.to_string())),
        Err(MakeError::Stored(error)) => Err(error.into()),
        Err(MakeError::Projection(error)) => Err(error.into()),
    }
}
