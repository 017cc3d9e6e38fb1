//! A message as a row of the views, there and back.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Type;
use rusqlite::{Row, Statement, params};

use crate::domain::lifecycle::{Counts, Deciding, Evidence, Receipt, Trace};
use crate::domain::reported::Addressed;
use crate::domain::{
    AccountSid, ErrorCode, Lifecycle, MessageKey, MessageSid, Rule, Status, Timestamp,
};
use crate::store::Message;

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, deciding_position, deciding_error_code,
    from_address, to_address, channel, messaging_service_sid, receipt_status, raw_dlr_done_date,
    heard, codes, first_received_at, last_received_at, events, duplicates, late, unrecognised, trail";

/// A SID as a key: 17 bytes for the usual form in lower case, else a 0 and its text.
/// SM… and MM… with the same digits stay two messages.
pub fn pack_sid(sid: &MessageSid) -> Vec<u8> {
    let text = sid.as_str();
    let kind = match text.get(..2) {
        Some("SM") => 1,
        Some("MM") => 2,
        _ => 0,
    };
    match text.get(2..).and_then(raw_of_hex).filter(|_| kind != 0) {
        Some(raw) => [&[kind], &raw[..]].concat(),
        None => [&[0], text.as_bytes()].concat(),
    }
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
    fits.then(|| u128::from_str_radix(hex, 16).ok()).flatten().map(u128::to_be_bytes)
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
        heard_to_json(&evidence.heard),
        codes_to_json(&evidence.codes),
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
    let sid: Vec<u8> = row.get(2)?;
    let status = status_column(row, 3)?;
    let deciding = Deciding {
        position: row.get(4)?,
        status,
        error_code: code_column(row, 5)?,
        addressed: Addressed {
            from: row.get(6)?,
            to: row.get(7)?,
            channel: row.get(8)?,
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
            message_sid: unpack_sid(&sid).ok_or_else(|| damaged(2, "a message SID"))?,
        },
        lifecycle: Lifecycle {
            evidence: Evidence {
                rule,
                heard: heard_from_json(&row.get::<_, String>(12)?)
                    .ok_or_else(|| damaged(12, "the statuses heard"))?,
                codes: codes_from_json(&row.get::<_, String>(13)?)
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

/// Position and fingerprint of each event, big-endian.
fn trail_to_blob(trail: &[Trace]) -> Vec<u8> {
    let numbers = trail.iter().flat_map(|trace| [trace.position, trace.fingerprint]);
    numbers.flat_map(u64::to_be_bytes).collect()
}

fn trail_from_blob(blob: &[u8]) -> Option<Vec<Trace>> {
    let (numbers, rest) = blob.as_chunks::<8>();
    let (traces, odd) = numbers.as_chunks::<2>();
    let trace = |[position, fingerprint]: &[[u8; 8]; 2]| Trace {
        position: u64::from_be_bytes(*position),
        fingerprint: u64::from_be_bytes(*fingerprint),
    };
    (rest.is_empty() && odd.is_empty()).then(|| traces.iter().map(trace).collect())
}

fn heard_to_json(heard: &BTreeMap<Status, Timestamp>) -> String {
    let names: BTreeMap<&str, i64> =
        heard.iter().map(|(status, at)| (status.name(), at.micros())).collect();
    serde_json::to_string(&names).expect("names and numbers are JSON")
}

fn heard_from_json(text: &str) -> Option<BTreeMap<Status, Timestamp>> {
    let entries: BTreeMap<String, i64> = serde_json::from_str(text).ok()?;
    let entry =
        |(name, at): (String, i64)| Some((Status::parse(&name)?, Timestamp::from_micros(at)));
    entries.into_iter().map(entry).collect()
}

fn codes_to_json(codes: &BTreeSet<(ErrorCode, Option<Status>)>) -> String {
    let pairs: Vec<_> =
        codes.iter().map(|(code, status)| (code.number(), status.map(Status::name))).collect();
    serde_json::to_string(&pairs).expect("names and numbers are JSON")
}

fn codes_from_json(text: &str) -> Option<BTreeSet<(ErrorCode, Option<Status>)>> {
    let pairs: Vec<(u32, Option<String>)> = serde_json::from_str(text).ok()?;
    let pair = |(code, status): (u32, Option<String>)| {
        let status = match status {
            Some(name) => Some(Status::parse(&name)?),
            None => None,
        };
        Some((ErrorCode::parse(&code.to_string())?, status))
    };
    pairs.into_iter().map(pair).collect()
}

fn status_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Status>> {
    let name: Option<String> = row.get(index)?;
    let parse = |name: String| Status::parse(&name).ok_or_else(|| damaged(index, "a status"));
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
