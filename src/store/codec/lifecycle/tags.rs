//! The encoding of a message's tags, a part of its lifecycle's.

use crate::domain::message::message_ref::TagRefs;
use crate::domain::message::tags::Tags;
use crate::store::codec::lifecycle::event::{push_text, read_text};
use crate::store::codec::varint::{self, Reader};

/// Adds tags to bytes: twice their number, plus 1 if the message has further ones, then their names and
/// values.
pub fn push(bytes: &mut Vec<u8>, tags: &Tags) {
    varint::push(bytes, 2 * tags.iter().len() as u64 + u64::from(tags.has_dropped()));
    for (name, value) in tags.iter() {
        push_text(bytes, Some(name));
        push_text(bytes, Some(value));
    }
}

/// Reads tags; `None` if the bytes are something else.
pub fn read(reader: &mut Reader<'_>) -> Option<Tags> {
    let (pairs, dropped) = refs(reader)?;
    let mut tags = Tags::default();
    pairs.iter().for_each(|(name, value)| tags.insert(name, value));
    // This version would not have written another order, or more tags than it keeps.
    let is_same = tags.iter().eq(pairs);
    if dropped {
        tags.mark_dropped();
    }
    is_same.then_some(tags)
}

/// Reads tags without copying them, and whether the message has further ones.
pub fn refs<'a>(reader: &mut Reader<'a>) -> Option<(TagRefs<'a>, bool)> {
    let number = reader.number()?;
    let pair = |_| Some((read_text(reader)??, read_text(reader)??));
    Some(((0..number / 2).map(pair).collect::<Option<_>>()?, number % 2 == 1))
}
