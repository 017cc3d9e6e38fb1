//! What an erasure is about, as it was requested.

use std::collections::HashSet;

use uuid::Uuid;

use super::address::Address;
use crate::domain::message::status_reported::Direction;
use crate::domain::{AccountSid, BodyKind, MessageSid, RecordedEvent, Timestamp};
use crate::twilio::callback::ParsedCallback;
use crate::twilio::form::first_texts;

/// The names of the parameters with a sender and a recipient.
const SIDES: [&str; 2] = ["From", "To"];

/// Which messages are erased, each with all of its events.
#[derive(Debug, Clone)]
pub enum Which {
    /// The message with this SID, of this account, or of any; also what has no account.
    Message {
        /// Its SID.
        message_sid: MessageSid,
        /// Its account, if it was named.
        account_sid: Option<AccountSid>,
    },
    /// Those that have this address as sender or recipient, and events without a message that mention it.
    Address(Address),
    /// Those whose last event was received before then, and such events without a message.
    Before(Timestamp),
    /// Those that were erased before, and have had events since.
    Again,
    /// These events, which were erased in a later copy of the log.
    Events(HashSet<Uuid>),
}

/// How an event matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It does not.
    No,
    /// It does, so that its message is erased.
    Yes,
    /// It does, and the address is the sender of an outbound message, or the recipient of an inbound one: our
    /// own.
    Ours,
    /// It has another message, and its text mentions the address.
    Mention,
}

impl Which {
    /// How an event matches; of those that were erased before, `is_erased` knows its message.
    pub fn matches(
        &self,
        event: &RecordedEvent,
        parsed: &ParsedCallback<'_>,
        is_erased: bool,
    ) -> Match {
        let is = match self {
            Which::Message { message_sid, account_sid } => {
                let account = parsed.account_sid.as_deref();
                let is_account =
                    |wanted: &AccountSid| account.is_none_or(|account| account == wanted.as_str());
                parsed.message_sid.as_deref() == Some(message_sid.as_str())
                    && account_sid.as_ref().is_none_or(is_account)
            }
            Which::Address(address) => return of_address(address, event, parsed),
            Which::Before(time) => event.received_at < *time,
            Which::Again => is_erased,
            Which::Events(ids) => ids.contains(&event.event_id),
        };
        if is { Match::Yes } else { Match::No }
    }
}

fn of_address(address: &Address, event: &RecordedEvent, parsed: &ParsedCallback<'_>) -> Match {
    let [from, to] = sides(event, parsed).map(|side| side.is_some_and(|side| address.is(&side)));
    let direction = parsed.reported.as_ref().map_or(Direction::Unstated, |event| event.direction);
    let is_ours = if direction == Direction::Inbound { to } else { from };
    match (is_ours, from || to) {
        (true, _) => Match::Ours,
        (false, true) => Match::Yes,
        (false, false) if !address.is_in(event) => Match::No,
        (false, false) if parsed.message_sid.is_none() || parsed.reported.is_none() => Match::Yes,
        (false, false) => Match::Mention,
    }
}

/// Sender and recipient, also of a request to Twilio, which has no message yet.
fn sides(event: &RecordedEvent, parsed: &ParsedCallback<'_>) -> [Option<String>; 2] {
    if let Some(reported) = &parsed.reported {
        let addressed = &reported.addressed;
        return [&addressed.from, &addressed.to].map(|side| side.as_ref().map(ToString::to_string));
    }
    match event.body_kind() {
        Some(BodyKind::Form) => {
            first_texts(&event.body, SIDES).map(|side| side.map(|text| text.into_owned()))
        }
        Some(BodyKind::Json) | None => [None, None],
    }
}
