//! A message as a row of the views, there and back.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::types::Type;
use rusqlite::{Row, ToSql};
use serde_json::{Value, json};

use crate::domain::lifecycle::{Counts, Deciding, Evidence, Receipt, Trace};
use crate::domain::reported::Addressed;
use crate::domain::{
    AccountSid, ErrorCode, Lifecycle, MessageKey, MessageSid, Rule, Status, Timestamp,
};
use crate::store::Message;

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, deciding_position, deciding_error_code,
    from_address, to_address, channel, messaging_service_sid, receipt_status, raw_dlr_done_date,
    heard, codes, first_received_at, last_received_at, events, duplicates, late, unrecognised";

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

/// The values of a message in the order of [`COLUMNS`], for an account's number.
pub fn to_row(message: &Message, account: i64) -> Vec<Box<dyn ToSql>> {
    let Lifecycle { evidence, first_received_at, last_received_at, counts, .. } =
        &message.lifecycle;
    let deciding = evidence.deciding.as_ref().expect("a message has at least one event");
    let Addressed { from, to, channel, messaging_service_sid } = deciding.addressed.clone();
    let receipt = evidence.receipt.clone();
    let receipt_status = receipt.as_ref().and_then(|receipt| receipt.status).map(Status::name);
    vec![
        Box::new(message.id),
        Box::new(account),
        Box::new(pack_sid(&message.key.message_sid)),
        Box::new(deciding.status.map(Status::name)),
        Box::new(deciding.position),
        Box::new(deciding.error_code.map(ErrorCode::number)),
        Box::new(from),
        Box::new(to),
        Box::new(channel),
        Box::new(messaging_service_sid),
        Box::new(receipt_status),
        Box::new(receipt.map(|receipt| receipt.raw_dlr_done_date)),
        Box::new(heard_to_json(&evidence.heard)),
        Box::new(codes_to_json(&evidence.codes)),
        Box::new(first_received_at.micros()),
        Box::new(last_received_at.micros()),
        Box::new(counts.events),
        Box::new(counts.duplicates),
        Box::new(counts.late),
        Box::new(counts.unrecognised),
    ]
}

/// A message without its trail, from a row of [`COLUMNS`]; `account_sid` gives an account's name.
pub fn from_row(
    row: &Row<'_>,
    rule: Rule,
    trail: Vec<Trace>,
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
            trail,
        },
    })
}

fn heard_to_json(heard: &BTreeMap<Status, Timestamp>) -> String {
    let entries = heard.iter().map(|(status, at)| (status.name().to_owned(), json!(at.micros())));
    Value::Object(entries.collect()).to_string()
}

fn heard_from_json(text: &str) -> Option<BTreeMap<Status, Timestamp>> {
    let entries: BTreeMap<String, i64> = serde_json::from_str(text).ok()?;
    let entry =
        |(name, at): (String, i64)| Some((Status::parse(&name)?, Timestamp::from_micros(at)));
    entries.into_iter().map(entry).collect()
}

fn codes_to_json(codes: &BTreeSet<(ErrorCode, Option<Status>)>) -> String {
    let pair = |(code, status): &(ErrorCode, Option<Status>)| {
        json!([code.number(), status.map(Status::name)])
    };
    Value::Array(codes.iter().map(pair).collect()).to_string()
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
