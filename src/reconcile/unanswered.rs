//! Sends whose answer is not in the log: the process ended, or no answer came.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::domain::reported::Addressed;
use crate::domain::{NewEvent, Position, Source, Timestamp};
use crate::send::note;
use crate::store::{Store, StoreError};
use crate::twilio::form::Form;

/// How many events are read in one statement.
const READ_EVENTS: usize = 4096;

/// By how much Twilio's clock may be behind ours.
const CLOCK_SLACK_MICROS: i64 = 60 * 1_000_000;

/// A send of which it is not known whether there is a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    pub send_id: String,
    /// Of its intent.
    pub position: Position,
    pub at: Timestamp,
    to: String,
    from: Option<String>,
    messaging_service_sid: Option<String>,
}

/// All of them, oldest first. The log is read as a whole, at some million events a second.
pub fn unanswered(store: &dyn Store) -> Result<Vec<Unanswered>, StoreError> {
    let mut open = BTreeMap::new();
    let mut at = 0;
    loop {
        let before = at;
        store.scan(at, READ_EVENTS, &mut |event| {
            at = event.position;
            take(event.position, event, &mut open);
            ControlFlow::Continue(())
        })?;
        if at == before {
            let mut open: Vec<_> = open.into_values().collect();
            open.sort_by_key(|send: &Unanswered| send.position);
            return Ok(open);
        }
    }
}

fn take(position: Position, event: &NewEvent, open: &mut BTreeMap<String, Unanswered>) {
    let note = |name: &str| event.notes.get(name).map(String::as_str);
    if let (Source::Reconcile, Some(send_id)) = (event.source, note(note::MAY_ANSWER)) {
        open.remove(send_id);
    }
    let (Source::Send, Some(send_id)) = (event.source, note(note::SEND_ID)) else { return };
    match (note(note::STAGE), note(note::OUTCOME)) {
        (Some("intent"), _) => {
            open.insert(send_id.to_owned(), Unanswered::of(send_id, position, event));
        }
        (Some("no_answer"), Some("unknown")) => {}
        (Some("answer"), _) if is_server_error(note(note::HTTP_STATUS)) => {}
        _ => drop(open.remove(send_id)),
    }
}

/// Such an answer leaves it open whether there is a message.
fn is_server_error(status_code: Option<&str>) -> bool {
    status_code.is_some_and(|status_code| status_code.starts_with('5'))
}

impl Unanswered {
    fn of(send_id: &str, position: Position, intent: &NewEvent) -> Self {
        let form = Form::parse(&intent.body);
        let first = |name: &str| {
            form.values(name).next().map(|value| String::from_utf8_lossy(value).into_owned())
        };
        Self {
            send_id: send_id.to_owned(),
            position,
            at: intent.received_at,
            to: first("To").unwrap_or_default(),
            from: first("From"),
            messaging_service_sid: first("MessagingServiceSid"),
        }
    }

    /// Whether a message in a list may be this one: to the same address, from the same sender or
    /// service, and made no earlier.
    pub fn may_be(&self, message: &Addressed, event: &NewEvent) -> bool {
        let same =
            |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
        let made = crate::twilio::resource::created_at(&event.body);
        let not_before = |made: Timestamp| made.micros() >= self.at.micros() - CLOCK_SLACK_MICROS;
        message.to.as_deref() == Some(self.to.as_str())
            && same(&self.from, &message.from)
            && same(&self.messaging_service_sid, &message.messaging_service_sid)
            && made.is_none_or(not_before)
    }
}
