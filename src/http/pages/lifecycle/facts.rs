//! The facts next to the timeline: what support asks for, when each status was reported, and the proof of the
//! event that decides.

use std::collections::{BTreeMap, BTreeSet};

use super::details::{Detail, details};
use super::raw::{Verification, digest};
use super::reason::{is_callback, words};
use super::timeline::Timeline;
use crate::domain::error_code::Responsibility;
use crate::domain::hash::hex;
use crate::domain::{ErrorCode, ErrorCodes, Position, Timestamp};
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::pages::list::row::OPEN_FOR_MICROS;
use crate::projection::fold::Folded;
use crate::projection::verify::tree::root_at;
use crate::text::capitalised;
use crate::wire::Message;

/// The facts of a message.
pub struct Facts {
    /// The status as the beginning of a sentence.
    pub status: String,
    pub first_received_at: Timestamp,
    /// True if it has been open for longer than is usual.
    pub is_stuck: bool,
    /// Who usually causes its error; `None` if that is not known.
    pub responsibility: Option<&'static str>,
    /// The events: `6 callbacks`, or `2 events` if some are none.
    pub received: String,
    /// Whether anything further is expected.
    pub outcome: &'static str,
    /// True if some of them came by Event Streams.
    pub has_stream: bool,
    /// What is known of it besides its status.
    pub details: Vec<Detail>,
    /// The position of the event that decides; `None` if no status is known.
    pub deciding: Option<Position>,
    /// When each status was first reported, in lifecycle order.
    pub happened: Vec<Happened>,
}

/// A status, when it was first reported, and by which events.
pub struct Happened {
    pub status: &'static str,
    /// `None` if only Twilio’s time of it is known.
    pub received_at: Option<Timestamp>,
    /// When it was reached according to Twilio, if that is known.
    pub occurred_at: Option<Timestamp>,
    /// Their places in the order of arrival.
    pub arrived: String,
}

/// The proof of the deciding event.
pub struct Proof {
    pub position: Position,
    pub verification: Verification,
    /// `None` if the client sees addresses masked: a hash over them would confirm a guess.
    pub hashes: Option<Hashes>,
}

/// The hashes that prove an event.
pub struct Hashes {
    pub digest: String,
    /// The root of the log's tree up to the event; `None` if the views have not read it yet.
    pub root: Option<String>,
}

impl Facts {
    /// The facts of the message that a timeline counts.
    pub fn new(
        message: &Message,
        timeline: &Timeline<'_>,
        error_codes: &ErrorCodes,
        now: Timestamp,
    ) -> Self {
        let Folded { lifecycle, timeline: entries, .. } = timeline.counted.message;
        let evidence = &lifecycle.evidence;
        let age = now.micros().saturating_sub(lifecycle.first_received_at.micros());
        let all_callbacks = entries.iter().all(is_callback);
        let deciding = evidence.deciding.as_ref().filter(|deciding| deciding.status.is_some());
        Self {
            status: capitalised(&evidence.status().map_or("unknown".to_owned(), words)),
            first_received_at: lifecycle.first_received_at,
            is_stuck: evidence.is_open() && age >= OPEN_FOR_MICROS,
            responsibility: message.error_code.and_then(ErrorCode::from_number).and_then(|code| {
                error_codes.meaning(code).and_then(|meaning| responsibility(meaning.fault))
            }),
            received: received(message.events, all_callbacks),
            outcome: match () {
                () if evidence.kinds.is_inbound() => "nothing is expected of an inbound message",
                () if evidence.is_terminal() => "yes: terminal, settled",
                () if evidence.is_settled() => "settled; it may still become read",
                () if !evidence.is_open() => "no status was received",
                () => "no: the outcome is not known yet",
            },
            has_stream: entries.iter().any(|entry| entry.reported.cloud_event_id().is_some()),
            details: details(message),
            deciding: deciding.map(|deciding| deciding.position),
            happened: happened(timeline),
        }
    }
}

/// When each status was first received, and when it was reached according to Twilio.
fn happened(timeline: &Timeline<'_>) -> Vec<Happened> {
    let Folded { lifecycle, timeline: entries, .. } = timeline.counted.message;
    let received: BTreeMap<_, _> = lifecycle.evidence.status_times.iter().collect();
    let occurred: BTreeMap<_, _> = lifecycle.evidence.details.occurred_times().collect();
    let statuses: BTreeSet<_> = received.keys().chain(occurred.keys()).copied().collect();
    let happened = statuses.into_iter().map(|status| {
        let by = entries.iter().filter(|entry| entry.reported.status == Some(status));
        let numbers = by.map(|entry| timeline.number(entry.event.position).to_string());
        Happened {
            status: status.name(),
            received_at: received.get(&status).copied(),
            occurred_at: occurred.get(&status).copied(),
            arrived: numbers.collect::<Vec<_>>().join(", "),
        }
    });
    happened.collect()
}

impl Proof {
    /// The proof of the event at this position of a message; `None` if it has no such event. Blocks.
    pub fn new(
        state: &AdminState,
        message: &Folded,
        position: Position,
        redaction: Redaction,
    ) -> Option<Self> {
        let at = |entry: &&crate::projection::fold::Entry| entry.event.position == position;
        let event = &message.timeline.iter().find(at)?.event;
        let shown = redaction.recorded(event.clone());
        let hashes = || Hashes { digest: digest(event), root: root(state, position) };
        Some(Self {
            position,
            verification: Verification::new(shown.verified_by.as_deref()),
            hashes: (!redaction.is_masked()).then(hashes),
        })
    }
}

fn root(state: &AdminState, position: Position) -> Option<String> {
    let store = &*state.store;
    let checkpoint = store.views().checkpoint().ok()?;
    if checkpoint.position < position {
        return None;
    }
    match root_at(store, position) {
        Ok(root) => Some(hex(&root)),
        Err(error) => {
            tracing::error!("the root up to position {position} cannot be computed: {error}");
            None
        }
    }
}

fn received(events: u64, all_callbacks: bool) -> String {
    let word = if all_callbacks { "callback" } else { "event" };
    let ending = if events == 1 { "" } else { "s" };
    format!("{events} {word}{ending}")
}

/// Where to start looking.
fn responsibility(fault: Responsibility) -> Option<&'static str> {
    Some(match fault {
        Responsibility::Sender => "usually the sender’s side",
        Responsibility::Recipient => "usually the recipient’s side",
        Responsibility::Carrier => "usually the carrier’s side",
        Responsibility::Channel => "usually the channel’s side",
        Responsibility::Twilio => "usually Twilio’s side",
        Responsibility::Configuration => "usually the configuration",
        Responsibility::Unknown => return None,
    })
}
