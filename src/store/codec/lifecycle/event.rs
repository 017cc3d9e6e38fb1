//! The encoding of an event that a lifecycle shows: the deciding one, or one below it.
//! `lifecycle` describes the format.

use smol_str::SmolStr;

use crate::domain::event::Position;
use crate::domain::message::lifecycle::DecidingEvent;
use crate::domain::message::status_reported::{Addressing, Doubt};
use crate::domain::{ErrorCode, Lifecycle, Status};
use crate::store::codec::varint::{self, Reader};

/// The bit in the byte of a doubt that is set if the event reports its channel.
const CHANNEL_IS_EXPLICIT: u8 = 1 << 7;

/// To and From of a message, which its row has in columns of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses<'a> {
    pub to: Option<&'a str>,
    pub from: Option<&'a str>,
}

impl<'a> Addresses<'a> {
    /// The addresses that a lifecycle shows.
    pub fn from_lifecycle(lifecycle: &'a Lifecycle) -> Self {
        Self { to: lifecycle.evidence.to(), from: lifecycle.evidence.from() }
    }
}

/// The shown facts of an event.
pub struct ShownFacts<'a> {
    error_code: Option<ErrorCode>,
    doubt: Doubt,
    channel_is_explicit: bool,
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    pub channel: &'a str,
    pub messaging_service_sid: Option<&'a str>,
}

impl<'a> ShownFacts<'a> {
    /// Adds missing facts from a lower-ranked event.
    pub fn complete(&mut self, below: ShownFacts<'a>) {
        self.from = self.from.or(below.from);
        self.to = self.to.or(below.to);
        self.messaging_service_sid = self.messaging_service_sid.or(below.messaging_service_sid);
        if below.channel_is_explicit && !self.channel_is_explicit {
            (self.channel, self.channel_is_explicit) = (below.channel, true);
        }
    }

    /// Converts the facts into the event at a position.
    pub fn into_event(self, position: Position, status: Option<Status>) -> DecidingEvent {
        let Self { error_code, doubt, .. } = self;
        let addressed = Addressing {
            from: self.from.map(SmolStr::new),
            to: self.to.map(SmolStr::new),
            channel: SmolStr::new(self.channel),
            channel_is_explicit: self.channel_is_explicit,
            messaging_service_sid: self.messaging_service_sid.map(SmolStr::new),
        };
        DecidingEvent { position, status, doubt, error_code, addressed }
    }
}

/// Appends an event's facts to bytes.
pub fn push_facts(bytes: &mut Vec<u8>, event: &DecidingEvent, columns: Addresses<'_>) {
    push_code(bytes, event.error_code);
    let Addressing { from, to, channel, channel_is_explicit, messaging_service_sid } =
        &event.addressed;
    bytes.push(event.doubt.to_byte() | if *channel_is_explicit { CHANNEL_IS_EXPLICIT } else { 0 });
    push_address(bytes, from.as_deref(), columns.from);
    push_address(bytes, to.as_deref(), columns.to);
    push_text(bytes, Some(channel));
    push_text(bytes, messaging_service_sid.as_deref());
}

/// Reads an event's facts; `None` if the bytes are something else.
pub fn read_facts<'a>(reader: &mut Reader<'a>, columns: Addresses<'a>) -> Option<ShownFacts<'a>> {
    let error_code = code(reader)?;
    let byte = reader.byte()?;
    Some(ShownFacts {
        error_code,
        doubt: Doubt::from_byte(byte & !CHANNEL_IS_EXPLICIT)?,
        channel_is_explicit: byte & CHANNEL_IS_EXPLICIT != 0,
        from: address(reader, columns.from)?,
        to: address(reader, columns.to)?,
        channel: read_text(reader)??,
        messaging_service_sid: read_text(reader)?,
    })
}

/// An address that is not the column's has its length plus 2 in front of it.
const ABSENT: u64 = 0;
const AS_IN_COLUMN: u64 = 1;
const OWN: u64 = 2;

fn push_address(bytes: &mut Vec<u8>, address: Option<&str>, column: Option<&str>) {
    match address {
        None => varint::push(bytes, ABSENT),
        address if address == column => varint::push(bytes, AS_IN_COLUMN),
        Some(address) => {
            varint::push(bytes, OWN + address.len() as u64);
            bytes.extend_from_slice(address.as_bytes());
        }
    }
}

fn address<'a>(reader: &mut Reader<'a>, column: Option<&'a str>) -> Option<Option<&'a str>> {
    match reader.number()? {
        ABSENT => Some(None),
        AS_IN_COLUMN => column.map(Some),
        length => text(reader, length - OWN).map(Some),
    }
}

/// Adds a text that may be absent.
pub fn push_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    varint::push(bytes, text.map_or(0, |text| 1 + text.len() as u64));
    bytes.extend_from_slice(text.unwrap_or_default().as_bytes());
}

/// Reads a text that may be absent; `None` if the bytes are something else.
pub fn read_text<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a str>> {
    let Some(length) = reader.number()?.checked_sub(1) else { return Some(None) };
    text(reader, length).map(Some)
}

fn text<'a>(reader: &mut Reader<'a>, length: u64) -> Option<&'a str> {
    std::str::from_utf8(reader.bytes(usize::try_from(length).ok()?)?).ok()
}

fn push_code(bytes: &mut Vec<u8>, code: Option<ErrorCode>) {
    varint::push(bytes, code.map_or(0, |code| 1 + u64::from(code.number())));
}

fn code(reader: &mut Reader<'_>) -> Option<Option<ErrorCode>> {
    let Some(number) = reader.number()?.checked_sub(1) else { return Some(None) };
    ErrorCode::from_number(u32::try_from(number).ok()?).map(Some)
}
