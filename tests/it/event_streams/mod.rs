//! Event Streams: CloudEvents, single and in batches, each of which becomes an event of the log.

mod afterwards;
mod batches;
mod limits;
mod vouching;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{ACCOUNT, App, Request, Response, TOKEN, json_signature};

const PATH: &str = "/event-streams";

/// A CloudEvent with a status, as Twilio sends it.
fn cloud_event(account_sid: &str, id: &str, message_sid: &str, status: &str) -> Value {
    json!({
        "specversion": "1.0",
        "type": format!("com.twilio.messaging.message.{status}"),
        "source": format!("/{account_sid}/Messages/{message_sid}.json"),
        "id": id,
        "dataschema": "https://events-schemas.twilio.com/Messaging.MessageStatus/8",
        "datacontenttype": "application/json",
        "time": "2026-01-02T03:04:05.000Z",
        "data": {
            "accountSid": account_sid,
            "messageSid": message_sid,
            "messageStatus": status.to_uppercase(),
            "timestamp": "2026-01-02T03:04:05.000Z",
            "from": "+15017250604",
            "to": "+15558675310",
            "numberOfSegments": "2",
        },
    })
}

/// A CloudEvent of the configured account.
fn of_account(id: &str, message_sid: &str, status: &str) -> String {
    cloud_event(ACCOUNT, id, message_sid, status).to_string()
}

/// Sends JSON, signed with this token.
fn send(app: &App, path: &str, token: &str, body: &str) -> Response {
    let target = format!("{path}?bodySHA256={}", hash_of(body));
    let request = Request::new("POST", &target)
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", &json_signature(token, &app.url(&target)));
    request.body(body).send(app.callbacks())
}

fn hash_of(body: &str) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends JSON of the configured account, which must be accepted.
fn accept(app: &App, body: &str) {
    let answer = send(app, PATH, TOKEN, body);
    assert_eq!(answer.code, 200, "{}", String::from_utf8_lossy(&answer.body));
}
