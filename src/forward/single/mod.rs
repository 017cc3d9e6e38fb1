//! Sends single requests for commands: one at a time, waiting for each answer, and none of them again.

pub mod test_event;

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::domain::{AccountSid, RecordedEvent};
use crate::forward::client::{Outcome, TargetClient};
use crate::forward::request::OutgoingRequest;
use crate::forward::selected::{AboutMessage, SelectedEvent};
use crate::forward::target::Target;
use crate::projection::fold::Folded;
use crate::store::Message;
use crate::store::forward::OrderKey;
use crate::twilio::callback::ParsedCallback;
use crate::wire;

/// Sends requests to one target.
pub struct SingleSender {
    runtime: Runtime,
    client: TargetClient,
}

/// What came of a request, and how long it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedOutcome {
    /// What came of it.
    pub outcome: Outcome,
    /// The time until the answer, or until it was given up.
    pub took: Duration,
}

impl SingleSender {
    /// Fails if the machine has no file descriptors left.
    pub fn new(target: &Target) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, client: TargetClient::new(target)? })
    }

    /// Sends a request and waits for the answer, at most for the target's time limit.
    pub fn send(&self, request: OutgoingRequest) -> TimedOutcome {
        let begun = Instant::now();
        let outcome = self.runtime.block_on(self.client.send(request));
        TimedOutcome { outcome, took: begun.elapsed() }
    }
}

impl TimedOutcome {
    /// Its public form.
    pub fn as_json(&self) -> wire::forward::SingleAnswer {
        let failure = self.outcome.failure();
        wire::forward::SingleAnswer {
            answer: self.outcome.text(),
            accepted: failure.is_none(),
            failure,
            took_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// An event that a command chose to send. Its message was folded from its events up to this one.
pub fn selected(event: RecordedEvent, folded: Option<Folded>) -> SelectedEvent {
    let account_sid =
        ParsedCallback::parse(&event).account_sid.as_deref().and_then(AccountSid::parse);
    let about = folded.and_then(|Folded { key, lifecycle, timeline }| {
        let entry = timeline.into_iter().find(|entry| entry.event.position == event.position)?;
        Some(AboutMessage {
            message: Some(Box::new(Message { id: 0, key, lifecycle })),
            status: entry.change.after(),
            effect: entry.effect,
        })
    });
    SelectedEvent { event, account_sid, about, order_key: OrderKey::default(), reported: "" }
}
