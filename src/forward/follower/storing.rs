//! What is stored of a target: steps, and changes that commands make.

use std::mem::take;
use std::time::Instant;

use super::{Follower, LOOK_AGAIN, between, now};
use crate::domain::Timestamp;
use crate::forward::job::ForwardError;
use crate::forward::metrics::Progress;
use crate::forward::queue::Queue;
use crate::store::StoreError;
use crate::store::forward::{AnswerCount, Step};
use crate::store::forward_fit::place;

/// How long answers are counted, in hours: a comparison is about a week or two.
const HOURS_KEPT: i64 = 31 * 24;

/// The length of an hour.
const MICROS_PER_HOUR: i64 = 3_600_000_000;

impl Follower<'_> {
    /// Stores what has changed since the last step. `false` if a command has changed the state meanwhile:
    /// then the attempts that were about to begin must not, because they are not stored.
    pub(super) fn store_step(&mut self) -> Result<bool, ForwardError> {
        let (name, hour) = (&self.job.target.name, now().micros().div_euclid(MICROS_PER_HOUR));
        let mut step = take(&mut self.step);
        let changed = take(&mut self.changed);
        step.unaccepted.extend(changed.iter().filter_map(|it| self.queue.get(*it)).cloned());
        step.read_to = (self.read_to.position != self.stored_to).then_some(self.read_to);
        step.failing_since = self.outage.failing_since();
        let answers = take(&mut self.answers).into_iter();
        step.answers = answers
            .map(|((answer, status), (attempts, last_position))| AnswerCount {
                hour,
                answer,
                status: status.to_owned(),
                attempts,
                last_position,
            })
            .collect();
        let is_empty = step.read_to.is_none()
            && step.unaccepted.is_empty()
            && step.finished.is_empty()
            && step.answers.is_empty();
        if is_empty {
            return Ok(true);
        }
        if self.state.record(name, self.version, &step, hour - HOURS_KEPT)? {
            self.stored_to = self.read_to.position;
            log_given_up(name, &step);
            return Ok(true);
        }
        // What the target has accepted remains true, whatever the command did.
        let known = Step { read_to: None, unaccepted: Vec::new(), ..step };
        loop {
            self.reload()?;
            if self.state.record(name, self.version, &known, hour - HOURS_KEPT)? {
                self.reload()?;
                return Ok(false);
            }
        }
    }

    /// After an outage, makes everything due again that had no chance during it.
    pub(super) fn recover(&mut self) -> Result<(), ForwardError> {
        let Some(since) = self.failed_since.take() else { return Ok(()) };
        let name = &self.job.target.name;
        let due_again = self.state.retry_since(name, since, now())?;
        tracing::info!(target_name = name, due_again, "the target accepts events again");
        self.reload()?;
        Ok(())
    }

    /// Once in a while, looks for changes that a command has made, and shows how far the target is.
    pub(super) fn look_again(&mut self) -> Result<(), ForwardError> {
        if self.looked_at.elapsed() < LOOK_AGAIN {
            return Ok(());
        }
        self.looked_at = Instant::now();
        let stored = self.state.target(&self.job.target.name)?;
        if stored.is_none_or(|stored| stored.version != self.version) {
            self.reload()?;
        }
        self.show_progress()?;
        Ok(())
    }

    /// Sets the metrics of how far the target is.
    pub(super) fn show_progress(&mut self) -> Result<(), StoreError> {
        let (store, head) = (&self.job.store, self.job.store.head()?);
        let next_unread = self.read_to.position + 1;
        let oldest = self.queue.first().or((next_unread <= head).then_some(next_unread));
        let known = self.oldest.filter(|(position, _)| Some(*position) == oldest);
        self.oldest = match (oldest, known) {
            (Some(position), None) => {
                let event = store.read_at(&[position])?.into_iter().next();
                event.map(|event| (position, event.received_at))
            }
            (_, known) => known,
        };
        let waiting = self.queue.len() as u64;
        self.job.metrics.show(&Progress {
            lag_events: head.saturating_sub(self.read_to.position) + waiting,
            lag: self.oldest.map_or_else(Default::default, |(_, at)| between(at, now())),
            waiting,
            failed: self.state.counts(&self.job.target.name)?.failed,
            is_failing: self.outage.failing_since().is_some(),
        });
        Ok(())
    }

    /// Reads the state anew: at the start, and when a command has changed it. Returns since when the target
    /// is failing, as far as that is stored.
    pub(super) fn reload(&mut self) -> Result<Option<Timestamp>, ForwardError> {
        let name = &self.job.target.name;
        let target = self.state.target(name)?;
        let target = target.ok_or(ForwardError::Removed)?;
        if target.ledger_id != self.job.store.ledger_id() {
            return Err(ForwardError::OtherLog(target.read_to.position));
        }
        (self.version, self.read_to) = (target.version, target.read_to);
        self.stored_to = target.read_to.position;
        self.queue = Queue::default();
        self.state.waiting(name)?.into_iter().for_each(|event| self.queue.insert(event));
        self.sent.iter().for_each(|position| self.queue.mark_sending(*position));
        (self.read, self.read_bytes) = Default::default();
        self.changed.clear();
        Ok(target.failing_since)
    }

    /// After a restored backup the log may be shorter than it was, or go on with other events.
    pub(super) fn check_history(&mut self) -> Result<(), ForwardError> {
        let (store, name) = (&*self.job.store, &self.job.target.name);
        let (position, head) = (self.read_to.position, store.head()?);
        if position > head {
            tracing::warn!(
                target_name = name,
                position,
                head,
                "the log is shorter than what was forwarded of it, as after a restored backup; \
                 continuing at its end"
            );
            self.state.cut_off(name, place(store, head)?)?;
            self.reload()?;
            return Ok(());
        }
        match place(store, position)? == self.read_to {
            true => Ok(()),
            false => Err(ForwardError::OtherLog(position)),
        }
    }
}

fn log_given_up(target_name: &str, step: &Step) {
    let mut given_up = step.unaccepted.iter().filter(|event| event.failed_at.is_some());
    if let Some(first) = given_up.next() {
        tracing::warn!(
            target_name,
            events = 1 + given_up.count(),
            first = first.position,
            answer = first.last_answer.as_ref().map(|answer| answer.text.as_str()),
            "gave up events; `forward retry` sends them again"
        );
    }
}
