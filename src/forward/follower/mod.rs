//! One target that follows the log: reads events, sends those that are due, and stores what came of them.
//!
//! The number of attempts of an event is stored before a request is sent. After a crash its repetition is
//! therefore counted as one, and never looks like a first attempt.

mod attempts;
mod reading;
mod storing;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use self::attempts::Begun;
use crate::domain::{Position, Timestamp};
use crate::forward::client::{Outcome, TargetClient};
use crate::forward::job::{ForwardError, Job};
use crate::forward::queue::Queue;
use crate::forward::schedule::Outage;
use crate::forward::selected::SelectedEvent;
use crate::forward::target::Beginning;
use crate::projection::throttle::CpuThrottle;
use crate::store;
use crate::store::forward::fit::place;
use crate::store::forward::{ForwardStore, ReadTo, Step};

/// The most events that wait. Each takes some 300 bytes of memory. If there are more, nothing is read until
/// some are accepted or given up.
const WAITING_MAX: usize = 100_000;

/// How often a target looks for changes that a command made in the store.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long answers are waited for at the end. Requests without one are repeated at the next start.
const END_PATIENCE: Duration = Duration::from_millis(800);

/// A target while it is running.
pub struct Follower<'j> {
    job: &'j Job,
    state: Box<dyn ForwardStore>,
    client: TargetClient,
    outage: Outage,
    queue: Queue,
    /// Events of the queue that were read and not sent yet.
    read: HashMap<Position, SelectedEvent>,
    read_bytes: usize,
    read_to: ReadTo,
    /// Requests that wait for their answer.
    sending: JoinSet<Attempt>,
    /// The bytes of each request that was sent.
    sent: BTreeMap<Position, usize>,
    /// True if the next attempt of a failing target should be with an event that was never sent.
    probe_new: bool,
    /// Since when the target was failing, if it has just accepted an event.
    failed_since: Option<Timestamp>,
    /// The version of what is stored.
    version: u64,
    stored_to: Position,
    /// The next step, as far as it is known.
    step: Step,
    /// Events of the queue that have changed since the last step.
    changed: BTreeSet<Position>,
    /// The answers since the last step: their number and the last position of each, by text and status.
    answers: BTreeMap<(String, &'static str), (u64, Position)>,
    /// When changes were looked for, by a monotonic clock and by the wall clock.
    looked_at: (Instant, Timestamp),
    /// True if more events are stored than the queue has.
    more_stored: bool,
    /// When a log line said that events were given up.
    told_given_up: Option<Instant>,
    /// When the oldest event that is not accepted was received, by its position.
    oldest: Option<(Position, Timestamp)>,
}

/// An attempt that has ended.
struct Attempt {
    position: Position,
    reported: &'static str,
    begun_at: Timestamp,
    took: Duration,
    outcome: Outcome,
}

fn now() -> Timestamp {
    OffsetDateTime::now_utc().into()
}

impl<'j> Follower<'j> {
    /// Goes on where the target stopped, or begins as configured: `begins_at` is where a target begins whose
    /// `from` is `now`; without it, at the head.
    pub fn resume(job: &'j Job, begins_at: Option<Position>) -> Result<Self, ForwardError> {
        let mut state = store::create_forward_store(&job.database)?;
        let (name, store) = (&job.target.name, &*job.store);
        if state.target(name)?.is_none() {
            let head = store.head()?;
            let position = match job.target.from {
                Beginning::Start => 0,
                Beginning::Now => begins_at.unwrap_or(head),
                Beginning::After(position) => position.min(head),
            };
            state.create(name, store.ledger_id(), place(store, position)?)?;
        }
        state.take_over(name)?;
        let mut follower = Self {
            job,
            state,
            client: TargetClient::new(&job.target)?,
            outage: Outage::default(),
            queue: Queue::default(),
            read: HashMap::new(),
            read_bytes: 0,
            read_to: ReadTo { position: 0, event_id: None },
            sending: JoinSet::new(),
            sent: BTreeMap::new(),
            probe_new: false,
            failed_since: None,
            version: 0,
            stored_to: 0,
            step: Step::default(),
            changed: BTreeSet::new(),
            answers: BTreeMap::new(),
            looked_at: (Instant::now(), now()),
            more_stored: false,
            told_given_up: None,
            oldest: None,
        };
        let since = follower.reload()?;
        follower.outage = Outage::resumed(since);
        follower.check_history()?;
        follower.show_progress()?;
        Ok(follower)
    }

    /// Follows the log until it is asked to stop, or fails.
    pub async fn run(mut self, stopped: &mut watch::Receiver<bool>) -> Result<(), ForwardError> {
        let outcome = self.follow(stopped).await;
        let answers = async {
            while let Some(attempt) = self.sending.join_next().await {
                let _panicked = self.joined(attempt);
            }
        };
        let _some_have_no_answer = timeout(END_PATIENCE, answers).await;
        let stored = self.store_step().map(drop);
        outcome.and(stored)
    }

    async fn follow(&mut self, stopped: &mut watch::Receiver<bool>) -> Result<(), ForwardError> {
        let projection = &self.job.projection;
        let mut projected = projection.watch_projected();
        let mut throttle = CpuThrottle::begin(projection.head());
        loop {
            while let Some(attempt) = self.sending.try_join_next() {
                self.joined(attempt)?;
            }
            let up_to = *projected.borrow_and_update();
            self.read_on(up_to)?;
            let begun = self.begin(up_to)?;
            if self.store_step()? && self.job.lead.is_held() {
                for Begun { position, bytes, request } in begun {
                    self.sent.insert(position, bytes);
                    self.sending.spawn(request);
                }
            }
            self.recover()?;
            self.look_again()?;
            let rest = throttle.rest(projection.head());
            if !rest.is_zero() {
                sleep(rest).await;
            }
            let idle_for = self.idle_for(up_to);
            tokio::select! {
                Some(attempt) = self.sending.join_next(), if !self.sending.is_empty() => {
                    self.joined(attempt)?;
                }
                _ = projected.changed() => {}
                () = sleep(idle_for) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
            }
        }
    }

    /// Notes the outcome of an attempt. The event of one that has panicked stays as it was stored, and is sent
    /// again after the restart.
    fn joined(&mut self, attempt: Result<Attempt, JoinError>) -> Result<(), ForwardError> {
        self.ended(attempt.map_err(|_| ForwardError::Panicked)?);
        Ok(())
    }

    /// How long there is nothing to do unless an answer or an event arrives.
    fn idle_for(&self, up_to: Position) -> Duration {
        let is_unread = self.read_to.position < up_to;
        let next_at = match self.outage.failing_since() {
            // The views are being rebuilt.
            _ if up_to < self.read_to.position => None,
            Some(_) if !self.sent.is_empty() => None,
            Some(_) if is_unread || !self.queue.is_empty() => {
                Some(self.outage.next_probe_at().unwrap_or_else(now))
            }
            Some(_) => None,
            None if is_unread && self.wants_more() => Some(now()),
            None if self.sent.len() < self.job.target.requests => self.queue.next_due_at(),
            None => None,
        };
        next_at.map_or(LOOK_AGAIN, |at| between(now(), at).min(LOOK_AGAIN))
    }
}

/// The time from one moment to another; zero if the other is earlier.
fn between(from: Timestamp, to: Timestamp) -> Duration {
    let micros = to.micros().saturating_sub(from.micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}
