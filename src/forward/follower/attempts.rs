//! Attempts: which events are sent now, and what follows from their answers.

use std::time::Instant;

use super::{Attempt, Follower, WAITING_MAX, now};
use crate::domain::{Position, Timestamp};
use crate::forward::client::Outcome;
use crate::forward::request::Sender;
use crate::forward::schedule::{self, after};
use crate::store::StoreError;
use crate::store::forward::{Answer, UnacceptedEvent};

/// Attempts that have begun, by the position of the event. Their requests are sent once that is stored.
type Begun<R> = Vec<(Position, R)>;

impl Follower<'_> {
    /// Begins the attempts that are due now. They must not be sent before the step is stored.
    pub(super) fn begin(
        &mut self,
        up_to: Position,
    ) -> Result<Begun<impl Future<Output = Attempt> + Send + use<>>, StoreError> {
        let positions = match self.outage.failing_since() {
            None => self.take_due(),
            Some(_) => self.take_probe(up_to)?,
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
            let request = sender.request(&selected, attempt, begun_at);
            let (client, reported) = (self.client.clone(), selected.reported);
            let request = async move {
                let started = Instant::now();
                let outcome = match request {
                    Ok(request) => client.send(request).await,
                    Err(not_signed) => Outcome::NotSigned(not_signed.to_string()),
                };
                Attempt { position, reported, begun_at, took: started.elapsed(), outcome }
            };
            begun.push((position, request));
        }
        Ok(begun)
    }

    fn take_due(&mut self) -> Vec<Position> {
        let (now, free) = (now(), self.job.target.requests.saturating_sub(self.queue.sending()));
        std::iter::from_fn(|| self.queue.take(now)).take(free).collect()
    }

    /// The one event with which a failing target is tried: in turn one that it has refused and one that it
    /// has never seen, because it may be the events that are refused.
    fn take_probe(&mut self, up_to: Position) -> Result<Vec<Position>, StoreError> {
        let is_early = self.outage.next_probe_at().is_some_and(|at| at > now());
        if is_early || self.queue.sending() > 0 {
            return Ok(Vec::new());
        }
        self.probe_new = !self.probe_new;
        if self.probe_new && self.queue.len() < WAITING_MAX {
            let before = self.read_to.position;
            self.read_page(up_to, 1)?;
            let new = self.changed.last().copied().filter(|position| *position > before);
            if let Some(new) = new.filter(|position| self.queue.take_this(*position)) {
                return Ok(vec![new]);
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
        match outcome.failure() {
            None => self.failed_since = self.outage.accepted().or(self.failed_since),
            Some(detail) => {
                self.outage.failed(begun_at, now, outcome.retry_after());
                if !was_failing && self.outage.failing_since().is_some() {
                    let name = &job.target.name;
                    tracing::warn!(
                        target_name = name,
                        detail,
                        "the target accepts nothing; it is tried with one event at a time"
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
        if after(first, job.target.give_up_after) <= now {
            self.step.unaccepted.push(UnacceptedEvent { failed_at: Some(now), ..event });
        } else {
            self.queue.insert(UnacceptedEvent { due_at: after(now, wait), ..event });
            self.changed.insert(position);
        }
    }
}
