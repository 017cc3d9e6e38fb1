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

use super::channel::has_read_receipts;
use super::event::Position;
use super::heard::Heard;
use super::kinds::{Direction, Kinds};
use super::reported::{Addressed, StatusReported};
use super::{ErrorCode, Rule, Status, Timestamp};

/// Compares the (query, body) of the events at two positions.
pub type ByContent<'a, E> = &'a mut dyn FnMut(Position, Position) -> Result<Ordering, E>;

/// One event on its way into a lifecycle.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub position: Position,
    pub received_at: Timestamp,
    /// Equal for duplicates; see [`EventDigest::fingerprint`](super::digest::EventDigest).
    pub fingerprint: u64,
    pub reported: StatusReported,
}

/// Error codes, each with the status it came with.
pub type Codes = BTreeSet<(ErrorCode, Option<Status>)>;

/// The set of facts heard about one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub rule: Rule,
    /// Every status heard, and when first.
    pub heard: Heard,
    /// Every error code heard, with the status it came with.
    pub codes: Codes,
    /// The event that decides; nothing before the first.
    pub deciding: Option<Deciding>,
    pub receipt: Option<Receipt>,
    /// Whether it is outbound, inbound or simulated, and when it was created.
    pub kinds: Kinds,
}

/// The event that has the status shown. Among several it is the one with the smallest
/// (error code, query, body), so that it does not depend on which came first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deciding {
    pub position: Position,
    pub status: Option<Status>,
    pub error_code: Option<ErrorCode>,
    pub addressed: Addressed,
}

/// The carrier's RawDlrDoneDate that came with the highest status to bring one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
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
    pub trail: Trail,
}

/// Where the events of a message stand, in order. Most have two or three.
pub type Trail = SmallVec<[Trace; 3]>;

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
pub struct Trace {
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
        let heard = |status| self.heard.first(status).is_some();
        let code = reported.error_code.map(|code| (code, reported.status));
        let outbound = self.kinds.outbound || reported.direction != Direction::Outbound;
        outbound
            && reported.status.is_none_or(heard)
            && code.is_none_or(|code| self.codes.contains(&code))
    }

    /// Nothing heard yet: what merging leaves as it was.
    pub fn none(rule: Rule) -> Self {
        Self {
            rule,
            heard: Heard::default(),
            codes: BTreeSet::new(),
            deciding: None,
            receipt: None,
            kinds: Kinds::default(),
        }
    }

    /// What one event tells.
    pub fn of(rule: Rule, arrival: Arrival) -> Self {
        let mut evidence = Self::none(rule);
        let mut never = |_, _| Ok::<_, Infallible>(Ordering::Equal);
        match evidence.hear(arrival, &mut never) {
            Ok(()) => evidence,
            Err(never) => match never {},
        }
    }

    /// Takes in one event: the same as merging what it tells, without making that first.
    pub fn hear<E>(&mut self, arrival: Arrival, by_content: ByContent<'_, E>) -> Result<(), E> {
        let Arrival { position, received_at, reported, .. } = arrival;
        self.kinds.hear(&reported);
        let StatusReported { status, error_code, addressed, raw_dlr_done_date, .. } = reported;
        if self.yields_to(status, error_code, position, by_content)? {
            self.deciding = Some(Deciding { position, status, error_code, addressed });
        }
        if let Some(status) = status {
            self.heard.hear(status, received_at);
        }
        self.codes.extend(error_code.map(|code| (code, status)));
        if let Some(raw_dlr_done_date) = raw_dlr_done_date {
            self.hear_receipt(Receipt { status, raw_dlr_done_date });
        }
        Ok(())
    }

    /// Takes in what else was heard.
    ///
    /// `by_content` compares the (query, body) of the events at two positions; it is asked only
    /// where two events tie in status and error code, so that few bodies need to be at hand.
    pub fn merge<E>(&mut self, other: Evidence, by_content: ByContent<'_, E>) -> Result<(), E> {
        if let Some(theirs) = other.deciding {
            let Deciding { status, error_code, position, .. } = theirs;
            if self.yields_to(status, error_code, position, by_content)? {
                self.deciding = Some(theirs);
            }
        }
        for (status, at) in other.heard.iter() {
            self.heard.hear(status, at);
        }
        self.codes.extend(other.codes);
        self.kinds.merge(other.kinds);
        if let Some(receipt) = other.receipt {
            self.hear_receipt(receipt);
        }
        Ok(())
    }

    /// Whether an event decides rather than the one that has decided so far.
    fn yields_to<E>(
        &self,
        status: Option<Status>,
        error_code: Option<ErrorCode>,
        position: Position,
        by_content: ByContent<'_, E>,
    ) -> Result<bool, E> {
        let Some(ours) = &self.deciding else { return Ok(true) };
        let higher = self.rule.rank(status).cmp(&self.rule.rank(ours.status));
        let ordering = match higher.then_with(|| ours.error_code.cmp(&error_code)) {
            Ordering::Equal if ours.position != position => {
                let smaller = by_content(ours.position, position)?;
                // Equal contents tell the same; the lower position keeps the outcome fixed.
                smaller.then_with(|| ours.position.cmp(&position))
            }
            decided => decided,
        };
        Ok(ordering == Ordering::Greater)
    }

    /// Of two receipts the one that came with the higher status stays; of equals the smaller text.
    fn hear_receipt(&mut self, receipt: Receipt) {
        let stays = self.receipt.as_ref().is_some_and(|ours| {
            let higher = self.rule.rank(ours.status).cmp(&self.rule.rank(receipt.status));
            higher.then_with(|| receipt.raw_dlr_done_date.cmp(&ours.raw_dlr_done_date)).is_ge()
        });
        if !stays {
            self.receipt = Some(receipt);
        }
    }

    /// The status shown; nothing means `unknown`.
    pub fn status(&self) -> Option<Status> {
        self.deciding.as_ref().and_then(|deciding| deciding.status)
    }

    /// Whether there is evidence of success and of failure.
    pub fn conflict(&self) -> bool {
        self.heard.success() && self.heard.failure()
    }

    /// Whether the outcome is known.
    pub fn settled(&self) -> bool {
        self.status().is_some_and(Status::is_settled)
    }

    /// Whether it is an outbound message whose outcome is not known yet.
    pub fn is_open(&self) -> bool {
        self.kinds.is_open(self.status())
    }

    /// Whether nothing further is to be expected: a failure, `read`,
    /// or `delivered` on a channel without read receipts.
    pub fn terminal(&self) -> bool {
        let channel = self.deciding.as_ref().map_or("", |event| &event.addressed.channel);
        match self.status() {
            Some(Status::Delivered) => !has_read_receipts(channel),
            status => status.is_some_and(Status::is_settled),
        }
    }

    /// The smallest code among events of the deciding status, else among all failures;
    /// nothing where no failure was heard.
    pub fn error_code(&self) -> Option<ErrorCode> {
        shown_error_code(&self.heard, &self.codes, self.status())
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
        let conflicts = status.is_success() && self.heard.failure()
            || status.is_failure() && self.heard.success();
        match Some(status).cmp(&self.heard.highest()) {
            _ if conflicts => Effect::Conflict,
            Ordering::Less => Effect::Late,
            Ordering::Equal => Effect::Confirmed,
            Ordering::Greater => Effect::Advanced,
        }
    }
}

/// The code shown with a message of this status; see [`Evidence::error_code`].
pub fn shown_error_code(heard: &Heard, codes: &Codes, status: Option<Status>) -> Option<ErrorCode> {
    if codes.is_empty() || !heard.failure() {
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
    pub fn begin(rule: Rule, first_received_at: Timestamp) -> Self {
        Self {
            evidence: Evidence::none(rule),
            first_received_at,
            last_received_at: first_received_at,
            counts: Counts::default(),
            trail: Trail::new(),
        }
    }

    /// Folds in the next event by position and says what it did.
    ///
    /// `by_content` is asked as in [`Evidence::merge`]; its error is the only one.
    pub fn apply<E>(
        &mut self,
        arrival: Arrival,
        by_content: ByContent<'_, E>,
    ) -> Result<Effect, E> {
        let Arrival { position, received_at, fingerprint, .. } = arrival;
        let status = arrival.reported.status;
        let effect = self.pass(Trace { position, fingerprint, status });
        match effect {
            // What it says was heard from its twin; only the clock may have been set back since, and
            // another program may have sent it.
            Effect::Duplicate(_) => {
                self.evidence.kinds.hear(&arrival.reported);
                status.into_iter().for_each(|s| self.evidence.heard.hear(s, received_at));
            }
            _ => self.evidence.hear(arrival, by_content)?,
        }
        self.first_received_at = self.first_received_at.min(received_at);
        self.last_received_at = self.last_received_at.max(received_at);
        Ok(effect)
    }

    /// Folds in what was folded of the stretch of the log that follows: the same as applying its
    /// events one by one. The error is that of `by_content`.
    pub fn join<E>(&mut self, next: Lifecycle, by_content: ByContent<'_, E>) -> Result<(), E> {
        let first_heard = |status| next.evidence.heard.first(status);
        for trace in next.trail {
            self.pass(trace);
            if let Some((status, at)) = trace.status.zip(trace.status.and_then(first_heard)) {
                self.evidence.heard.hear(status, at);
            }
        }
        let trail = &self.trail;
        let fingerprint = |position| {
            let place = trail.binary_search_by_key(&position, |trace| trace.position);
            place.ok().map(|place| trail[place].fingerprint)
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
    fn pass(&mut self, trace: Trace) -> Effect {
        let same = |earlier: &&Trace| earlier.fingerprint == trace.fingerprint;
        let effect = match self.trail.iter().find(same) {
            Some(earlier) => Effect::Duplicate(earlier.position),
            None => self.evidence.effect_of(trace.status),
        };
        self.counts.count(effect);
        self.trail.push(trace);
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
