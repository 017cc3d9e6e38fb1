//! Where a message stands, lent: all that filters and reports ask of it, so that whoever passes
//! millions of messages need not make each of them whole.

use crate::domain::message::kinds::EventKinds;
use crate::domain::message::lifecycle::shown_error_code;
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{AccountSid, ErrorCode, Lifecycle, MessageKey, Status, Timestamp};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRef<'a> {
    pub account_sid: Option<&'a str>,
    /// Of the deciding event; nothing is `unknown`.
    pub status: Option<Status>,
    /// The code that is shown with the message.
    pub error_code: Option<ErrorCode>,
    /// Of the highest-ranking event that has it, as are the channel and the messaging service.
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub channel: &'a str,
    pub messaging_service_sid: Option<&'a str>,
    pub first_received_at: Timestamp,
    pub status_times: StatusTimes,
    /// Whether any of its events came late.
    pub late: bool,
    /// Whether any of its events came twice.
    pub duplicate: bool,
    /// Whether it is outbound, inbound or simulated, and when it was created.
    pub kinds: EventKinds,
}

impl<'a> MessageRef<'a> {
    /// Where a message of this key stands.
    pub fn new(key: &'a MessageKey, lifecycle: &'a Lifecycle) -> Self {
        let Lifecycle { evidence, first_received_at, counts, .. } = lifecycle;
        let status = evidence.status();
        Self {
            account_sid: key.account_sid.as_ref().map(AccountSid::as_str),
            status,
            error_code: shown_error_code(&evidence.status_times, &evidence.codes, status),
            from: evidence.from(),
            to: evidence.to(),
            channel: evidence.channel(),
            messaging_service_sid: evidence.messaging_service_sid(),
            first_received_at: *first_received_at,
            status_times: evidence.status_times.clone(),
            late: counts.late > 0,
            duplicate: counts.duplicates > 0,
            kinds: evidence.kinds,
        }
    }

    /// Whether there is evidence of success and of failure.
    pub fn has_conflict(&self) -> bool {
        self.status_times.has_success() && self.status_times.has_failure()
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
    pub fn is_settled(&self) -> bool {
        self.status.is_some_and(Status::is_settled)
    }
}
