//! Sends whose outcome is unknown: the process ended before the answer, or no answer came.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::domain::message::status_reported::Addressing;
use crate::domain::{NewEvent, Position, Source, Timestamp};
use crate::send::{SendOutcome, note};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::form::Form;

/// By how much Twilio's clock may differ from ours.
const CLOCK_SLACK_MICROS: i64 = 60 * 1_000_000;

/// How long after its intent a message may still have been made: a request may be sent again for some
/// minutes where Twilio asks for it. What was made later is another message.
const MADE_WITHIN_MICROS: i64 = 20 * 60 * 1_000_000;

/// A send of which it is not known whether there is a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedSend {
    pub send_id: String,
    /// Microseconds since 1970: when its intent was recorded.
    at: i64,
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
}

/// All of them up to a position, oldest first. They are kept from run to run, so that the log, which
/// may be long, is read once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnconfirmedSends {
    read_to: Position,
    open: Vec<UnconfirmedSend>,
}

impl UnconfirmedSends {
    /// Reads on to the head.
    pub fn read_on(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.read_to > store.head()? {
            // The log was put back to an older state.
            *self = Self::default();
        }
        for_each_event(store, self.read_to + 1.., &mut |event| {
            self.read_to = event.position;
            self.take(event);
            ControlFlow::Continue(())
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The oldest one that a message in a list may be, which is then no longer among them.
    pub fn claim(&mut self, message: &Addressing, made_at: Timestamp) -> Option<UnconfirmedSend> {
        let place = self.open.iter().position(|send| send.may_be(message, made_at))?;
        Some(self.open.remove(place))
    }

    fn take(&mut self, event: &NewEvent) {
        let note = |name: &str| event.notes.get(name).map(String::as_str);
        match (event.source, note(note::SEND_ID), note(note::MAY_ANSWER)) {
            (Source::Send, Some(send_id), _) if note(note::STAGE) == Some("intent") => {
                self.open.push(UnconfirmedSend::from_intent(send_id, event));
            }
            (Source::Send, Some(send_id), _) => match SendOutcome::from_event(event) {
                None | Some(SendOutcome::Unknown(_)) => {}
                Some(_) => self.open.retain(|send| send.send_id != send_id),
            },
            (Source::Reconcile, _, Some(send_id)) => {
                self.open.retain(|send| send.send_id != send_id);
            }
            _ => {}
        }
    }
}

impl UnconfirmedSend {
    fn from_intent(send_id: &str, intent: &NewEvent) -> Self {
        let form = Form::parse(&intent.body);
        let first = |name: &str| {
            form.values(name).next().map(|value| String::from_utf8_lossy(value).into_owned())
        };
        Self {
            send_id: send_id.to_owned(),
            at: intent.received_at.micros(),
            to: first("To").unwrap_or_default(),
            from: first("From"),
            messaging_service_sid: first("MessagingServiceSid"),
        }
    }

    /// Whether a message may be this one: to the same address, from the same sender or service, and
    /// made at that time.
    fn may_be(&self, message: &Addressing, made_at: Timestamp) -> bool {
        let same = |wanted: &Option<String>, have: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| have == Some(wanted))
        };
        let after = made_at.micros() - self.at;
        message.to.as_deref() == Some(self.to.as_str())
            && same(&self.from, message.from.as_deref())
            && same(&self.messaging_service_sid, message.messaging_service_sid.as_deref())
            && (-CLOCK_SLACK_MICROS..=MADE_WITHIN_MICROS).contains(&after)
    }
}
