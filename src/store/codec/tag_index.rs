//! The index of tags, which leads from a tag to the messages that have it.
//!
//! An entry is the hash of name and value, so that it is small whatever their length. Two tags with the
//! same hash only cost a look at more messages: lists apply the filter to each.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use crate::domain::message::tags::{IndexedTags, Tags};

/// The hash of a tag. SipHash with a key of zeros suffices: see the file's header.
pub fn hash(name: &str, value: &str) -> i64 {
    let mut hasher = SipHasher24::new();
    // The length first, so that a name cannot reach into the value.
    hasher.write(&(name.len() as u64).to_be_bytes());
    hasher.write(name.as_bytes());
    hasher.write(value.as_bytes());
    hasher.finish() as i64
}

/// The tags, each a name and a value, that a message did not have before. The index keeps entries of tags
/// that a message has lost; lists look at the message itself.
pub fn added<'t>(
    before: Option<&'t Tags>,
    tags: &'t Tags,
) -> impl Iterator<Item = (&'t str, &'t str)> {
    tags.iter()
        .filter(move |(name, value)| !before.is_some_and(|before| before.contains(name, value)))
}

/// The column of the checkpoint for the indexed tags: a JSON array of their names, or nothing for all.
pub fn to_column(indexed: &IndexedTags) -> Option<String> {
    match indexed {
        IndexedTags::All => None,
        IndexedTags::Only(names) => Some(serde_json::json!(names).to_string()),
    }
}

/// Reads [`to_column`]; `None` if it is something else.
pub fn from_column(column: Option<&str>) -> Option<IndexedTags> {
    match column {
        None => Some(IndexedTags::All),
        Some(names) => serde_json::from_str(names).ok().map(IndexedTags::Only),
    }
}
