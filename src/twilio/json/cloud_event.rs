//! CloudEvents of Twilio's Event Streams (<https://www.twilio.com/docs/events>), in the format of
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>: what they report of
//! messages.

use smol_str::SmolStr;

use super::members::{addressed, doubt, labels, segments, text};
use super::{TopLevel, clicks};
use crate::domain::carrier::Carrier;
use crate::domain::message::details::ReportedDetails;
use crate::domain::message::status_reported::{Arrival, Label, StatusReported};
use crate::domain::message::tags::Tags;
use crate::domain::{ErrorCode, NewEvent, Status, Timestamp};
use crate::twilio::direction;

/// The start of the types with the status of an outbound message, such as
/// `com.twilio.messaging.message.delivered`.
const STATUS_TYPES: &str = "com.twilio.messaging.message.";

/// The type of a click on a shortened link.
const LINK_CLICKED: &str = "com.twilio.daptbt.link-shortening.link-clicked";

/// The type of an error that Twilio logged, such as a webhook that it could not reach.
pub const ERROR_LOGGED: &str = "com.twilio.error-logs.error.logged";

/// A CloudEvent: its envelope, and its data, of which only the members that are read are kept.
pub struct CloudEvent<'a> {
    envelope: &'a TopLevel,
    data: TopLevel,
}

impl<'a> CloudEvent<'a> {
    /// The CloudEvent in a JSON object; `None` if it is something else.
    pub fn from_object(envelope: &'a TopLevel) -> Option<Self> {
        let data = envelope.cloud_event()?;
        Some(Self { envelope, data })
    }

    /// The id, which repetitions of the event share.
    pub fn id(&self) -> Option<String> {
        text(self.envelope, &["id"])
    }

    /// The type of the event.
    pub fn event_type(&self) -> Option<String> {
        text(self.envelope, &["type"])
    }

    /// The time at which it happened: that of its data, or else of its envelope.
    pub fn occurred_at(&self) -> Option<Timestamp> {
        let time = |object, name| Timestamp::parse(text(object, &[name])?.trim());
        time(&self.data, "timestamp").or_else(|| time(self.envelope, "time"))
    }

    /// The status that it reports, or the word that is none; `None` if it is not about the status of an outbound
    /// message.
    pub fn status(&self) -> Option<(Option<Status>, Option<SmolStr>)> {
        let kind = self.event_type()?;
        Some(self.status_or_word(kind.strip_prefix(STATUS_TYPES)?))
    }

    /// What it reports of the message with this SID; `None` if it is not about the status of an outbound
    /// message, nor about a click. `event` is the event that it is the body of.
    pub fn reported(&self, sid: &str, event: &NewEvent) -> Option<StatusReported> {
        let kind = self.event_type()?;
        let mut reported = match kind.strip_prefix(STATUS_TYPES) {
            Some(status) => self.status_reported(sid, status),
            None if kind == LINK_CLICKED => clicks::reported(&self.data, sid, event),
            None => return None,
        };
        reported.details.get_or_insert_default().cloud_event_id = self.id().map(SmolStr::from);
        Some(reported)
    }

    /// `kind` is the end of the type, which counts as the status if the data has none.
    fn status_or_word(&self, kind: &str) -> (Option<Status>, Option<SmolStr>) {
        direction::evidence(self.word().as_deref().unwrap_or(kind))
    }

    fn word(&self) -> Option<String> {
        text(&self.data, &["messageStatus"]).filter(|word| !word.trim().is_empty())
    }

    fn status_reported(&self, sid: &str, kind: &str) -> StatusReported {
        let data = &self.data;
        let differ = self.word().is_some_and(|word| !word.eq_ignore_ascii_case(kind));
        let (status, unrecognised) = self.status_or_word(kind);
        let direction = direction::of_status(status, unrecognised.as_deref());
        StatusReported {
            status,
            unrecognised,
            error_code: text(data, &["errorCode"]).and_then(|code| ErrorCode::parse(&code)),
            addressed: addressed(data, sid, "messagingServiceSid"),
            raw_dlr_done_date: text(data, &["rawDlrDoneDate"]).map(SmolStr::from),
            direction,
            simulated: false,
            imported: false,
            created_at: None,
            tags: self.tags(),
            arrival: Arrival::Stream,
            details: Some(Box::new(ReportedDetails {
                occurred_at: self.occurred_at(),
                segments: segments(data, "numberOfSegments"),
                carrier: carrier(data),
                ..ReportedDetails::default()
            })),
            doubt: doubt(data),
            labels: labels(sid, direction, &[(differ, Label::StatusWordsDiffer)]),
        }
    }

    /// The members of `tags` that are texts, numbers or truth values.
    fn tags(&self) -> Tags {
        let mut tags = Tags::default();
        self.data.tags().iter().for_each(|(name, value)| tags.insert(name, value));
        tags
    }
}

fn carrier(data: &TopLevel) -> Option<Carrier> {
    Carrier::parse(&text(data, &["mcc"])?, &text(data, &["mnc"])?)
}
