//! Message feedback: Twilio's answer to a report of whether a message served its purpose
//! (<https://www.twilio.com/docs/messaging/api/message-feedback-resource>).

use super::TopLevel;
use super::members::{addressed, doubt, labels, text};
use crate::domain::message::details::{FeedbackOutcome, ReportedDetails};
use crate::domain::message::status_reported::{Arrival, Direction, StatusReported};
use crate::domain::message::tags::Tags;

/// The end of the URL at which feedback is reported.
const URL_END: &str = "/Feedback.json";

/// What the answer to a request to this URL reports of the message with this SID; `None` if it is no answer to
/// feedback.
pub fn reported(object: &TopLevel, sid: &str, url: &str) -> Option<StatusReported> {
    let outcome = text(object, &["outcome"]).and_then(|outcome| FeedbackOutcome::parse(&outcome));
    let feedback = outcome.filter(|_| url.ends_with(URL_END))?;
    Some(StatusReported {
        status: None,
        unrecognised: None,
        error_code: None,
        addressed: addressed(object, sid, "messaging_service_sid"),
        raw_dlr_done_date: None,
        direction: Direction::Unstated,
        simulated: false,
        imported: false,
        created_at: None,
        tags: Tags::default(),
        arrival: Arrival::Other,
        details: Some(Box::new(ReportedDetails {
            feedback: Some(feedback),
            ..ReportedDetails::default()
        })),
        doubt: doubt(object),
        labels: labels(sid, Direction::Unstated, &[]),
    })
}
