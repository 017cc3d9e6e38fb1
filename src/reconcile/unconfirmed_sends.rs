//! Sends whose outcome is unknown: the process ended before the response, or there was none.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::domain::message::status_reported::Addressing;
use crate::domain::{NewEvent, Position, Source, Timestamp};
use crate::send::{SendKind, SendOutcome, note};
use crate::store::{Store, StoreError, for_each_event};
use crate::twilio::form::Form;

/// The maximum difference between Twilio's clock and this machine's.
const CLOCK_SLACK_MICROS: i64 = 60 * 1_000_000;

/// The time after its intent in which a message may have been created: a request may be retried for some
/// minutes if Twilio asks for it. A message created later is another one.
const MADE_WITHIN_MICROS: i64 = 20 * 60 * 1_000_000;

/// A send whose outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnconfirmedSend {
    pub send_id: String,
    /// Microseconds since 1970: when its intent was recorded.
    at: i64,
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
}

/// All sends with an unknown outcome up to a position, oldest first. They are saved between runs, so that
/// the log is read only once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UnconfirmedSends {
    read_to: Position,
    open: Vec<UnconfirmedSend>,
}

impl UnconfirmedSends {
    /// Reads the log up to the head.
    pub fn read_on(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        if self.read_to > store.head()? {
            // An older state of the log was restored.
            *self = Self::default();
        }
        for_each_event(store, self.read_to + 1.., &mut |event| {
            self.read_to = event.position;
            self.take(event);
            ControlFlow::Continue(())
        })
    }

    /// The number of sends.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Removes and returns the oldest send that a listed message may belong to.
    pub fn claim(&mut self, message: &Addressing, made_at: Timestamp) -> Option<UnconfirmedSend> {
        let place = self.open.iter().position(|send| send.may_be(message, made_at))?;
        Some(self.open.remove(place))
    }

    fn take(&mut self, event: &NewEvent) {
        // Feedback creates no message that could be found.
        if event.source == Source::Send && SendKind::of_url(&event.url) == SendKind::Feedback {
            return;
        }
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

    /// True if a message may belong to this send: it has the same recipient and the same sender or
    /// service, and was created at that time.
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
