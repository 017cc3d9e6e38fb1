//! The encoding of the references to a message's events, a part of its lifecycle's.

use crate::domain::event::Position;
use crate::domain::message::event_ref::{EventRef, Fingerprint, History, Subject};
use crate::store::codec::lifecycle::status::{status_byte, status_of};
use crate::store::codec::varint::{self, Reader};

/// Stand for the status of an event that reports a click or feedback.
const CLICK: u8 = 255;
const FEEDBACK: u8 = 254;

/// Adds references to events, the positions relative to that of the deciding one.
pub fn push(bytes: &mut Vec<u8>, deciding: Position, history: &[EventRef]) {
    varint::push(bytes, history.len() as u64);
    let mut near = deciding;
    for EventRef { position, fingerprint, subject, status } in history {
        varint::push_near(bytes, near, *position);
        bytes.extend_from_slice(&fingerprint.bits().to_be_bytes());
        bytes.push(match subject {
            Subject::Status => status_byte(*status),
            Subject::Click => CLICK,
            Subject::Feedback => FEEDBACK,
        });
        near = *position;
    }
}

/// Reads references to events; `None` if the bytes are something else.
pub fn read(reader: &mut Reader<'_>, deciding: Position) -> Option<History> {
    let (count, mut near) = (reader.number()?, deciding);
    let trace = |_| {
        near = reader.number_near(near)?;
        let fingerprint = u64::from_be_bytes(reader.bytes(8)?.try_into().ok()?);
        let fingerprint = Fingerprint::from_bits(fingerprint);
        let (subject, status) = match reader.byte()? {
            CLICK => (Subject::Click, None),
            FEEDBACK => (Subject::Feedback, None),
            byte => (Subject::Status, status_of(byte)?),
        };
        Some(EventRef { position: near, fingerprint, subject, status })
    };
    (0..count).map(trace).collect()
}

/// The last position in references to events, which are only passed over; `None` if the bytes are something
/// else.
pub fn last_position(reader: &mut Reader<'_>, deciding: Position) -> Option<Position> {
    let (mut last, mut near) = (0, deciding);
    for _ in 0..reader.number()? {
        near = reader.number_near(near)?;
        let (_fingerprint, _status) = (reader.bytes(8)?, reader.byte()?);
        last = near.max(last);
    }
    Some(last)
}
