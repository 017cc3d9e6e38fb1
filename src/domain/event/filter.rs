//! Filters for events of the log, shared by lists, exports and `tail`.

use crate::domain::event::is_simulated;
use crate::domain::message::filter::AddressPattern;
use crate::domain::{AccountSid, ErrorCode, NewEvent, Source, Status, StatusReported, Timestamp};

/// Conditions on an event itself, whatever its message is now. It must satisfy all that are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// The account that the event names.
    pub account_sid: Option<AccountSid>,
    /// The SID of the message that the event belongs to.
    pub message_sid: Option<String>,
    /// The source of the event.
    pub source: Option<Source>,
    /// The reported status, in any letter case; may be one that this program does not know.
    pub status: Option<String>,
    /// The reported error code.
    pub error_code: Option<ErrorCode>,
    /// The sender that the event reports.
    pub from: Option<AddressPattern>,
    /// The recipient that the event reports.
    pub to: Option<AddressPattern>,
    /// Names and values of tags in its URL, all of which it has.
    pub tags: Vec<(String, String)>,
    /// Received at this time or later.
    pub since: Option<Timestamp>,
    /// Received before this time.
    pub until: Option<Timestamp>,
    /// Whether a simulation sent it.
    pub simulated: Option<bool>,
}

/// An event with the facts that were read from it.
#[derive(Debug, Clone, Copy)]
pub struct ReadEvent<'a> {
    /// The event that was read.
    pub event: &'a NewEvent,
    /// The account that it names, if any.
    pub account_sid: Option<&'a str>,
    /// The message that it belongs to, if any.
    pub message_sid: Option<&'a str>,
    /// `None` if it reports nothing of a message.
    pub reported: Option<&'a StatusReported>,
}

impl EventFilter {
    /// The addresses that are searched for, those of the recipient first.
    pub fn searched_for(&self) -> Vec<String> {
        self.to.iter().chain(&self.from).flat_map(AddressPattern::texts).collect()
    }

    /// True if the event satisfies every condition.
    pub fn matches(&self, read: ReadEvent<'_>) -> bool {
        let received_at = read.event.received_at;
        let account_sid = self.account_sid.as_ref().map(AccountSid::as_str);
        account_sid.is_none_or(|wanted| read.account_sid == Some(wanted))
            && self.message_sid.as_deref().is_none_or(|wanted| read.message_sid == Some(wanted))
            && self.source.is_none_or(|wanted| read.event.source == wanted)
            && self.since.is_none_or(|since| received_at >= since)
            && self.until.is_none_or(|until| received_at < until)
            && self.simulated.is_none_or(|wanted| wanted == is_simulated(read.event))
            && self.matches_report(read.reported)
    }

    fn matches_report(&self, reported: Option<&StatusReported>) -> bool {
        let address = |pattern: &Option<AddressPattern>, address: Option<&str>| {
            let fits = |pattern: &AddressPattern| address.is_some_and(|it| pattern.matches(it));
            pattern.as_ref().is_none_or(fits)
        };
        let addressed = reported.map(|reported| &reported.addressed);
        let status = reported.and_then(|reported| {
            reported.status.map(Status::name).or(reported.unrecognised.as_deref())
        });
        let code = reported.and_then(|reported| reported.error_code);
        let has_tag = |(name, value): &(String, String)| {
            reported.is_some_and(|reported| reported.tags.contains(name, value))
        };
        self.status
            .as_deref()
            .is_none_or(|wanted| status.is_some_and(|status| status.eq_ignore_ascii_case(wanted)))
            && self.error_code.is_none_or(|wanted| code == Some(wanted))
            && address(&self.from, addressed.and_then(|addressed| addressed.from.as_deref()))
            && address(&self.to, addressed.and_then(|addressed| addressed.to.as_deref()))
            && self.tags.iter().all(has_tag)
    }
}
