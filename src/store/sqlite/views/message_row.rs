//! A message as a row of the views, there and back.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Row, params};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::domain::message_ref::MessageRef;
use crate::domain::{AccountSid, Lifecycle, MessageKey, MessageSid, Rule, Status};
use crate::store::Message;
use crate::store::sqlite::views::codec::lifecycle;

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, lifecycle";

/// A SID as a key; the usual one takes no memory of its own.
pub type PackedSid = SmallVec<[u8; 17]>;

/// A SID as a key: 17 bytes for the usual form in lower case, else a 0 and its text.
/// SM… and MM… with the same digits stay two messages.
pub fn pack_sid(sid: &MessageSid) -> PackedSid {
    let text = sid.as_str().as_bytes();
    match text.split_first_chunk() {
        Some((b"SM", hex)) => raw_of_hex(hex).map(|raw| packed(1, &raw)),
        Some((b"MM", hex)) => raw_of_hex(hex).map(|raw| packed(2, &raw)),
        _ => None,
    }
    .unwrap_or_else(|| packed(0, text))
}

fn packed(kind: u8, rest: &[u8]) -> PackedSid {
    let mut packed = PackedSid::with_capacity(1 + rest.len());
    packed.push(kind);
    packed.extend_from_slice(rest);
    packed
}

fn unpack_sid(packed: &[u8]) -> Option<MessageSid> {
    let (kind, rest) = packed.split_first()?;
    let hex = |kind: &str| {
        let mut sid = [0; 34];
        sid[..2].copy_from_slice(kind.as_bytes());
        Uuid::from_slice(rest).ok()?.simple().encode_lower(&mut sid[2..]);
        MessageSid::parse(std::str::from_utf8(&sid).ok()?)
    };
    match kind {
        0 => MessageSid::parse(std::str::from_utf8(rest).ok()?),
        1 => hex("SM"),
        2 => hex("MM"),
        _ => None,
    }
}

/// The 16 bytes behind exactly 32 hex digits in lower case: a UUID but for its hyphens.
fn raw_of_hex(hex: &[u8]) -> Option<[u8; 16]> {
    // Without a way out in between, the compiler compares many digits at a time.
    let lower = |all, byte: &u8| all & (byte.is_ascii_digit() | (b'a'..=b'f').contains(byte));
    let fits = hex.len() == 32 && hex.iter().fold(true, lower);
    fits.then(|| Uuid::try_parse_ascii(hex).ok()).flatten().map(Uuid::into_bytes)
}

/// Writes messages by a statement with the values of [`COLUMNS`].
pub struct MessageInsert<'c> {
    statement: CachedStatement<'c>,
    /// Of one message at a time.
    lifecycle: Vec<u8>,
}

impl<'c> MessageInsert<'c> {
    /// By this statement.
    pub fn new(statement: CachedStatement<'c>) -> Self {
        Self { statement, lifecycle: Vec::new() }
    }

    /// Writes one message.
    pub fn put(
        &mut self,
        id: u64,
        account: i64,
        packed_sid: &[u8],
        lifecycle: &Lifecycle,
    ) -> rusqlite::Result<()> {
        self.lifecycle.clear();
        lifecycle::push(&mut self.lifecycle, lifecycle);
        let status = lifecycle.evidence.status().map(Status::name);
        self.statement.execute(params![id, account, packed_sid, status, self.lifecycle])?;
        Ok(())
    }
}

/// A message from a row of [`COLUMNS`]; `account_sid` gives an account's name.
pub fn from_row(
    row: &Row<'_>,
    rule: Rule,
    account_sid: impl FnOnce(i64) -> rusqlite::Result<Option<AccountSid>>,
) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        key: MessageKey {
            account_sid: account_sid(row.get(1)?)?,
            message_sid: unpack_sid(row.get_ref(2)?.as_blob()?)
                .ok_or_else(|| damaged(2, "a message SID"))?,
        },
        lifecycle: lifecycle::read(row.get_ref(4)?.as_blob()?, rule, status(row, 3)?)
            .ok_or_else(|| damaged(4, "a lifecycle"))?,
    })
}

/// The columns in the order of [`standing_of_row`].
pub const STANDING_COLUMNS: &str = "account, status, lifecycle";

/// Where the message of a row of [`STANDING_COLUMNS`] stands, lent.
pub fn standing_of_row<'a>(
    row: &'a Row<'_>,
    account_sid: impl FnOnce(i64) -> rusqlite::Result<Option<&'a AccountSid>>,
) -> rusqlite::Result<MessageRef<'a>> {
    let account_sid = account_sid(row.get(0)?)?.map(AccountSid::as_str);
    lifecycle::standing(row.get_ref(2)?.as_blob()?, account_sid, status(row, 1)?)
        .ok_or_else(|| damaged(2, "a lifecycle"))
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(name) => Status::named(name).map(Some).ok_or_else(|| damaged(column, "a status")),
        None => Ok(None),
    }
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
