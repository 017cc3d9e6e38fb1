//! `POST /v1/messages/{sid}/feedback`: reports to Twilio whether the recipient did what the message was for.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::message::{self, MessageParameters};
use super::send_request::{
    SendFailures, check_client, execute, idempotency_key, json_body, mark_replayed, sender,
};
use super::sender::SendResult;
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::{AccountSid, Position};
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::{self, Failures};
use crate::send::feedback;
use crate::send::{Done, LoggedOutcome};
use crate::wire::parameters::BadValue;

/// Feedback on a message.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFeedback {
    /// Whether the recipient did what the message was for, such as entering the code in it
    #[schema(pattern = "^(confirmed|unconfirmed)$")]
    pub outcome: String,
}

/// Feedback that Twilio has recorded.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordedFeedback {
    pub message_sid: String,
    /// The outcome that Twilio has recorded
    pub outcome: String,
    /// Connects the request and the response in the log
    pub send_id: String,
    /// The position of the event that was logged before the request
    pub intent_position: Position,
    /// The position of the event with Twilio's response; null if it could not be logged
    pub answer_position: Option<Position>,
}

/// The account of the message.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct FeedbackParameters {
    /// The account, by SID or name, if several have this message SID
    account_sid: Option<String>,
}

/// Reports to Twilio whether the recipient did what the message was for. A repeated request with the same
/// `Idempotency-Key` within 24 hours reports nothing and gets the same response.
#[utoipa::path(post, path = "/v1/messages/{sid}/feedback", operation_id = "feedback", tag = "messages",
    params(
        ("sid" = String, Path, description = "The message's SID"),
        FeedbackParameters,
        ("Idempotency-Key" = Option<String>, Header, description = "Identifies the feedback, so that repeated requests report it once", pattern = "^[!-~]{1,255}$")),
    request_body = NewFeedback,
    responses((status = 200, body = RecordedFeedback,
        headers(("Idempotency-Replayed" = String))), SendFailures, Failures))]
pub async fn report(
    sid: Path<String>,
    request: HttpRequest,
    payload: Payload,
    state: Data<AdminState>,
    Query(parameters, _): Query<FeedbackParameters>,
) -> Result<HttpResponse, Problem> {
    let scope = check_client(&request)?;
    let key = idempotency_key(&request)?;
    let NewFeedback { outcome } = json_body(&request, payload, "feedback").await?;
    let outcome = FeedbackOutcome::parse(&outcome)
        .ok_or_else(|| BadValue::new("outcome", &outcome, "confirmed or unconfirmed"))?;
    let sender = sender(&state)?;
    let account = MessageParameters::of_account(parameters.account_sid);
    let (message, _) = message::find(&state, Redaction::of(scope), &sid, account).await?;
    let known = message.key.account_sid.as_ref().map(AccountSid::as_str);
    let (account_sid, credentials) = sender.account(known)?;
    let to_send = feedback::request(&account_sid, &message.key.message_sid, outcome);
    answer(&execute(sender.prepare(to_send, credentials, key)?, &state).await?)
}

fn answer(result: &SendResult) -> Result<HttpResponse, Problem> {
    let Done { message_sid, word: outcome } = result.done()?.clone();
    let LoggedOutcome { send_id, intent_position, answer_position, .. } = result.logged.clone();
    let mut response = HttpResponse::Ok();
    mark_replayed(&mut response, result);
    let recorded =
        RecordedFeedback { message_sid, outcome, send_id, intent_position, answer_position };
    response::json(response, &recorded)
}
