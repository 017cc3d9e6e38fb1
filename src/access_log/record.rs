//! One access record. It names no address: no value of a filter, and of a path only a SID of Twilio's form or
//! the position of an event that exists.

use serde::Serialize;

/// One request, as a line of JSON.
#[derive(Debug, Serialize)]
pub struct AccessRecord {
    /// When the request arrived, RFC 3339.
    pub time: String,
    /// The response's `X-Request-Id`, and the `request_id` of an error.
    pub request_id: String,
    /// The name of the token, or `anonymous` if none is configured; `None` if the token was rejected.
    pub token: Option<String>,
    /// The token's scope; `None` if the token was rejected.
    pub scope: Option<String>,
    /// The method, or `other` for one that HTTP does not define.
    pub method: &'static str,
    /// The path's template, such as `/v1/messages/{sid}`; `None` if there is no such path.
    pub route: Option<String>,
    /// The message's SID, if it is in the path and has Twilio's form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_sid: Option<String>,
    /// The event's position, if it is in the path and the event exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The job's id, if it is in the path and the job exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The names of the query parameters, or of the members of a request in JSON.
    pub filters: Vec<String>,
    /// The status code of the response.
    pub status_code: u16,
    /// How many messages, events, or lines of a report were returned.
    pub rows: u64,
    /// Until the last byte of the response, in milliseconds.
    pub duration_ms: u64,
    /// How many rejected requests before this one have no record, because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub unrecorded: u64,
}

impl AccessRecord {
    /// Appends the record as one line.
    pub(super) fn write_line(&self, lines: &mut Vec<u8>) {
        serde_json::to_writer(&mut *lines, self).expect("a record is JSON");
        lines.push(b'\n');
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
