//! One message's events folded into where it stands.
//!
//! [`Evidence`] is the part that does not depend on order: merging it is commutative,
//! associative and idempotent. [`Lifecycle`] adds what only the order of arrival tells:
//! which events were late or doubled. Lifecycles of neighbouring stretches of the log can be
//! joined, so that a stretch can be folded without knowing what came before it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::convert::Infallible;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::kinds::EventKinds;
use crate::domain::channel::has_read_receipts;
use crate::domain::event::Position;
use crate::domain::message::deciding;
pub use crate::domain::message::deciding::{DecidingEvent, TieBreak};
use crate::domain::message::status_reported::{Addressing, Direction, StatusReported};
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{ErrorCode, Rule, Status, Timestamp};

/// One event on its way into a lifecycle.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub position: Position,
    pub received_at: Timestamp,
    /// Equal for duplicates; see [`EventDigest::fingerprint`](crate::domain::digest::EventDigest).
    pub fingerprint: u64,
    pub reported: StatusReported,
}

/// Error codes, each with the status it came with.
pub type ReportedCodes = BTreeSet<(ErrorCode, Option<Status>)>;

/// The set of facts heard about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub rule: Rule,
    /// Every status heard, and when first.
    pub status_times: StatusTimes,
    /// Every error code heard, with the status it came with.
    pub codes: ReportedCodes,
    /// The event that decides; `None` before the first.
    pub deciding: Option<DecidingEvent>,
    /// Events that rank below it, highest first, each with what all above it lack and nothing else.
    /// Hardly any message has one.
    pub address_fallbacks: Vec<DecidingEvent>,
    pub receipt: Option<DeliveryReceipt>,
    /// Whether it is outbound, inbound or simulated, and when it was created.
    pub kinds: EventKinds,
}

/// The carrier's RawDlrDoneDate that came with the highest status to bring one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReceipt {
    pub status: Option<Status>,
    pub raw_dlr_done_date: SmolStr,
}

/// One message's events, folded in the order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    pub evidence: Evidence,
    pub first_received_at: Timestamp,
    pub last_received_at: Timestamp,
    pub counts: Counts,
    /// The message's way through the log.
    pub history: History,
}

/// Where the events of a message stand, in order. Most have two or three.
pub type History = SmallVec<[EventRef; 3]>;

/// How many events there were, and of what kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub events: u64,
    pub duplicates: u64,
    pub late: u64,
    pub unrecognised: u64,
}

/// Where one event of the message stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRef {
    pub position: Position,
    pub fingerprint: u64,
    /// The evidence it brought.
    pub status: Option<Status>,
}

/// What an event did to its message; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// An earlier event, at this position, has the same idempotency token, query and body.
    Duplicate(Position),
    /// It brought no status that is evidence.
    Unrecognised,
    /// Success evidence beside a failure, or the other way round.
    Conflict,
    /// It ranks below what had been heard already.
    Late,
    /// The same status again.
    Confirmed,
    Advanced,
}

impl Effect {
    /// The word for it in timelines.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Duplicate(_) => "duplicate",
            Effect::Unrecognised => "unrecognised",
            Effect::Conflict => "conflict",
            Effect::Late => "late",
            Effect::Confirmed => "confirmed",
            Effect::Advanced => "advanced",
        }
    }
}

impl Evidence {
    /// Whether another event that says this would add nothing: its status and its error code were
    /// heard. A word that is no evidence adds nothing to a message that is known.
    pub fn has(&self, reported: &StatusReported) -> bool {
        let status_times = |status| self.status_times.first(status).is_some();
        let code = reported.error_code.map(|code| (code, reported.status));
        let outbound = self.kinds.outbound || reported.direction != Direction::Outbound;
        outbound
            && reported.status.is_none_or(status_times)
            && code.is_none_or(|code| self.codes.contains(&code))
    }

    /// Nothing heard yet: what merging leaves as it was.
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            status_times: StatusTimes::default(),
            codes: BTreeSet::new(),
            deciding: None,
            address_fallbacks: Vec::new(),
            receipt: None,
            kinds: EventKinds::default(),
        }
    }

    /// What one event tells.
    pub fn from_event(rule: Rule, arrival: Incoming) -> Self {
        let mut evidence = Self::new(rule);
        let mut never = |_, _| Ok::<_, Infallible>(Ordering::Equal);
        match evidence.record(arrival, &mut never) {
            Ok(()) => evidence,
            Err(never) => match never {},
        }
    }

    /// Takes in one event: the same as merging what it tells, without making that first.
    pub fn record<E>(&mut self, arrival: Incoming, by_content: TieBreak<'_, E>) -> Result<(), E> {
        let Incoming { position, received_at, reported, .. } = arrival;
        self.kinds.record(&reported);
        let StatusReported { status, error_code, addressed, raw_dlr_done_date, doubt, .. } =
            reported;
        self.rank(DecidingEvent { position, status, doubt, error_code, addressed }, by_content)?;
        if let Some(status) = status {
            self.status_times.record(status, received_at);
        }
        self.codes.extend(error_code.map(|code| (code, status)));
        if let Some(raw_dlr_done_date) = raw_dlr_done_date {
            self.record_receipt(DeliveryReceipt { status, raw_dlr_done_date });
        }
        Ok(())
    }

    /// Takes in what else was heard.
    ///
    /// `by_content` compares the (query, body) of the events at two positions; it is asked only
    /// if two events tie in status, doubt and error code, so that few bodies are read.
    pub fn merge<E>(&mut self, other: Evidence, by_content: TieBreak<'_, E>) -> Result<(), E> {
        for theirs in other.deciding.into_iter().chain(other.address_fallbacks) {
            self.rank(theirs, by_content)?;
        }
        for (status, at) in other.status_times.iter() {
            self.status_times.record(status, at);
        }
        self.codes.extend(other.codes);
        self.kinds.merge(other.kinds);
        if let Some(receipt) = other.receipt {
            self.record_receipt(receipt);
        }
        Ok(())
    }

    fn rank<E>(&mut self, event: DecidingEvent, by_content: TieBreak<'_, E>) -> Result<(), E> {
        deciding::insert(
            &mut self.deciding,
            &mut self.address_fallbacks,
            event,
            self.rule,
            by_content,
        )
    }

    /// Of two receipts the one that came with the higher status stays; of equals the smaller text.
    fn record_receipt(&mut self, receipt: DeliveryReceipt) {
        let stays = self.receipt.as_ref().is_some_and(|ours| {
            let higher = self.rule.rank(ours.status).cmp(&self.rule.rank(receipt.status));
            higher.then_with(|| receipt.raw_dlr_done_date.cmp(&ours.raw_dlr_done_date)).is_ge()
        });
        if !stays {
            self.receipt = Some(receipt);
        }
    }

    /// The status shown; `None` means `unknown`.
    pub fn status(&self) -> Option<Status> {
        self.deciding.as_ref().and_then(|deciding| deciding.status)
    }

    /// From, by the highest-ranking event that has it. So it is with To and the messaging service:
    /// each may come from another event.
    pub fn from(&self) -> Option<&str> {
        self.shown().find_map(|addressed| addressed.from.as_deref())
    }

    /// See [`Evidence::from`].
    pub fn to(&self) -> Option<&str> {
        self.shown().find_map(|addressed| addressed.to.as_deref())
    }

    /// See [`Evidence::from`].
    pub fn messaging_service_sid(&self) -> Option<&str> {
        self.shown().find_map(|addressed| addressed.messaging_service_sid.as_deref())
    }

    /// The channel, by the highest-ranking event that tells it, otherwise as the SID suggests.
    pub fn channel(&self) -> &str {
        let told = self.shown().find(|addressed| addressed.channel_is_explicit);
        told.or_else(|| self.shown().next()).map_or("", |addressed| &addressed.channel)
    }

    fn shown(&self) -> impl Iterator<Item = &Addressing> {
        self.deciding.iter().chain(&self.address_fallbacks).map(|event| &event.addressed)
    }

    /// Whether there is evidence of success and of failure.
    pub fn has_conflict(&self) -> bool {
        self.status_times.has_success() && self.status_times.has_failure()
    }

    /// Whether the outcome is known.
    pub fn is_settled(&self) -> bool {
        self.status().is_some_and(Status::is_settled)
    }

    /// Whether it is an outbound message whose outcome is not known yet.
    pub fn is_open(&self) -> bool {
        self.kinds.is_open(self.status())
    }

    /// Whether nothing further is to be expected: a failure, `read`,
    /// or `delivered` on a channel without read receipts.
    pub fn is_terminal(&self) -> bool {
        match self.status() {
            Some(Status::Delivered) => !has_read_receipts(self.channel()),
            status => status.is_some_and(Status::is_settled),
        }
    }

    /// The smallest code among events of the deciding status, else among all failures;
    /// nothing where no failure was heard.
    pub fn error_code(&self) -> Option<ErrorCode> {
        shown_error_code(&self.status_times, &self.codes, self.status())
    }

    /// Every error code heard, ascending.
    pub fn error_codes(&self) -> Vec<ErrorCode> {
        let mut codes: Vec<_> = self.codes.iter().map(|(code, _)| *code).collect();
        codes.dedup();
        codes
    }

    /// What the status does to what was heard so far. The rule plays no part in it.
    fn effect_of(&self, status: Option<Status>) -> Effect {
        let Some(status) = status else { return Effect::Unrecognised };
        let conflicts = status.is_success() && self.status_times.has_failure()
            || status.is_failure() && self.status_times.has_success();
        match Some(status).cmp(&self.status_times.highest()) {
            _ if conflicts => Effect::Conflict,
            Ordering::Less => Effect::Late,
            Ordering::Equal => Effect::Confirmed,
            Ordering::Greater => Effect::Advanced,
        }
    }
}

/// The code shown with a message of this status; see [`Evidence::error_code`].
pub fn shown_error_code(
    status_times: &StatusTimes,
    codes: &ReportedCodes,
    status: Option<Status>,
) -> Option<ErrorCode> {
    if codes.is_empty() || !status_times.has_failure() {
        return None;
    }
    let first = |wanted: &dyn Fn(Option<Status>) -> bool| {
        codes.iter().find(|(_, status)| wanted(*status)).map(|(code, _)| *code)
    };
    first(&|of_code| of_code == status)
        .or_else(|| first(&|of_code| of_code.is_some_and(Status::is_failure)))
}

impl Lifecycle {
    /// A message of which nothing has been folded yet; its first event arrives at this moment.
    pub fn new(rule: Rule, first_received_at: Timestamp) -> Self {
        Self {
            evidence: Evidence::new(rule),
            first_received_at,
            last_received_at: first_received_at,
            counts: Counts::default(),
            history: History::new(),
        }
    }

    /// Folds in the next event by position and says what it did.
    ///
    /// `by_content` is asked as in [`Evidence::merge`]; its error is the only one.
    pub fn apply<E>(
        &mut self,
        arrival: Incoming,
        by_content: TieBreak<'_, E>,
    ) -> Result<Effect, E> {
        let Incoming { position, received_at, fingerprint, .. } = arrival;
        let status = arrival.reported.status;
        let effect = self.classify(EventRef { position, fingerprint, status });
        match effect {
            // What it says was heard from its twin; only the clock may have been set back since, and
            // another program may have sent it.
            Effect::Duplicate(_) => {
                self.evidence.kinds.record(&arrival.reported);
                status.into_iter().for_each(|s| self.evidence.status_times.record(s, received_at));
            }
            _ => self.evidence.record(arrival, by_content)?,
        }
        self.first_received_at = self.first_received_at.min(received_at);
        self.last_received_at = self.last_received_at.max(received_at);
        Ok(effect)
    }

    /// Folds in what was folded of the stretch of the log that follows: the same as applying its
    /// events one by one. The error is that of `by_content`.
    pub fn join<E>(&mut self, next: Lifecycle, by_content: TieBreak<'_, E>) -> Result<(), E> {
        let first_heard = |status| next.evidence.status_times.first(status);
        for trace in next.history {
            self.classify(trace);
            if let Some((status, at)) = trace.status.zip(trace.status.and_then(first_heard)) {
                self.evidence.status_times.record(status, at);
            }
        }
        let history = &self.history;
        let fingerprint = |position| {
            let place = history.binary_search_by_key(&position, |trace| trace.position);
            place.ok().map(|place| history[place].fingerprint)
        };
        self.evidence.merge(next.evidence, &mut |a, b| match fingerprint(a) == fingerprint(b) {
            true => Ok(Ordering::Equal),
            false => by_content(a, b),
        })?;
        self.first_received_at = self.first_received_at.min(next.first_received_at);
        self.last_received_at = self.last_received_at.max(next.last_received_at);
        Ok(())
    }

    /// Takes an event into the trail and counts what it does to what was heard so far.
    fn classify(&mut self, trace: EventRef) -> Effect {
        let same = |earlier: &&EventRef| earlier.fingerprint == trace.fingerprint;
        let effect = match self.history.iter().find(same) {
            Some(earlier) => Effect::Duplicate(earlier.position),
            None => self.evidence.effect_of(trace.status),
        };
        self.counts.count(effect);
        self.history.push(trace);
        effect
    }
}

impl Counts {
    fn count(&mut self, effect: Effect) {
        self.events += 1;
        match effect {
            Effect::Duplicate(_) => self.duplicates += 1,
            Effect::Late => self.late += 1,
            Effect::Unrecognised => self.unrecognised += 1,
            Effect::Conflict | Effect::Confirmed | Effect::Advanced => {}
        }
    }
}
