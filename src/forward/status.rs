//! How far each target has got, for `forward list`, `doctor` and the API.

use std::time::Duration;

use crate::domain::{Position, Timestamp};
use crate::forward::target::Target;
use crate::store::forward::fit::is_of_log;
use crate::store::forward::{Answer, ForwardStore, TargetState, UnacceptedCounts};
use crate::store::{Store, StoreError};
use crate::wire::forward as wire;

/// The status of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// Where its events are sent, without the query, which may be secret; `None` if it is no longer configured.
    pub url: Option<String>,
    /// What is stored about it; `None` if it has never been started.
    pub state: Option<TargetState>,
    /// Its unaccepted events.
    pub counts: UnacceptedCounts,
    /// The events of the log that it has not read yet, and those that wait.
    pub lag_events: u64,
    /// For how long the oldest of them has been in the log.
    pub lag: Duration,
    /// True if it has read another log than this one, so that it is sent nothing.
    pub other_log: bool,
}

impl TargetStatus {
    /// The status of every target that is configured or has a state, by name. The store is `None` if no target
    /// has ever been started.
    pub fn read_all(
        store: &dyn Store,
        forward: Option<&dyn ForwardStore>,
        targets: &[Target],
        now: Timestamp,
    ) -> Result<Vec<Self>, StoreError> {
        let states = forward.map_or(Ok(Vec::new()), ForwardStore::targets)?;
        let not_started = targets
            .iter()
            .map(|target| &target.name)
            .filter(|name| states.iter().all(|state| state.name != **name))
            .cloned();
        let mut all: Vec<Self> = not_started.map(|name| Self::not_started(name, targets)).collect();
        if let Some(forward) = forward {
            for state in states {
                all.push(Self::started(store, forward, state, targets, now)?);
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn not_started(name: String, targets: &[Target]) -> Self {
        Self {
            url: url(&name, targets),
            name,
            state: None,
            counts: UnacceptedCounts::default(),
            lag_events: 0,
            lag: Duration::ZERO,
            other_log: false,
        }
    }

    fn started(
        store: &dyn Store,
        forward: &dyn ForwardStore,
        state: TargetState,
        targets: &[Target],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let (counts, head) = (forward.counts(&state.name)?, store.head()?);
        let position = state.read_to.position;
        let first_unread = (position < head).then_some(position + 1);
        let lag = match counts.first_waiting.or(first_unread) {
            Some(oldest) => received_at(store, oldest)?.map_or(Duration::ZERO, |at| since(at, now)),
            None => Duration::ZERO,
        };
        Ok(Self {
            url: url(&state.name, targets),
            name: state.name.clone(),
            counts,
            lag_events: head.saturating_sub(position) + counts.waiting,
            lag,
            other_log: !is_of_log(store, &state)?,
            state: Some(state),
        })
    }

    /// Its public form.
    pub fn as_json(&self) -> wire::TargetStatus {
        let state = self.state.as_ref();
        wire::TargetStatus {
            name: self.name.clone(),
            url: self.url.clone(),
            position: state.map(|state| state.read_to.position),
            lag_events: self.lag_events,
            lag_seconds: self.lag.as_secs(),
            waiting: self.counts.waiting,
            failed: self.counts.failed,
            accepted: state.map_or(0, |state| state.accepted),
            failing_since: state
                .and_then(|state| state.failing_since)
                .map(|since| since.to_string()),
            last_answer: state.and_then(|state| state.last_answer.as_ref()).map(answer_as_json),
            other_log: self.other_log,
        }
    }
}

/// The public form of an answer.
pub fn answer_as_json(answer: &Answer) -> wire::TargetAnswer {
    wire::TargetAnswer { at: answer.at.to_string(), answer: answer.text.clone() }
}

fn url(name: &str, targets: &[Target]) -> Option<String> {
    let target = targets.iter().find(|target| target.name == name)?;
    let mut url = target.url.clone();
    url.set_query(None);
    Some(url.into())
}

fn received_at(store: &dyn Store, position: Position) -> Result<Option<Timestamp>, StoreError> {
    match store.read_at(&[position]) {
        Ok(events) => Ok(events.first().map(|event| event.received_at)),
        // Of a target that has read another log.
        Err(StoreError::NoSuchEvent { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn since(earlier: Timestamp, now: Timestamp) -> Duration {
    let micros = now.micros().saturating_sub(earlier.micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
