//! The event of `forward test`: a delivered message that does not exist.

use uuid::Uuid;

use crate::domain::event::Headers;
use crate::domain::{
    AccountSid, MessageKey, MessageSid, NewEvent, RecordedEvent, Rule, Source, Timestamp,
};
use crate::forward::request::OutgoingRequest;
use crate::forward::selected::SelectedEvent;
use crate::forward::single::selected;
use crate::projection::fold::fold;
use crate::store::new_salt;

/// The header that marks a test, in lower case. Its value is `true`.
pub const TEST_HEADER: &str = "delivery-ledger-test";

/// The SID of the message: no message has it.
pub const MESSAGE_SID: &str = "SM00000000000000000000000000000000";

/// The sender and the recipient: a number that Twilio keeps for tests
/// (<https://www.twilio.com/docs/iam/test-credentials>).
const NUMBER: &str = "%2B15005550006";

/// A callback of this account that reports that a message was delivered. It is in no log, so its position is 0.
pub fn test_event(account_sid: &AccountSid, now: Timestamp) -> SelectedEvent {
    let account = account_sid.as_str();
    let body = format!(
        "SmsSid={MESSAGE_SID}&SmsStatus=delivered&MessageStatus=delivered&To={NUMBER}\
         &MessageSid={MESSAGE_SID}&AccountSid={account}&From={NUMBER}&ApiVersion=2010-04-01"
    );
    let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let event = NewEvent {
        event_id: Uuid::now_v7(),
        received_at: now,
        source: Source::Callback,
        method: "POST".to_owned(),
        url: "https://test.invalid/".to_owned(),
        headers: Headers::new([header(
            "content-type",
            "application/x-www-form-urlencoded; charset=UTF-8",
        )]),
        body: body.into_bytes(),
        verified_by: None,
        notes: Default::default(),
        salt: new_salt(),
    };
    let event = RecordedEvent::new(0, event);
    let message_sid = MessageSid::parse(MESSAGE_SID).expect("it has the form of a SID");
    let key = MessageKey { account_sid: Some(account_sid.clone()), message_sid };
    let folded = fold(Rule::default(), &key, vec![event.clone()]);
    selected(event, folded)
}

/// Marks a request as a test.
pub fn mark(request: &mut OutgoingRequest) {
    request.headers.push((TEST_HEADER.to_owned(), b"true".to_vec()));
}
