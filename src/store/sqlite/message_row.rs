//! A message as a row of the views, there and back.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rusqlite::types::Type;
use rusqlite::{Row, Statement, params};
use smallvec::SmallVec;

use crate::domain::heard::Heard;
use crate::domain::lifecycle::{Counts, Deciding, Evidence, Receipt, Trace, Trail};
use crate::domain::reported::Addressed;
use crate::domain::{
    AccountSid, ErrorCode, Lifecycle, MessageKey, MessageSid, Rule, Status, Timestamp,
};
use crate::store::Message;

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, deciding_position, deciding_error_code,
    from_address, to_address, channel, messaging_service_sid, receipt_status, raw_dlr_done_date,
    heard, codes, first_received_at, last_received_at, events, duplicates, late, unrecognised, trail";

/// A SID as a key; the usual one takes no memory of its own.
pub type PackedSid = SmallVec<[u8; 17]>;

/// A SID as a key: 17 bytes for the usual form in lower case, else a 0 and its text.
/// SM… and MM… with the same digits stay two messages.
pub fn pack_sid(sid: &MessageSid) -> PackedSid {
    let text = sid.as_str();
    let kind = match text.get(..2) {
        Some("SM") => 1,
        Some("MM") => 2,
        _ => 0,
    };
    match text.get(2..).and_then(raw_of_hex).filter(|_| kind != 0) {
        Some(raw) => packed(kind, &raw),
        None => packed(0, text.as_bytes()),
    }
}

fn packed(kind: u8, rest: &[u8]) -> PackedSid {
    let mut packed = PackedSid::with_capacity(1 + rest.len());
    packed.push(kind);
    packed.extend_from_slice(rest);
    packed
}

fn unpack_sid(packed: &[u8]) -> Option<MessageSid> {
    let (kind, rest) = packed.split_first()?;
    let hex = || format!("{:032x}", u128::from_be_bytes(rest.try_into().unwrap_or_default()));
    match (kind, rest.len()) {
        (0, _) => MessageSid::parse(std::str::from_utf8(rest).ok()?),
        (1, 16) => MessageSid::parse(&format!("SM{}", hex())),
        (2, 16) => MessageSid::parse(&format!("MM{}", hex())),
        _ => None,
    }
}

/// The 16 bytes behind exactly 32 hex digits in lower case.
fn raw_of_hex(hex: &str) -> Option<[u8; 16]> {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = hex.len() == 32 && hex.bytes().all(lower);
    let half = |range| u64::from_str_radix(hex.get(range)?, 16).ok();
    let (high, low) = fits.then(|| half(0..16).zip(half(16..32))).flatten()?;
    Some((u128::from(high) << 64 | u128::from(low)).to_be_bytes())
}

/// Writes a message by a statement with the values of [`COLUMNS`].
pub fn put(
    statement: &mut Statement<'_>,
    id: u64,
    account: i64,
    packed_sid: &[u8],
    lifecycle: &Lifecycle,
) -> rusqlite::Result<()> {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, trail } = lifecycle;
    let deciding = evidence.deciding.as_ref().expect("a message has at least one event");
    let Addressed { from, to, channel, messaging_service_sid } = &deciding.addressed;
    let receipt = evidence.receipt.as_ref();
    statement.execute(params![
        id,
        account,
        packed_sid,
        deciding.status.map(Status::name),
        deciding.position,
        deciding.error_code.map(ErrorCode::number),
        from,
        to,
        channel,
        messaging_service_sid,
        receipt.and_then(|receipt| receipt.status).map(Status::name),
        receipt.map(|receipt| &receipt.raw_dlr_done_date),
        heard_to_blob(&evidence.heard),
        codes_to_blob(&evidence.codes),
        first_received_at.micros(),
        last_received_at.micros(),
        counts.events,
        counts.duplicates,
        counts.late,
        counts.unrecognised,
        trail_to_blob(trail),
    ])?;
    Ok(())
}

/// A message from a row of [`COLUMNS`]; `account_sid` gives an account's name.
pub fn from_row(
    row: &Row<'_>,
    rule: Rule,
    account_sid: impl FnOnce(i64) -> rusqlite::Result<Option<AccountSid>>,
) -> rusqlite::Result<Message> {
    let status = status_column(row, 3)?;
    let deciding = Deciding {
        position: row.get(4)?,
        status,
        error_code: code_column(row, 5)?,
        addressed: Addressed {
            from: row.get(6)?,
            to: row.get(7)?,
            channel: Cow::Owned(row.get(8)?),
            messaging_service_sid: row.get(9)?,
        },
    };
    let receipt = match row.get::<_, Option<String>>(11)? {
        Some(raw_dlr_done_date) => {
            Some(Receipt { status: status_column(row, 10)?, raw_dlr_done_date })
        }
        None => None,
    };
    Ok(Message {
        id: row.get(0)?,
        key: MessageKey {
            account_sid: account_sid(row.get(1)?)?,
            message_sid: unpack_sid(row.get_ref(2)?.as_blob()?)
                .ok_or_else(|| damaged(2, "a message SID"))?,
        },
        lifecycle: Lifecycle {
            evidence: Evidence {
                rule,
                heard: heard_from_blob(row.get_ref(12)?.as_blob()?)
                    .ok_or_else(|| damaged(12, "the statuses heard"))?,
                codes: codes_from_blob(row.get_ref(13)?.as_blob()?)
                    .ok_or_else(|| damaged(13, "the error codes heard"))?,
                deciding: Some(deciding),
                receipt,
            },
            first_received_at: Timestamp::from_micros(row.get(14)?),
            last_received_at: Timestamp::from_micros(row.get(15)?),
            counts: Counts {
                events: row.get(16)?,
                duplicates: row.get(17)?,
                late: row.get(18)?,
                unrecognised: row.get(19)?,
            },
            trail: trail_from_blob(row.get_ref(20)?.as_blob()?)
                .ok_or_else(|| damaged(20, "a trail"))?,
        },
    })
}

/// How many bytes one event takes in a trail.
const TRACE_BYTES: usize = 17;

/// Of each event position and fingerprint, big-endian, and its status as [`status_byte`] has it.
fn trail_to_blob(trail: &[Trace]) -> Vec<u8> {
    let mut blob = Vec::with_capacity(trail.len() * TRACE_BYTES);
    for Trace { position, fingerprint, status } in trail {
        blob.extend_from_slice(&position.to_be_bytes());
        blob.extend_from_slice(&fingerprint.to_be_bytes());
        blob.push(status_byte(*status));
    }
    blob
}

fn trail_from_blob(blob: &[u8]) -> Option<Trail> {
    let (traces, rest) = blob.as_chunks::<TRACE_BYTES>();
    let trace = |bytes: &[u8; TRACE_BYTES]| {
        let (numbers, status) = bytes.as_chunks::<8>();
        let [position, fingerprint] = [numbers[0], numbers[1]].map(u64::from_be_bytes);
        Some(Trace { position, fingerprint, status: status_of_byte(status[0])? })
    };
    rest.is_empty().then(|| traces.iter().map(trace).collect()).flatten()
}

/// A status as its place among all of them, from 1; 0 is none. Another order of them, or a new one
/// in between, takes a change of the views' migration, so that views written before are made anew.
fn status_byte(status: Option<Status>) -> u8 {
    let place = |status| Status::ALL.iter().position(|each| *each == status);
    status.and_then(place).map_or(0, |place| place as u8 + 1)
}

fn status_of_byte(byte: u8) -> Option<Option<Status>> {
    match byte.checked_sub(1) {
        None => Some(None),
        Some(place) => Status::ALL.get(usize::from(place)).copied().map(Some),
    }
}

/// How many bytes a status heard takes, and how many an error code heard.
const HEARD_BYTES: usize = 9;
const CODE_BYTES: usize = 5;

/// Of each status its byte and the microseconds of its first arrival, big-endian.
fn heard_to_blob(heard: &Heard) -> Vec<u8> {
    let mut blob = Vec::with_capacity(heard.iter().len() * HEARD_BYTES);
    for (status, at) in heard.iter() {
        blob.push(status_byte(Some(status)));
        blob.extend_from_slice(&at.micros().to_be_bytes());
    }
    blob
}

fn heard_from_blob(blob: &[u8]) -> Option<Heard> {
    let (entries, rest) = blob.as_chunks::<HEARD_BYTES>();
    let entry = |[status, at @ ..]: &[u8; HEARD_BYTES]| {
        let at = Timestamp::from_micros(i64::from_be_bytes(*at));
        Some((status_of_byte(*status)??, at))
    };
    rest.is_empty().then(|| entries.iter().map(entry).collect()).flatten()
}

/// Of each error code its number, big-endian, and the byte of the status it came with.
fn codes_to_blob(codes: &BTreeSet<(ErrorCode, Option<Status>)>) -> Vec<u8> {
    let mut blob = Vec::with_capacity(codes.len() * CODE_BYTES);
    for (code, status) in codes {
        blob.extend_from_slice(&code.number().to_be_bytes());
        blob.push(status_byte(*status));
    }
    blob
}

fn codes_from_blob(blob: &[u8]) -> Option<BTreeSet<(ErrorCode, Option<Status>)>> {
    let (entries, rest) = blob.as_chunks::<CODE_BYTES>();
    let entry = |[number @ .., status]: &[u8; CODE_BYTES]| {
        let code = ErrorCode::parse(&u32::from_be_bytes(*number).to_string())?;
        Some((code, status_of_byte(*status)?))
    };
    rest.is_empty().then(|| entries.iter().map(entry).collect()).flatten()
}

fn status_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Status>> {
    let name = row.get_ref(index)?.as_str_or_null()?;
    let parse = |name: &str| Status::parse(name).ok_or_else(|| damaged(index, "a status"));
    name.map(parse).transpose()
}

fn code_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<ErrorCode>> {
    let number: Option<u32> = row.get(index)?;
    let parse = |number: u32| {
        ErrorCode::parse(&number.to_string()).ok_or_else(|| damaged(index, "an error code"))
    };
    number.map(parse).transpose()
}

fn damaged(column: usize, what: &str) -> rusqlite::Error {
    let detail = format!("this is not {what}");
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, detail.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{pack_sid, unpack_sid};
    use crate::domain::MessageSid;

    proptest! {
        #[test]
        fn any_sid_is_unpacked_as_it_was(text in "(SM|MM|XX)?[0-9a-fA-F]{30,34}|.{1,40}") {
            let sid = MessageSid::parse(&text).unwrap();
            prop_assert_eq!(unpack_sid(&pack_sid(&sid)), Some(sid));
        }
    }
}
