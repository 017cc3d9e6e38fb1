//! The store of forwarding: for each target, how far it has read the log, and the events that it has not
//! accepted yet. It is a file next to the ledger, and no evidence: a target that loses it is sent events again.

pub mod fit;

use uuid::Uuid;

use super::StoreError;
use crate::domain::{Position, Timestamp};

/// Identifies the message of an event, so that events of one message are sent one after another: the first 16
/// bytes of a hash. An event that belongs to no message has a key of its own.
pub type OrderKey = [u8; 16];

/// A place in the log, and the event there, by which another log is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadTo {
    /// Every event up to this position was accepted, left out, or is among the unaccepted ones.
    pub position: Position,
    /// The event at the position; `None` at position 0.
    pub event_id: Option<Uuid>,
}

/// The state of one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// The name of the target in the configuration.
    pub name: String,
    /// The log that was read.
    pub ledger_id: Uuid,
    /// How far it was read.
    pub read_to: ReadTo,
    /// Increases with every [`retry`](ForwardStore::retry), [`skip`](ForwardStore::skip) and
    /// [`move_to`](ForwardStore::move_to), so that a running server notices them.
    pub version: u64,
    /// Since when every attempt has failed; `None` if the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// The last answer, or why there was none; `None` before the first attempt.
    pub last_answer: Option<Answer>,
    /// The number of events that it has accepted.
    pub accepted: u64,
}

/// What an attempt led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When it was received, or when the attempt was given up.
    pub at: Timestamp,
    /// The status code, such as `204`, or a word for the reason why there was none, such as `timeout`.
    pub text: String,
}

/// An event that a target has not accepted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnacceptedEvent {
    /// The position of the event.
    pub position: Position,
    /// Its message: of events with the same key, only the first waiting one is sent.
    pub order_key: OrderKey,
    /// The number of attempts that have begun.
    pub attempts: u32,
    /// When the first attempt began; `None` before it.
    pub first_attempt_at: Option<Timestamp>,
    /// When the next attempt is due, if it is waiting.
    pub due_at: Timestamp,
    /// The last answer; `None` before the first.
    pub last_answer: Option<Answer>,
    /// When it was given up; `None` while it is waiting.
    pub failed_at: Option<Timestamp>,
}

/// The answers to attempts within one hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerCount {
    /// The hour since 1970-01-01T00:00:00Z.
    pub hour: i64,
    /// As in [`Answer::text`].
    pub answer: String,
    /// The status that the event reports, by name; empty if it reports none.
    pub status: String,
    /// The number of attempts with this answer.
    pub attempts: u64,
    /// The highest position of an event with this answer.
    pub last_position: Position,
}

/// What a target has done since the last step, written in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Step {
    /// How far the log was read; `None` if it was not read further.
    pub read_to: Option<ReadTo>,
    /// Events that are new or have changed.
    pub unaccepted: Vec<UnacceptedEvent>,
    /// Events that the target has accepted, or that are left out.
    pub finished: Vec<Position>,
    /// How many of the finished ones it has accepted.
    pub accepted: u64,
    /// As in [`TargetState`].
    pub failing_since: Option<Timestamp>,
    /// As in [`TargetState`]; `None` leaves it unchanged.
    pub last_answer: Option<Answer>,
    /// The answers of this step; they are added to those of the same hour.
    pub answers: Vec<AnswerCount>,
}

/// Which unaccepted events a command means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The one at this position.
    At(Position),
    /// Every failed one.
    Failed,
    /// Every one, waiting or failed.
    All,
}

/// The numbers of a target's unaccepted events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnacceptedCounts {
    /// Those that wait for an attempt or an answer.
    pub waiting: u64,
    /// Those that were given up.
    pub failed: u64,
    /// The first waiting one.
    pub first_waiting: Option<Position>,
}

/// The state of all targets of one ledger. Several processes may have it open; only one server sends.
///
/// A crash of the process loses nothing that was written; a power cut may lose the last steps, whose events are
/// then sent again.
pub trait ForwardStore: Send {
    /// Every target that has a state, by name.
    fn targets(&self) -> Result<Vec<TargetState>, StoreError>;

    /// The state of one target; `None` if it has never been started.
    fn target(&self, name: &str) -> Result<Option<TargetState>, StoreError>;

    /// Creates the state of a target that begins after this place. A target that has a state keeps it.
    fn create(&mut self, name: &str, ledger_id: Uuid, from: ReadTo) -> Result<(), StoreError>;

    /// Gives a target another version, so that whoever has followed it before writes no further step.
    fn take_over(&mut self, name: &str) -> Result<(), StoreError>;

    /// Writes a step, all or nothing, and removes counts of answers from before `oldest_hour`. Returns
    /// `false`, and writes nothing, if the target has another version, or was removed: its state then has to
    /// be read again. Fails if the store's file was moved or deleted.
    fn record(
        &mut self,
        name: &str,
        version: u64,
        step: &Step,
        oldest_hour: i64,
    ) -> Result<bool, StoreError>;

    /// Every waiting event of a target, in order of position.
    fn waiting(&self, name: &str) -> Result<Vec<UnacceptedEvent>, StoreError>;

    /// At most `limit` events of a target after a position, in order, waiting ones and failed ones.
    fn unaccepted(
        &self,
        name: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<UnacceptedEvent>, StoreError>;

    /// How many events a target has not accepted.
    fn counts(&self, name: &str) -> Result<UnacceptedCounts, StoreError>;

    /// Makes events due at this time; failed ones wait again, with a first attempt still to come. Returns
    /// how many there were.
    fn retry(&mut self, name: &str, which: Which, now: Timestamp) -> Result<u64, StoreError>;

    /// Makes every waiting or failed event due whose first attempt began at `since` or later, with a first
    /// attempt still to come: after an outage, in which they had no chance. Returns how many there were.
    fn retry_since(
        &mut self,
        name: &str,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Forgets events, which are then never sent. Returns how many there were.
    fn skip(&mut self, name: &str, which: Which) -> Result<u64, StoreError>;

    /// Has the target go on after this place, in either direction. Waiting events up to there are
    /// forgotten, failed ones are not; all events after it are, because they are read again. Returns how many
    /// were forgotten; `None` if there is no such target.
    fn move_to(&mut self, name: &str, to: ReadTo) -> Result<Option<u64>, StoreError>;

    /// Moves a target back to the end of the log, which has lost events, and forgets the unaccepted events
    /// after it. Returns how many there were. A target that has not read so far stays as it is.
    fn cut_off(&mut self, name: &str, end: ReadTo) -> Result<u64, StoreError>;

    /// Removes a target's state. `false` if it has none.
    fn remove(&mut self, name: &str) -> Result<bool, StoreError>;

    /// The answers to attempts since an hour, added up over the hours, the most frequent first. The hour of
    /// each is the last one.
    fn answers(&self, name: &str, since_hour: i64) -> Result<Vec<AnswerCount>, StoreError>;
}
