//! The lifecycle of a message: its current state, computed by folding its events.
//!
//! [`Evidence`] is the part that does not depend on the order of events: merging it is commutative,
//! associative and idempotent. [`Lifecycle`] adds the part that does: which events are late or
//! duplicates. The lifecycles of adjacent ranges of the log can be joined, so that a range can be
//! folded without the events before it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::convert::Infallible;

use smol_str::SmolStr;

use super::kinds::EventKinds;
use crate::domain::event::Position;
use crate::domain::message::deciding;
pub use crate::domain::message::deciding::{DecidingEvent, TieBreak};
use crate::domain::message::details::Details;
pub use crate::domain::message::event_ref::{Effect, EventRef, History};
use crate::domain::message::event_ref::{Fingerprint, Subject};
use crate::domain::message::status_reported::{Addressing, Direction, StatusReported};
use crate::domain::message::status_times::StatusTimes;
use crate::domain::message::tags::Tags;
use crate::domain::{ErrorCode, Rule, Status, Timestamp};

/// An event to be added to a lifecycle.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The position of the event.
    pub position: Position,
    /// The time of its arrival.
    pub received_at: Timestamp,
    /// Equal for duplicates; see [`fingerprint`](crate::domain::digest::fingerprint).
    pub fingerprint: Fingerprint,
    /// The facts that it reports.
    pub reported: StatusReported,
}

/// Error codes, each with the status reported by the same event.
pub type ReportedCodes = BTreeSet<(ErrorCode, Option<Status>)>;

/// The facts reported about one message, independent of their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The rule by which the status is decided.
    pub rule: Rule,
    /// Every reported status, with the time of its first arrival.
    pub status_times: StatusTimes,
    /// Every reported error code.
    pub codes: ReportedCodes,
    /// The event that determines the status; `None` before the first event.
    pub deciding: Option<DecidingEvent>,
    /// Lower-ranked events with addresses that the deciding one lacks, highest rank first. Each has
    /// only the fields that all events above it lack. Few messages have any.
    pub address_fallbacks: Vec<DecidingEvent>,
    /// The carrier's delivery time, if one was reported.
    pub receipt: Option<DeliveryReceipt>,
    /// The kinds of the message's events: inbound, simulated, imported and so on.
    pub kinds: EventKinds,
    /// The tags of all its events.
    pub tags: Tags,
    /// Times, segments, price, carrier, clicks and feedback.
    pub details: Details,
}

/// The carrier's RawDlrDoneDate, from the event with the highest status that has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReceipt {
    /// The status that the event reports; a receipt with a higher one replaces it.
    pub status: Option<Status>,
    /// The value as received. Its time zone is unknown.
    pub raw_dlr_done_date: SmolStr,
}

/// The current state of a message: its events folded in order of their positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    /// The facts that do not depend on the order of arrival.
    pub evidence: Evidence,
    /// When its first event in the log arrived.
    pub first_received_at: Timestamp,
    /// When its last event in the log arrived.
    pub last_received_at: Timestamp,
    /// The number of its events, and of those with certain effects.
    pub counts: Counts,
    /// The events of the message.
    pub history: History,
}

/// The number of events, and of those with certain effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All events of the message.
    pub events: u64,
    /// Events that repeat an earlier one.
    pub duplicates: u64,
    /// Events that report a lower status than one that was reported before.
    pub late: u64,
    /// Events with a status that is not one of an outbound message.
    pub unrecognised: u64,
}

impl Evidence {
    /// True if an event with these facts would add nothing that is worth another event: its status, its error
    /// code, its tags and its price have been reported already. An unrecognised status never adds anything to an outbound message.
    pub fn contains(&self, reported: &StatusReported) -> bool {
        let has_status = |status| self.status_times.first(status).is_some();
        let code = reported.error_code.map(|code| (code, reported.status));
        let has_direction = self.kinds.outbound || reported.direction != Direction::Outbound;
        has_direction
            && reported.status.is_none_or(has_status)
            && code.is_none_or(|code| self.codes.contains(&code))
            && self.tags.contains_all(&reported.tags)
            && reported.details.as_ref().is_none_or(|details| self.details.contain_price(details))
    }

    /// Creates empty evidence, the identity element of [`merge`](Self::merge).
    pub fn new(rule: Rule) -> Self {
        Self {
            rule,
            status_times: StatusTimes::default(),
            codes: BTreeSet::new(),
            deciding: None,
            address_fallbacks: Vec::new(),
            receipt: None,
            kinds: EventKinds::default(),
            tags: Tags::default(),
            details: Details::default(),
        }
    }

    /// The evidence of one event.
    pub fn from_event(rule: Rule, event: Incoming) -> Self {
        let mut evidence = Self::new(rule);
        let mut never = |_, _| Ok::<_, Infallible>(Ordering::Equal);
        match evidence.record(event, &mut never) {
            Ok(()) => evidence,
            Err(never) => match never {},
        }
    }

    /// Adds an event. Equal to merging its evidence, but faster.
    pub fn record<E>(&mut self, event: Incoming, compare: TieBreak<'_, E>) -> Result<(), E> {
        let Incoming { position, received_at, reported, .. } = event;
        self.kinds.record(&reported);
        let StatusReported {
            status,
            error_code,
            addressed,
            raw_dlr_done_date,
            doubt,
            tags,
            details,
            ..
        } = reported;
        self.tags.merge(&tags);
        if let Some(details) = details {
            self.details.record(status, &details, self.rule);
        }
        self.insert(DecidingEvent { position, status, doubt, error_code, addressed }, compare)?;
        if let Some(status) = status {
            self.status_times.record(status, received_at);
        }
        self.codes.extend(error_code.map(|code| (code, status)));
        if let Some(raw_dlr_done_date) = raw_dlr_done_date {
            self.record_receipt(DeliveryReceipt { status, raw_dlr_done_date });
        }
        Ok(())
    }

    /// Adds other evidence of the same message.
    ///
    /// `compare` compares the (query, body) of the events at two positions. It is called only
    /// if two events tie in status, doubt and error code, so that few bodies are read. Errors are its
    /// errors.
    pub fn merge<E>(&mut self, other: Evidence, compare: TieBreak<'_, E>) -> Result<(), E> {
        for event in other.deciding.into_iter().chain(other.address_fallbacks) {
            self.insert(event, compare)?;
        }
        for (status, at) in other.status_times.iter() {
            self.status_times.record(status, at);
        }
        self.codes.extend(other.codes);
        self.kinds.merge(other.kinds);
        self.tags.merge(&other.tags);
        self.details.merge(other.details, self.rule);
        if let Some(receipt) = other.receipt {
            self.record_receipt(receipt);
        }
        Ok(())
    }

    fn insert<E>(&mut self, event: DecidingEvent, compare: TieBreak<'_, E>) -> Result<(), E> {
        deciding::insert(&mut self.deciding, &mut self.address_fallbacks, event, self.rule, compare)
    }

    /// Keeps the receipt with the higher status; of equal statuses, that with the smaller text.
    fn record_receipt(&mut self, receipt: DeliveryReceipt) {
        let keep_current = self.receipt.as_ref().is_some_and(|current| {
            let rank = self.rule.rank(current.status).cmp(&self.rule.rank(receipt.status));
            rank.then_with(|| receipt.raw_dlr_done_date.cmp(&current.raw_dlr_done_date)).is_ge()
        });
        if !keep_current {
            self.receipt = Some(receipt);
        }
    }

    /// The current status; `None` means `unknown`.
    pub fn status(&self) -> Option<Status> {
        self.deciding.as_ref().and_then(|deciding| deciding.status)
    }

    /// The From address, from the highest-ranked event that has one. To and the messaging service are
    /// chosen in the same way, so that each may come from another event.
    pub fn from(&self) -> Option<&str> {
        self.by_rank().find_map(|addressed| addressed.from.as_deref())
    }

    /// See [`Evidence::from`].
    pub fn to(&self) -> Option<&str> {
        self.by_rank().find_map(|addressed| addressed.to.as_deref())
    }

    /// See [`Evidence::from`].
    pub fn messaging_service_sid(&self) -> Option<&str> {
        self.by_rank().find_map(|addressed| addressed.messaging_service_sid.as_deref())
    }

    /// The channel, from the highest-ranked event that states it, otherwise as inferred from the SID.
    pub fn channel(&self) -> &str {
        let explicit = self.by_rank().find(|addressed| addressed.channel_is_explicit);
        explicit.or_else(|| self.by_rank().next()).map_or("", |addressed| &addressed.channel)
    }

    fn by_rank(&self) -> impl Iterator<Item = &Addressing> {
        self.deciding.iter().chain(&self.address_fallbacks).map(|event| &event.addressed)
    }

    /// True if both a success and a failure were reported.
    pub fn has_conflict(&self) -> bool {
        self.status_times.has_conflict()
    }

    /// True if the outcome is known.
    pub fn is_settled(&self) -> bool {
        self.status().is_some_and(Status::is_settled)
    }

    /// True if it is an outbound message whose outcome is not known yet.
    pub fn is_open(&self) -> bool {
        self.kinds.is_open(self.status())
    }

    /// True if no further status is expected.
    pub fn is_terminal(&self) -> bool {
        self.status().is_some_and(|status| status.is_terminal_on(self.channel()))
    }

    /// The smallest code among the events with the current status, or else among all failures; `None`
    /// if no failure was reported.
    pub fn error_code(&self) -> Option<ErrorCode> {
        shown_error_code(&self.status_times, &self.codes, self.status())
    }

    /// Every reported error code, in ascending order.
    pub fn error_codes(&self) -> Vec<ErrorCode> {
        let mut codes: Vec<_> = self.codes.iter().map(|(code, _)| *code).collect();
        codes.dedup();
        codes
    }

    /// The effect of a status on the evidence so far, regardless of the rule.
    pub(super) fn effect_of(&self, subject: Subject, status: Option<Status>) -> Effect {
        let status = match (subject, status) {
            (Subject::Click, _) => return Effect::Click,
            (Subject::Feedback, _) => return Effect::Feedback,
            (Subject::Status, None) => return Effect::Unrecognised,
            (Subject::Status, Some(status)) => status,
        };
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

/// The error code shown for a message with this status; see [`Evidence::error_code`].
pub fn shown_error_code(
    status_times: &StatusTimes,
    codes: &ReportedCodes,
    status: Option<Status>,
) -> Option<ErrorCode> {
    if codes.is_empty() || !status_times.has_failure() {
        return None;
    }
    let first = |matches: &dyn Fn(Option<Status>) -> bool| {
        codes.iter().find(|(_, status)| matches(*status)).map(|(code, _)| *code)
    };
    first(&|of_code| of_code == status)
        .or_else(|| first(&|of_code| of_code.is_some_and(Status::is_failure)))
}

impl Lifecycle {
    /// Creates the lifecycle of a message without events; the first one was received at this time.
    pub fn new(rule: Rule, first_received_at: Timestamp) -> Self {
        Self {
            evidence: Evidence::new(rule),
            first_received_at,
            last_received_at: first_received_at,
            counts: Counts::default(),
            history: History::new(),
        }
    }

    /// Adds the event with the next position and returns its effect.
    ///
    /// `compare` is called as by [`Evidence::merge`]. Errors are its errors.
    pub fn apply<E>(&mut self, event: Incoming, compare: TieBreak<'_, E>) -> Result<Effect, E> {
        let Incoming { position, received_at, fingerprint, .. } = event;
        let (subject, status) = (event.reported.subject(), event.reported.status);
        let effect = self.classify(EventRef { position, fingerprint, subject, status });
        match effect {
            // Its facts are known from the earlier event. Only the arrival may be earlier, if the clock
            // was set back, and it may be the only one that was not simulated.
            Effect::Duplicate(_) if fingerprint.is_of_content() => {
                self.evidence.kinds.record(&event.reported);
                status.into_iter().for_each(|s| self.evidence.status_times.record(s, received_at));
            }
            _ => self.evidence.record(event, compare)?,
        }
        self.first_received_at = self.first_received_at.min(received_at);
        self.last_received_at = self.last_received_at.max(received_at);
        Ok(effect)
    }

    /// Appends the lifecycle of the range of the log that follows: equal to applying its events one by
    /// one. Errors are those of `compare`.
    pub fn join<E>(&mut self, next: Lifecycle, compare: TieBreak<'_, E>) -> Result<(), E> {
        let first_reported = |status| next.evidence.status_times.first(status);
        for event in next.history {
            self.classify(event);
            if let Some((status, at)) = event.status.zip(event.status.and_then(first_reported)) {
                self.evidence.status_times.record(status, at);
            }
        }
        let history = &self.history;
        let fingerprint = |position| {
            let index = history.binary_search_by_key(&position, |event| event.position);
            index.ok().map(|index| history[index].fingerprint)
        };
        let have_equal_contents = |a, b| {
            let of_a: Option<Fingerprint> = fingerprint(a);
            of_a == fingerprint(b) && of_a.is_some_and(Fingerprint::is_of_content)
        };
        self.evidence.merge(next.evidence, &mut |a, b| match have_equal_contents(a, b) {
            true => Ok(Ordering::Equal),
            false => compare(a, b),
        })?;
        self.first_received_at = self.first_received_at.min(next.first_received_at);
        self.last_received_at = self.last_received_at.max(next.last_received_at);
        Ok(())
    }

    /// Appends an event to the history and counts its effect.
    fn classify(&mut self, event: EventRef) -> Effect {
        let same = |earlier: &&EventRef| earlier.fingerprint == event.fingerprint;
        let effect = match self.history.iter().find(same) {
            Some(earlier) => Effect::Duplicate(earlier.position),
            None => self.evidence.effect_of(event.subject, event.status),
        };
        self.counts.count(effect);
        self.history.push(event);
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
            _ => {}
        }
    }
}
