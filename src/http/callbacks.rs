//! A callback: verified, appended, and only then answered.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, ResponseError, web};

use super::error::Problem;
use super::signed::SignedCallback;
use super::state::Receiving;
use crate::twilio::callback::StatusWord;

/// Twilio waits 15 s for an answer; by then it should have one, even if it is a 503.
const DURABLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Answers 200 with nothing once the event is on disk.
pub async fn receive(
    SignedCallback(event, _share): SignedCallback,
    state: web::Data<Receiving>,
) -> Result<HttpResponse, Problem> {
    let (word, begun) = (StatusWord::of(&event), Instant::now());
    let outcome = match tokio::time::timeout(DURABLE_TIMEOUT, state.writer.append(event)).await {
        Ok(Ok(_position)) => {
            state.metrics.stored(word, begun.elapsed());
            return Ok(HttpResponse::Ok().content_type("text/plain").finish());
        }
        Ok(Err(error)) => Problem::NotStored(error),
        Err(_) => Problem::NotDurableInTime,
    };
    state.metrics.not_stored(word, &outcome);
    state.refusals.tell(outcome.status_code().as_u16(), &outcome.to_string());
    Err(outcome)
}
