//! What is stored of a target: steps, and changes that commands make.

use std::mem::take;
use std::time::{Duration, Instant};

use super::{Follower, LOOK_AGAIN, WAITING_MAX, between, now};
use crate::domain::Timestamp;
use crate::forward::job::ForwardError;
use crate::forward::metrics::Progress;
use crate::forward::queue::Queue;
use crate::forward::schedule::{after, before};
use crate::store::StoreError;
use crate::store::forward::fit::place;
use crate::store::forward::{AnswerCount, Step, UnacceptedEvent};

/// How long answers are counted, in hours: a comparison is about a week or two.
const HOURS_KEPT: i64 = 31 * 24;

/// The unaccepted events that are read from the store at once.
const STORED_PAGE: usize = 1_000;

/// The time between two log lines about events that were given up.
const GIVEN_UP_SILENCE: Duration = Duration::from_secs(60);

/// A clock that is set back by more than this would make events wait that are due.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

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
        // An outage ends below, once everything is due again that had no chance during it.
        step.failing_since = self.failed_since.or(self.outage.failing_since());
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
            if let Some(since) = self.failed_since {
                self.state.retry_since(name, since, now())?;
                self.state.record(name, self.version, &Step::default(), hour - HOURS_KEPT)?;
            }
            self.log_given_up(&step);
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

    /// After an outage, reads the state anew, in which everything is due again that had no chance during it.
    pub(super) fn recover(&mut self) -> Result<(), ForwardError> {
        if self.failed_since.take().is_some() {
            tracing::info!(target_name = self.job.target.name, "the target accepts events again");
            self.reload()?;
        }
        Ok(())
    }

    /// Once in a while, looks for changes that a command has made, and shows how far the target is.
    pub(super) fn look_again(&mut self) -> Result<(), ForwardError> {
        let elapsed = self.looked_at.0.elapsed();
        if elapsed < LOOK_AGAIN {
            return Ok(());
        }
        let is_set_back = between(now(), after(self.looked_at.1, elapsed)) > CLOCK_TOLERANCE;
        self.looked_at = (Instant::now(), now());
        if is_set_back {
            self.queue.make_due(now());
            self.outage.make_due();
        }
        if self.outage.failing_since().is_some() {
            // Their next attempt may be hours away.
            let before = before(now(), self.job.target.give_up_after);
            self.changed.extend(self.queue.give_up(before, now()));
        }
        let stored = self.state.target(&self.job.target.name)?;
        let has_changed = stored.is_none_or(|stored| stored.version != self.version);
        if has_changed || self.more_stored && self.queue.len() < WAITING_MAX / 2 {
            self.reload()?;
        }
        self.show_progress()?;
        Ok(())
    }

    /// Sets the metrics of how far the target is.
    pub(super) fn show_progress(&mut self) -> Result<(), StoreError> {
        let (store, head) = (&self.job.store, self.job.store.head()?);
        let counts = self.state.counts(&self.job.target.name)?;
        let next_unread = self.read_to.position + 1;
        let oldest = counts.first_waiting.or((next_unread <= head).then_some(next_unread));
        let known = self.oldest.filter(|(position, _)| Some(*position) == oldest);
        self.oldest = match (oldest, known) {
            (Some(position), None) => {
                let event = store.read_at(&[position])?.into_iter().next();
                event.map(|event| (position, event.received_at))
            }
            (_, known) => known,
        };
        self.job.metrics.show(&Progress {
            lag_events: head.saturating_sub(self.read_to.position) + counts.waiting,
            lag: self.oldest.map_or_else(Default::default, |(_, at)| between(at, now())),
            waiting: counts.waiting,
            failed: counts.failed,
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
        self.more_stored = false;
        let mut read_to = 0;
        loop {
            let page = self.state.unaccepted(name, read_to, STORED_PAGE)?;
            let Some(last) = page.last() else { break };
            read_to = last.position;
            // What was given up during an outage waits until it is over.
            let waits = |event: &UnacceptedEvent| match (event.failed_at, target.failing_since) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(_), Some(since)) => event.first_attempt_at.is_some_and(|at| at >= since),
            };
            page.into_iter().filter(waits).for_each(|event| self.queue.insert(event));
            if self.queue.len() >= WAITING_MAX {
                self.more_stored = true;
                break;
            }
        }
        self.sent.keys().for_each(|position| self.queue.mark_sending(*position));
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

    /// Once a minute at most: an application that refuses everything would fill the log lines.
    fn log_given_up(&mut self, step: &Step) {
        let mut given_up = step.unaccepted.iter().filter(|event| event.failed_at.is_some());
        let Some(first) = given_up.next() else { return };
        if self.told_given_up.is_some_and(|at| at.elapsed() < GIVEN_UP_SILENCE) {
            return;
        }
        self.told_given_up = Some(Instant::now());
        tracing::warn!(
            target_name = self.job.target.name,
            first = first.position,
            answer = first.last_answer.as_ref().map(|answer| answer.text.as_str()),
            "gave up events; `forward list` shows them and `forward retry` sends them again"
        );
    }
}
