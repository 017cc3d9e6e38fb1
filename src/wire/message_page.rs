//! A page of a list of messages, and the cursors that lead to the next one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Message;
use crate::domain::Position;

/// The prefix of a cursor, which identifies its format.
const CURSOR: &[u8] = b"m1";

/// What a cursor has to be, for errors.
pub const CURSOR_EXPECTED: &str = "the next_cursor of an earlier page";

/// A page, newest messages first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MessagePage {
    pub data: Vec<Message>,
    /// Where the next page begins; `null` if this is the last.
    pub next_cursor: Option<String>,
    pub as_of_position: Position,
    /// If no message was found: the addresses that `to` and `from` were understood as. Numbers are
    /// searched for on every channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub searched_for: Option<Vec<String>>,
}

/// The cursor of the messages with ids below this one.
pub fn cursor(before: u64) -> String {
    URL_SAFE_NO_PAD.encode([CURSOR, &before.to_be_bytes()].concat())
}

/// The id of a cursor; `None` if it is something else.
pub fn parse_cursor(cursor: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let id = u64::from_be_bytes(bytes.strip_prefix(CURSOR)?.try_into().ok()?);
    i64::try_from(id).is_ok().then_some(id)
}
