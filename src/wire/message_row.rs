//! A message as exports show it: what [`Message`](super::Message) shows, borrowed, so that nothing is copied
//! for each of millions of rows.

use std::borrow::Cow;

use super::message_texts::MessageTexts;
use super::status_name::status_name;
use crate::domain::country::Country;
use crate::domain::message::click::Clicks;
use crate::domain::message::message_ref::WholeMessage;
use crate::domain::rollup::durations;
use crate::domain::{ErrorCode, ErrorCodes, Position};

/// The state of a message at a position.
#[derive(Debug)]
pub struct MessageRow<'a> {
    /// What is shown as it is.
    pub message: &'a WholeMessage<'a>,
    /// The texts that may contain addresses, perhaps masked.
    pub texts: MessageTexts<'a>,
    /// The status; `unknown` if no known status was reported.
    pub status: &'static str,
    /// A short description of the error code.
    pub error_title: Option<Cow<'a, str>>,
    /// The country of the recipient.
    pub country: Option<Country>,
    /// From the first of `accepted`, `queued` and `sending` to the first `sent`, and from there to the first
    /// `delivered`, in milliseconds.
    pub durations_ms: [Option<u64>; 2],
    /// The clicks, if there are any.
    pub clicks: Option<&'a Clicks>,
    /// The last position of the log that is taken into account.
    pub as_of_position: Position,
}

impl<'a> MessageRow<'a> {
    /// The row of a message; the title of its error is from the table of error codes.
    pub fn new(
        message: &'a WholeMessage<'a>,
        as_of_position: Position,
        error_codes: &'a ErrorCodes,
    ) -> Self {
        let state = &message.state;
        let title = |code: ErrorCode| match error_codes.meaning(code) {
            Some(meaning) => Cow::Borrowed(meaning.title.as_str()),
            None => Cow::Owned(error_codes.title(code)),
        };
        Self {
            message,
            texts: MessageTexts {
                message_sid: message.message_sid,
                account_sid: state.account_sid,
                messaging_service_sid: state.messaging_service_sid,
                from: state.from,
                to: state.to,
                channel: state.channel,
                raw_dlr_done_date: message.raw_dlr_done_date,
                tags: Cow::Borrowed(&state.tags),
            },
            status: status_name(state.status),
            error_title: state.error_code.map(title),
            country: state.to.and_then(Country::from_address),
            durations_ms: durations(&state.status_times).map(|elapsed| elapsed.known()),
            clicks: state.details.clicks(),
            as_of_position,
        }
    }

    /// The same with these texts instead of its own.
    pub fn with_texts(self, texts: MessageTexts<'a>) -> Self {
        Self { texts, ..self }
    }
}
