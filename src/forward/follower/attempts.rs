//! Attempts: which events are sent now, and what follows from their answers.

use std::time::Instant;

use super::{Attempt, Follower, now};
use crate::domain::{Position, Timestamp};
use crate::forward::client::Outcome;
use crate::forward::job::ForwardError;
use crate::forward::request::Sender;
use crate::forward::schedule::{self, Failure, after};
use crate::store::forward::{Answer, UnacceptedEvent};

/// The bytes of events that are being sent, together.
const SENDING_BYTES_MAX: usize = 64 << 20;

/// The bytes of the largest event: a body of JSON has at most 1 MiB.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// The most events that wait while new ones are tried with a failing target.
const PROBED_MAX: usize = 1_000;

/// An attempt that has begun. Its request is sent once that is stored.
pub(super) struct Begun<R> {
    pub position: Position,
    /// The bytes that it takes in memory.
    pub bytes: usize,
    pub request: R,
}

impl Follower<'_> {
    /// Begins the attempts that are due now. They must not be sent before the step is stored.
    pub(super) fn begin(
        &mut self,
        up_to: Position,
    ) -> Result<Vec<Begun<impl Future<Output = Attempt> + Send + use<>>>, ForwardError> {
        let positions = match self.outage.failing_since() {
            // The views are being rebuilt: they do not know yet what these events did.
            _ if up_to < self.read_to.position => return Ok(Vec::new()),
            None => self.take_due(),
            Some(_) => self.take_probes(up_to)?,
        };
        self.read_again(&positions)?;
        let accounts = self.job.accounts.load();
        let sender = Sender {
            target: &self.job.target,
            ledger_id: self.job.store.ledger_id(),
            accounts: &accounts,
            error_codes: &self.job.error_codes,
        };
        let (begun_at, mut begun) = (now(), Vec::new());
        for position in positions {
            let Some(selected) = self.take_read(position) else {
                // It is erased, or the target is configured not to get it any more.
                self.queue.remove(position);
                self.step.finished.push(position);
                continue;
            };
            let attempt = self.queue.begin(position, begun_at);
            self.changed.insert(position);
            let (request, bytes) = (sender.request(&selected, attempt, begun_at), selected.bytes());
            let (client, reported) = (self.client.clone(), selected.reported);
            let request = async move {
                let started = Instant::now();
                let outcome = match request {
                    Ok(request) => client.send(request).await,
                    Err(not_signed) => Outcome::NotSigned(not_signed.to_string()),
                };
                Attempt { position, reported, begun_at, took: started.elapsed(), outcome }
            };
            begun.push(Begun { position, bytes, request });
        }
        Ok(begun)
    }

    fn take_due(&mut self) -> Vec<Position> {
        let free = self.job.target.requests.saturating_sub(self.sent.len());
        let bytes: usize = self.sent.values().sum();
        let free = free.min(SENDING_BYTES_MAX.saturating_sub(bytes) / EVENT_BYTES_MAX);
        let now = now();
        std::iter::from_fn(|| self.queue.take(now)).take(free).collect()
    }

    /// The events with which a failing target is tried: in turn one that it has refused and some that it has
    /// never seen, because it may be the events that it cannot take.
    fn take_probes(&mut self, up_to: Position) -> Result<Vec<Position>, ForwardError> {
        let is_early = self.outage.next_probe_at().is_some_and(|at| at > now());
        if is_early || !self.sent.is_empty() {
            return Ok(Vec::new());
        }
        self.probe_new = !self.probe_new;
        if self.probe_new && self.queue.len() < PROBED_MAX {
            let before = self.read_to.position;
            let wanted = self.outage.probes().min(self.job.target.requests);
            self.read_page(up_to, wanted)?;
            let mut new: Vec<_> = self.changed.range(before + 1..).copied().collect();
            new.retain(|position| self.queue.take_this(*position));
            if !new.is_empty() {
                return Ok(new);
            }
        }
        Ok(self.queue.take(Timestamp::from_micros(i64::MAX)).into_iter().collect())
    }

    /// Notes the outcome of an attempt.
    pub(super) fn ended(&mut self, attempt: Attempt) {
        let Attempt { position, reported, begun_at, took, outcome } = attempt;
        let (now, job) = (now(), self.job);
        job.metrics.attempted(&outcome, took);
        let answer = Answer { at: now, text: outcome.text() };
        let counted = self.answers.entry((answer.text.clone(), reported)).or_insert((0, position));
        *counted = (counted.0 + 1, position);
        self.step.last_answer = Some(answer.clone());
        self.sent.remove(&position);
        let was_failing = self.outage.failing_since().is_some();
        let is_first = self.queue.get(position).is_some_and(|event| event.attempts == 1);
        let is_counted = outcome.is_of_target() || is_first || was_failing;
        match outcome.failure() {
            None => self.failed_since = self.outage.accepted().or(self.failed_since),
            // Of refused events only the first attempts count, so that a few in a quiet hour do not.
            Some(_) if !is_counted => {}
            Some(detail) => {
                let kind = match outcome.is_of_target() {
                    true => Failure::OfTarget,
                    false => Failure::OfEvent,
                };
                self.outage.failed(kind, begun_at, now, outcome.retry_after());
                if !was_failing && self.outage.failing_since().is_some() {
                    let name = &job.target.name;
                    tracing::warn!(
                        target_name = name,
                        detail,
                        "the target accepts nothing; it is tried with few events"
                    );
                }
            }
        }
        // A command may have removed it.
        let Some(event) = self.queue.remove(position) else { return };
        if outcome.failure().is_none() {
            self.step.finished.push(position);
            self.step.accepted += 1;
            return;
        }
        let wait = schedule::wait(event.attempts, outcome.retry_after(), fastrand::f64());
        let first = event.first_attempt_at.unwrap_or(begun_at);
        let event = UnacceptedEvent { last_answer: Some(answer), ..event };
        let event = UnacceptedEvent { due_at: after(now, wait), ..event };
        if after(first, job.target.give_up_after) > now {
            self.queue.insert(event);
            self.changed.insert(position);
            return;
        }
        let event = UnacceptedEvent { failed_at: event.failed_at.or(Some(now)), ..event };
        self.step.unaccepted.push(event.clone());
        // It goes on waiting during an outage, and later ones of its message with it: it never had a chance.
        if self.outage.failing_since().is_some_and(|since| first >= since) {
            self.queue.insert(event);
        }
    }
}
