//! A page of a list of messages, and the cursors that lead to the next one.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use siphasher::sip::SipHasher24;

use super::Message;
use crate::domain::message::filter::MessageFilter;
use crate::domain::{Position, Timestamp};

/// The prefix of a cursor, which identifies its format.
const CURSOR: &[u8] = b"m3";

/// What a cursor has to be, for errors.
pub const CURSOR_EXPECTED: &str = "the next_cursor of an earlier page";

/// What to do with a cursor of another list.
pub const CURSOR_OF_ANOTHER_LIST: &str = "this cursor belongs to a list with other filters; repeat the filters \
     of the page that it comes from, or begin with the first page";

/// A page, newest messages first.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct MessagePage {
    /// The messages of the page.
    pub data: Vec<Message>,
    /// Where the next page begins; `null` if this is the last.
    pub next_cursor: Option<String>,
    /// The last position of the log that the list includes.
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
    /// The filters of the list, as a hash.
    pub list: ListHash,
}

/// A hash of a list's filter, which tells lists apart. Six bytes make the cursor's length a multiple of three.
/// Another version may have another hash of the same filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListHash([u8; 6]);

impl ListHash {
    /// The hash of a filter.
    pub fn new(filter: &MessageFilter) -> Self {
        let mut hasher = SipHasher24::new();
        filter.hash(&mut hasher);
        let [_, _, hash @ ..] = hasher.finish().to_be_bytes();
        Self(hash)
    }
}

impl Cursor {
    /// Reads a cursor; `None` if it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (before, rest) = bytes.strip_prefix(CURSOR)?.split_first_chunk::<8>()?;
        let (now, list) = rest.split_first_chunk::<8>()?;
        let before = u64::from_be_bytes(*before);
        let now = Timestamp::from_micros(i64::from_be_bytes(*now));
        let list = ListHash(list.try_into().ok()?);
        i64::try_from(before).is_ok().then_some(Self { before, now, list })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, now, list: ListHash(list) } = self;
        let parts = [CURSOR, &before.to_be_bytes(), &now.micros().to_be_bytes(), list];
        f.write_str(&URL_SAFE_NO_PAD.encode(parts.concat()))
    }
}
