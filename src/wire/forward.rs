//! The JSON of targets of forwarding: how far each has got, and the events that it has not accepted.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Position;

/// How far a target has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetStatus {
    /// The name of the target in the configuration.
    pub name: String,
    /// Where its events are sent, without the query; `null` if it is no longer configured.
    pub url: Option<String>,
    /// How far it has read the log; `null` if it has never been started.
    pub position: Option<Position>,
    /// The events of the log that it has not read yet, and those that wait for an attempt or an answer.
    pub lag_events: u64,
    /// For how long the oldest of them has been in the log, in seconds.
    pub lag_seconds: u64,
    /// The events that wait for an attempt or an answer.
    pub waiting: u64,
    /// The events that were given up.
    pub failed: u64,
    /// The events that it has accepted.
    pub accepted: u64,
    /// Since when every attempt has failed; `null` unless many in a row have.
    pub failing_since: Option<String>,
    /// What the last attempt led to; `null` before the first.
    pub last_answer: Option<TargetAnswer>,
    /// True if it has read another log than this one, so that it is sent nothing.
    pub other_log: bool,
}

/// What an attempt led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TargetAnswer {
    /// When.
    pub at: String,
    /// The status code, such as `204`, or a word for the reason why there was none, such as `timeout`.
    pub answer: String,
}

/// An event that a target has not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UnacceptedEvent {
    /// The position of the event.
    pub position: Position,
    /// Its message, if it has one.
    pub message_sid: Option<String>,
    /// The status that it reports, as it came.
    pub status: Option<String>,
    /// `waiting` or `failed`.
    pub state: &'static str,
    /// The number of attempts.
    pub attempts: u32,
    /// When the first attempt began; `null` before it, and after `forward retry`.
    pub first_attempt_at: Option<String>,
    /// When the next attempt is due; `null` if it was given up.
    pub next_attempt_at: Option<String>,
    /// When it was given up; `null` while it waits.
    pub failed_at: Option<String>,
    /// What the last attempt led to; `null` before the first.
    pub last_answer: Option<TargetAnswer>,
}

/// What a single request led to, which is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SingleAnswer {
    /// As in [`TargetAnswer`].
    pub answer: String,
    /// True if it was a status code from 200 to 299.
    pub accepted: bool,
    /// What went wrong, in words; `null` if it was accepted.
    pub failure: Option<String>,
    /// The time until the answer, or until it was given up, in milliseconds.
    pub took_ms: u64,
}
