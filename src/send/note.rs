//! The names in the notes of events of source `send`.

/// Connects an intent and its outcome.
pub const SEND_ID: &str = "send_id";
/// `intent`, `answer`, or `no_answer`.
pub const STAGE: &str = "stage";
/// Of an intent: the message that the feedback is about.
pub const MESSAGE_SID: &str = "message_sid";
/// The status code of Twilio's response.
pub const HTTP_STATUS: &str = "http_status";
/// `removed` if the text of the message was removed.
pub const CONTENT: &str = "content";
/// The idempotency key of the client's request.
pub const IDEMPOTENCY_KEY: &str = "idempotency_key";
/// A hash of the request with that key: another request must not use it.
pub const REQUEST_HASH: &str = "request_hash";
/// `not_sent` or `unknown`, if there is no response.
pub const OUTCOME: &str = "outcome";
/// For a message found in a list: the send that it probably belongs to.
pub const MAY_ANSWER: &str = "may_answer_send";
/// The reason there is no response.
pub const REASON: &str = "reason";
