//! The panel about forwarding: each target, how far it is behind, and what it answered last.

use super::mark::Mark;
use crate::checks::finding::Outcome;
use crate::domain::{Position, Timestamp};
use crate::forward::status::TargetStatus;
use crate::text::in_words;

/// One target.
pub struct TargetRow {
    pub name: String,
    /// Where its events are sent; empty if it is no longer configured.
    pub url: String,
    pub mark: Mark,
    pub position: Option<Position>,
    pub lag_events: u64,
    /// The age of the oldest of them, in words; empty if there is none.
    pub lag: String,
    pub waiting: u64,
    pub failed: u64,
    pub accepted: u64,
    /// The last answer, and when it came.
    pub answer: Option<(String, Timestamp)>,
    /// What an operator can do; empty if nothing has to be done.
    pub advice: String,
}

/// The rows of all targets.
pub fn rows(statuses: &[TargetStatus]) -> Vec<TargetRow> {
    statuses.iter().map(TargetRow::new).collect()
}

impl TargetRow {
    fn new(status: &TargetStatus) -> Self {
        let state = status.state.as_ref();
        let (mark, advice) = condition(status);
        Self {
            name: status.name.clone(),
            url: status.url.clone().unwrap_or_default(),
            mark,
            position: state.map(|state| state.read_to.position),
            lag_events: status.lag_events,
            lag: match status.lag_events {
                0 => String::new(),
                _ => in_words(status.lag),
            },
            waiting: status.counts.waiting,
            failed: status.counts.failed,
            accepted: state.map_or(0, |state| state.accepted),
            answer: state
                .and_then(|state| state.last_answer.as_ref())
                .map(|answer| (answer.text.clone(), answer.at)),
            advice,
        }
    }
}

/// The most important thing about a target, and what can be done about it.
fn condition(status: &TargetStatus) -> (Mark, String) {
    let name = &status.name;
    let is_failing = status.state.as_ref().is_some_and(|state| state.failing_since.is_some());
    let (outcome, text, advice) = if status.url.is_none() {
        (Outcome::Warn, "no longer configured", format!("forward forget {name}"))
    } else if status.other_log {
        (Outcome::Fail, "of another log", format!("forward skip {name} --to POSITION"))
    } else if is_failing {
        (Outcome::Fail, "failing", format!("forward list {name}"))
    } else if status.counts.failed > 0 {
        (Outcome::Warn, "gave up events", format!("forward retry {name}"))
    } else if status.state.is_none() {
        (Outcome::Warn, "not started", String::new())
    } else if status.lag_events > 0 {
        (Outcome::Ok, "catching up", String::new())
    } else {
        (Outcome::Ok, "up to date", String::new())
    };
    (Mark::with_text(outcome, text), advice)
}
