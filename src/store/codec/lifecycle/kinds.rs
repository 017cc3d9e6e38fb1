//! The encoding of the kinds of a message's events, a part of its lifecycle's.

use crate::domain::Timestamp;
use crate::domain::message::kinds::EventKinds;
use crate::store::codec::varint::{self, Reader};

const OUTBOUND: u8 = 1;
const INBOUND: u8 = 2;
const REAL: u8 = 4;
const CREATED: u8 = 8;
const IMPORTED: u8 = 16;
const BY_CALLBACK: u8 = 32;
const BY_STREAM: u8 = 64;

/// Adds a byte with a bit for each kind, and the time of creation if it is known, relative to the first
/// arrival in microseconds.
pub fn push(bytes: &mut Vec<u8>, first: u64, kinds: EventKinds) {
    let EventKinds { outbound, inbound, real, imported, by_callback, by_stream, created_at } =
        kinds;
    let bits = [
        (outbound, OUTBOUND),
        (inbound, INBOUND),
        (real, REAL),
        (created_at.is_some(), CREATED),
        (imported, IMPORTED),
        (by_callback, BY_CALLBACK),
        (by_stream, BY_STREAM),
    ];
    bytes.push(bits.iter().filter(|(is, _)| *is).map(|(_, bit)| bit).sum());
    if let Some(created_at) = created_at {
        varint::push_near(bytes, first, created_at.micros() as u64);
    }
}

/// Reads kinds; `None` if the bytes are something else.
pub fn read(reader: &mut Reader<'_>, first: u64) -> Option<EventKinds> {
    let bits = reader.byte()?;
    let created_at = match bits & CREATED {
        0 => None,
        _ => Some(Timestamp::from_micros(reader.number_near(first)? as i64)),
    };
    (bits < 2 * BY_STREAM).then_some(EventKinds {
        outbound: bits & OUTBOUND != 0,
        inbound: bits & INBOUND != 0,
        real: bits & REAL != 0,
        imported: bits & IMPORTED != 0,
        by_callback: bits & BY_CALLBACK != 0,
        by_stream: bits & BY_STREAM != 0,
        created_at,
    })
}
