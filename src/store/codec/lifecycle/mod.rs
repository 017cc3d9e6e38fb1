//! The encoding of a lifecycle as one value of its message's row. No query needs what is in it, and a
//! row of few columns is quicker to write than one of many.
//!
//! In this order, numbers in the form of [`varint`]:
//! 1. the deciding event: its position, and what it says; then the number of events below it that
//!    have what it lacks, and of each its position, the byte of its status, and what it says: error
//!    code, a byte with its doubt and whether it reports its channel, From, To, channel,
//!    MessagingServiceSid;
//! 2. the receipt's text and, if there is a receipt, the status it came with;
//! 3. the times of the first and the last arrival, in microseconds; a byte with a bit for each kind of
//!    event, and the time of creation if it is known;
//! 4. the number of statuses reported, and of each its byte and the time of its first arrival;
//! 5. the number of error codes reported, and of each its number and the byte of its status;
//! 6. twice the number of tags, plus 1 if the message has further tags, and of each tag its name and
//!    its value;
//! 7. the details, as `details` describes them;
//! 8. the numbers of events, duplicates, late and unrecognised ones;
//! 9. the number of events of the history, and of each its position, fingerprint and status byte, which is
//!    254 or 255 for feedback and clicks.
//!
//! This is format 5. The views' migration has the number too, so that views in another are rebuilt.
//!
//! Positions are relative to the one before, times to the first. What may be absent is one more than
//! its number or length, or 0. The deciding event's status, and From and To of the message, are columns.
//! From and To of an event are 0 if absent, 1 if they are the column's, else two more than their length.

mod details;
mod event;
mod history;
mod kinds;
mod status;
mod tags;

use smol_str::SmolStr;

use crate::domain::message::lifecycle::{
    Counts, DeliveryReceipt, Evidence, ReportedCodes, shown_error_code,
};
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::message::status_times::StatusTimes;
use crate::domain::{ErrorCode, Lifecycle, Position, Rule, Status, Timestamp};
use crate::store::codec::lifecycle::event::{
    ShownFacts, push_facts, push_text, read_facts, read_text,
};
use crate::store::codec::lifecycle::status::{status_byte, status_of};
use crate::store::codec::varint::{self, Reader};

pub use self::event::Addresses;

/// Adds a lifecycle, of which at least one event is known, to bytes.
pub fn push(bytes: &mut Vec<u8>, lifecycle: &Lifecycle) {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, history } = lifecycle;
    let deciding = evidence.deciding.as_ref().expect("a message has at least one event");
    let columns = Addresses::from_lifecycle(lifecycle);
    varint::push(bytes, deciding.position);
    push_facts(bytes, deciding, columns);
    varint::push(bytes, evidence.address_fallbacks.len() as u64);
    for event in &evidence.address_fallbacks {
        varint::push_near(bytes, deciding.position, event.position);
        bytes.push(status_byte(event.status));
        push_facts(bytes, event, columns);
    }
    let receipt = evidence.receipt.as_ref();
    push_text(bytes, receipt.map(|receipt| receipt.raw_dlr_done_date.as_str()));
    bytes.extend(receipt.map(|receipt| status_byte(receipt.status)));
    let first = first_received_at.micros() as u64;
    varint::push(bytes, first);
    varint::push_near(bytes, first, last_received_at.micros() as u64);
    kinds::push(bytes, first, evidence.kinds);
    varint::push(bytes, evidence.status_times.iter().len() as u64);
    for (status, at) in evidence.status_times.iter() {
        bytes.push(status_byte(Some(status)));
        varint::push_near(bytes, first, at.micros() as u64);
    }
    varint::push(bytes, evidence.codes.len() as u64);
    for (code, status) in &evidence.codes {
        varint::push(bytes, code.number().into());
        bytes.push(status_byte(*status));
    }
    tags::push(bytes, &evidence.tags);
    details::push(bytes, first, &evidence.details);
    let Counts { events, duplicates, late, unrecognised } = *counts;
    for count in [events, duplicates, late, unrecognised] {
        varint::push(bytes, count);
    }
    history::push(bytes, deciding.position, history);
}

/// The lifecycle of these bytes and columns; `None` if they are something else.
pub fn read(
    bytes: &[u8],
    rule: Rule,
    status: Option<Status>,
    columns: Addresses<'_>,
) -> Option<Lifecycle> {
    let mut reader = Reader::new(bytes);
    let position = reader.number()?;
    let deciding = read_facts(&mut reader, columns)?.into_event(position, status);
    let address_fallbacks = (0..reader.number()?).map(|_| {
        let position = reader.number_near(position)?;
        let status = status_of(reader.byte()?)?;
        Some(read_facts(&mut reader, columns)?.into_event(position, status))
    });
    let address_fallbacks = address_fallbacks.collect::<Option<_>>()?;
    let receipt = match read_text(&mut reader)?.map(SmolStr::new) {
        Some(raw_dlr_done_date) => {
            Some(DeliveryReceipt { status: status_of(reader.byte()?)?, raw_dlr_done_date })
        }
        None => None,
    };
    let first = reader.number()?;
    let last = reader.number_near(first)?;
    let kinds = kinds::read(&mut reader, first)?;
    let lifecycle = Lifecycle {
        first_received_at: Timestamp::from_micros(first as i64),
        last_received_at: Timestamp::from_micros(last as i64),
        evidence: Evidence {
            rule,
            status_times: status_times(&mut reader, first)?,
            codes: codes(&mut reader)?,
            tags: tags::read(&mut reader)?,
            details: details::read(&mut reader, first)?,
            deciding: Some(deciding),
            address_fallbacks,
            receipt,
            kinds,
        },
        counts: Counts {
            events: reader.number()?,
            duplicates: reader.number()?,
            late: reader.number()?,
            unrecognised: reader.number()?,
        },
        history: history::read(&mut reader, position)?,
    };
    reader.finish()?;
    Some(lifecycle)
}

/// The part of a lifecycle that filters and reports need; `None` if the bytes are something else.
pub fn message_ref<'a>(
    bytes: &'a [u8],
    account_sid: Option<&'a str>,
    status: Option<Status>,
    columns: Addresses<'a>,
) -> Option<MessageRef<'a>> {
    begun(&mut Reader::new(bytes), account_sid, status, columns).map(|begun| begun.state)
}

/// The message with this key, without copies of its texts; `None` if the bytes are something else.
pub fn whole_message<'a>(
    bytes: &'a [u8],
    rule: Rule,
    (account_sid, message_sid): (Option<&'a str>, &'a str),
    status: Option<Status>,
    columns: Addresses<'a>,
) -> Option<WholeMessage<'a>> {
    let mut reader = Reader::new(bytes);
    let begun = begun(&mut reader, account_sid, status, columns)?;
    let Begun { state, position, raw_dlr_done_date, last, codes, tags_dropped, counts } = begun;
    let counts = Counts { unrecognised: reader.number()?, ..counts };
    let last_position = history::last_position(&mut reader, position)?;
    reader.finish()?;
    let last_received_at = Timestamp::from_micros(last as i64);
    Some(WholeMessage {
        message_sid,
        state,
        rule,
        codes,
        raw_dlr_done_date,
        last_received_at,
        counts,
        tags_dropped,
        last_position,
    })
}

/// What the bytes of a lifecycle begin with, up to the number of late events.
struct Begun<'a> {
    state: MessageRef<'a>,
    /// Of the deciding event.
    position: Position,
    raw_dlr_done_date: Option<&'a str>,
    last: u64,
    codes: ReportedCodes,
    tags_dropped: bool,
    /// All but the unrecognised ones.
    counts: Counts,
}

fn begun<'a>(
    reader: &mut Reader<'a>,
    account_sid: Option<&'a str>,
    status: Option<Status>,
    columns: Addresses<'a>,
) -> Option<Begun<'a>> {
    let position = reader.number()?;
    let mut shown = read_facts(reader, columns)?;
    for _ in 0..reader.number()? {
        let (_position, _status) = (reader.number()?, reader.byte()?);
        shown.complete(read_facts(reader, columns)?);
    }
    let ShownFacts { from, to, channel, messaging_service_sid, .. } = shown;
    let raw_dlr_done_date = read_text(reader)?;
    if raw_dlr_done_date.is_some() {
        let _of_receipt = reader.byte()?;
    }
    let first = reader.number()?;
    let last = reader.number_near(first)?;
    let kinds = kinds::read(reader, first)?;
    let (status_times, codes) = (status_times(reader, first)?, codes(reader)?);
    let (tags, tags_dropped) = tags::refs(reader)?;
    let details = details::read(reader, first)?;
    let (events, duplicates, late) = (reader.number()?, reader.number()?, reader.number()?);
    let state = MessageRef {
        account_sid,
        status,
        error_code: shown_error_code(&status_times, &codes, status),
        from,
        to,
        channel,
        messaging_service_sid,
        first_received_at: Timestamp::from_micros(first as i64),
        status_times,
        late: late > 0,
        duplicate: duplicates > 0,
        kinds,
        tags,
        details,
    };
    let counts = Counts { events, duplicates, late, unrecognised: 0 };
    Some(Begun { state, position, raw_dlr_done_date, last, codes, tags_dropped, counts })
}

fn status_times(reader: &mut Reader<'_>, first: u64) -> Option<StatusTimes> {
    let count = reader.number()?;
    let entry = |_| {
        let status = status_of(reader.byte()?)??;
        Some((status, Timestamp::from_micros(reader.number_near(first)? as i64)))
    };
    (0..count).map(entry).collect()
}

fn codes(reader: &mut Reader<'_>) -> Option<ReportedCodes> {
    let count = reader.number()?;
    let entry = |_| {
        let number = u32::try_from(reader.number()?).ok()?;
        Some((ErrorCode::from_number(number)?, status_of(reader.byte()?)?))
    };
    (0..count).map(entry).collect()
}

#[cfg(test)]
mod tests;
