//! Questions about messages.

use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::error::Problem;
use super::state::Admin;
use crate::domain::{AccountSid, MessageSid, Timestamp};
use crate::projection::history::{Answer, AsOf, Question, ask};
use crate::wire::{self, TimelineEntry};

/// How long somebody is kept waiting for views that are being rebuilt.
const TAIL_PATIENCE: Duration = Duration::from_secs(2);

/// The query of `GET /v1/messages/{sid}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OneQuery {
    account_sid: Option<String>,
    as_of_position: Option<String>,
    as_of: Option<String>,
}

/// One message with its timeline, folded from the log at this moment.
pub async fn one(
    sid: web::Path<String>,
    request: actix_web::HttpRequest,
    state: web::Data<Admin>,
) -> Result<HttpResponse, Problem> {
    let query = web::Query::<OneQuery>::from_query(request.query_string())
        .map_err(|error| Problem::BadRequest(error.to_string()))?;
    let question = question(&sid, query.into_inner(), &state)?;
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
        Answer::Ambiguous(accounts) => Err(Problem::Conflict(several_accounts(&accounts))),
        Answer::Found { folded, as_of_position } => {
            let timeline = folded.timeline.iter();
            let timeline = timeline
                .map(|entry| TimelineEntry::new(&entry.event, &entry.reported, entry.effect));
            let message = wire::Message::new(&folded.key, &folded.lifecycle, as_of_position);
            Ok(HttpResponse::Ok().json(message.with_timeline(timeline)))
        }
    }
}

fn question(sid: &str, query: OneQuery, state: &Admin) -> Result<Question, Problem> {
    let message_sid = MessageSid::parse(sid)
        .ok_or_else(|| Problem::BadRequest("the message SID is empty".to_owned()))?;
    Ok(Question {
        message_sid,
        account_sid: query.account_sid.as_deref().map(AccountSid::parse),
        rule: state.rule,
        as_of: as_of(query.as_of_position.as_deref(), query.as_of.as_deref())?,
    })
}

fn as_of(position: Option<&str>, time: Option<&str>) -> Result<AsOf, Problem> {
    let bad = |detail: String| Problem::BadRequest(detail);
    match (position, time) {
        (None, None) => Ok(AsOf::Head),
        (Some(_), Some(_)) => {
            Err(bad("as_of_position and as_of exclude each other; give one".to_owned()))
        }
        (Some(text), None) => text
            .parse()
            .map(AsOf::Position)
            .map_err(|_| bad(format!("as_of_position `{text}` is not a position, such as 42"))),
        // A + that was not escaped arrives as a space.
        (None, Some(text)) => {
            Timestamp::parse(&text.replace(' ', "+")).map(AsOf::Time).ok_or_else(|| {
                bad(format!("as_of `{text}` is not an RFC 3339 time, such as 2026-01-31T12:00:00Z"))
            })
        }
    }
}

fn several_accounts(accounts: &[Option<AccountSid>]) -> String {
    let names =
        accounts.iter().map(|account| account.as_ref().map_or("(none)", AccountSid::as_str));
    let names: Vec<_> = names.collect();
    format!("several accounts have this message SID; add account_sid, one of: {}", names.join(", "))
}
