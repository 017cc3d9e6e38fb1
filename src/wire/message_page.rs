//! A page of a list of messages, and the cursors that lead to the next one.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::Message;
use crate::domain::{Position, Timestamp};

/// The prefix of a cursor, which identifies its format.
const CURSOR: &[u8] = b"m2";

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

/// Where a list continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The messages with ids below this one follow.
    pub before: u64,
    /// The present of the first page. What is relative to it, such as the last 24 hours, is the same on
    /// every page.
    pub now: Timestamp,
}

impl Cursor {
    /// Reads a cursor; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (before, now) = bytes.strip_prefix(CURSOR)?.split_first_chunk::<8>()?;
        let before = u64::from_be_bytes(*before);
        let now = Timestamp::from_micros(i64::from_be_bytes(now.try_into().ok()?));
        i64::try_from(before).is_ok().then_some(Self { before, now })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, now } = self;
        let parts = [CURSOR, &before.to_be_bytes(), &now.micros().to_be_bytes()];
        f.write_str(&URL_SAFE_NO_PAD.encode(parts.concat()))
    }
}
