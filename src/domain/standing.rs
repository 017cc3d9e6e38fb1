//! Where a message stands, lent: all that filters and reports ask of it, so that whoever passes
//! millions of messages need not make each of them whole.

use super::heard::Heard;
use super::kinds::Kinds;
use super::lifecycle::shown_error_code;
use super::{AccountSid, ErrorCode, Lifecycle, MessageKey, Status, Timestamp};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing<'a> {
    pub account_sid: Option<&'a str>,
    /// Of the deciding event; nothing is `unknown`.
    pub status: Option<Status>,
    /// The code that is shown with the message.
    pub error_code: Option<ErrorCode>,
    /// Of the deciding event, as are the channel and the messaging service.
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub channel: &'a str,
    pub messaging_service_sid: Option<&'a str>,
    pub first_received_at: Timestamp,
    pub heard: Heard,
    /// Whether any of its events came late.
    pub late: bool,
    /// Whether any of its events came twice.
    pub duplicate: bool,
    /// Whether it is outbound, inbound or simulated, and when it was created.
    pub kinds: Kinds,
}

impl<'a> Standing<'a> {
    /// Where a message of this key stands.
    pub fn of(key: &'a MessageKey, lifecycle: &'a Lifecycle) -> Self {
        let Lifecycle { evidence, first_received_at, counts, .. } = lifecycle;
        let addressed = evidence.deciding.as_ref().map(|deciding| &deciding.addressed);
        let status = evidence.status();
        Self {
            account_sid: key.account_sid.as_ref().map(AccountSid::as_str),
            status,
            error_code: shown_error_code(&evidence.heard, &evidence.codes, status),
            from: addressed.and_then(|addressed| addressed.from.as_deref()),
            to: addressed.and_then(|addressed| addressed.to.as_deref()),
            channel: addressed.map_or("", |addressed| &addressed.channel),
            messaging_service_sid: addressed
                .and_then(|addressed| addressed.messaging_service_sid.as_deref()),
            first_received_at: *first_received_at,
            heard: evidence.heard.clone(),
            late: counts.late > 0,
            duplicate: counts.duplicates > 0,
            kinds: evidence.kinds,
        }
    }

    /// Whether there is evidence of success and of failure.
    pub fn conflict(&self) -> bool {
        self.heard.success() && self.heard.failure()
    }

    /// Whether it is an outbound message whose outcome is not known yet.
    pub fn is_open(&self) -> bool {
        self.kinds.is_open(self.status)
    }

    /// From when on its age counts.
    pub fn began_at(&self) -> Timestamp {
        self.kinds.began_at(self.first_received_at)
    }

    /// Whether the outcome is known.
    pub fn settled(&self) -> bool {
        self.status.is_some_and(Status::is_settled)
    }
}
