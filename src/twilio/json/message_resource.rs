//! The Message resource of Twilio's REST API, as an answer or an import brings it
//! (<https://www.twilio.com/docs/messaging/api/message-resource>): what it reports of its message.

use super::TopLevel;
use super::members::{addressed, doubt, labels, segments, text};
use crate::domain::message::details::ReportedDetails;
use crate::domain::message::status_reported::{Arrival, StatusReported};
use crate::domain::message::tags::Tags;
use crate::domain::price::Price;
use crate::domain::{ErrorCode, Status, Timestamp};
use crate::twilio::{direction, resource};

/// What a resource reports of the message with this SID.
pub fn reported(resource: &TopLevel, sid: &str) -> StatusReported {
    let word = text(resource, &["status"]);
    let way = text(resource, &["direction"]);
    let (direction, status, unrecognised) = direction::of_resource(way.as_deref(), word.as_deref());
    let date = |name| resource::date(&text(resource, &[name])?);
    let (created_at, sent_at) = (date("date_created"), date("date_sent"));
    StatusReported {
        status,
        unrecognised,
        error_code: text(resource, &["error_code"]).and_then(|code| ErrorCode::parse(&code)),
        addressed: addressed(resource, sid, "messaging_service_sid"),
        raw_dlr_done_date: None,
        direction,
        simulated: false,
        imported: false,
        created_at: created_at.or(sent_at),
        tags: Tags::default(),
        arrival: Arrival::Other,
        details: details(resource, status, sent_at),
        doubt: doubt(resource),
        labels: labels(sid, direction, &[]),
    }
}

fn details(
    resource: &TopLevel,
    status: Option<Status>,
    sent_at: Option<Timestamp>,
) -> Option<Box<ReportedDetails>> {
    // The Console's files have other names for the price.
    let price = || {
        let amount = text(resource, &["price", "Price"])?;
        Price::parse(&amount, &text(resource, &["price_unit", "PriceUnit"])?)
    };
    let details = ReportedDetails {
        // Twilio has a date for some messages that it could not send, too.
        sent_at: sent_at.filter(|_| status.is_some_and(was_sent)),
        segments: segments(resource, "num_segments"),
        price: price(),
        ..ReportedDetails::default()
    };
    (details != ReportedDetails::default()).then(|| Box::new(details))
}

/// True if a message with this status was handed to a carrier or channel.
fn was_sent(status: Status) -> bool {
    status == Status::Undelivered || (Status::Sent..=Status::Read).contains(&status)
}
