//! A message as a row of the views.

use rusqlite::{CachedStatement, Row, params};
use smallvec::SmallVec;

use crate::domain::message::message_ref::MessageRef;
use crate::domain::{AccountSid, Lifecycle, MessageKey, Rule, Status};
use crate::store::Message;
use crate::store::sqlite::views::codec::flags::flags;
use crate::store::sqlite::views::codec::lifecycle::{self, Addresses};
use crate::store::sqlite::views::codec::sid::unpack_sid;
use crate::store::sqlite::views::tables::{Tables, damaged};

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, recipient, sender, flags, lifecycle";

/// An address with its bytes reversed; the usual one needs no memory of its own.
pub type ReversedAddress = SmallVec<[u8; 24]>;

/// Reverses an address, so that those with the same last digits are neighbours in an index.
pub fn reversed(address: &str) -> ReversedAddress {
    let mut reversed = ReversedAddress::from_slice(address.as_bytes());
    reversed.reverse();
    reversed
}

/// A buffer for the reversed addresses of a row.
#[derive(Default)]
pub struct AddressBuffers {
    recipient: Vec<u8>,
    sender: Vec<u8>,
}

impl AddressBuffers {
    fn read<'b>(&'b mut self, row: &Row<'_>, first: usize) -> rusqlite::Result<Addresses<'b>> {
        let Self { recipient, sender } = self;
        Ok(Addresses {
            to: address(row, first, recipient)?,
            from: address(row, first + 1, sender)?,
        })
    }
}

fn address<'b>(
    row: &Row<'_>,
    column: usize,
    buffer: &'b mut Vec<u8>,
) -> rusqlite::Result<Option<&'b str>> {
    let Some(reversed) = row.get_ref(column)?.as_blob_or_null()? else { return Ok(None) };
    buffer.clear();
    buffer.extend(reversed.iter().rev());
    std::str::from_utf8(buffer).map(Some).map_err(|_| damaged(column, "an address"))
}

/// Statements that write messages. An update names only the columns that change: each index of a
/// column that it names would be written as well.
pub struct MessageWriter<'c> {
    insert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    update_flags: CachedStatement<'c>,
    update_all: CachedStatement<'c>,
    /// Of one message at a time.
    lifecycle: Vec<u8>,
}

impl<'c> MessageWriter<'c> {
    /// Prepares the statements.
    pub fn new(tables: Tables<'c>) -> rusqlite::Result<Self> {
        let update = "UPDATE messages SET status = ?2, lifecycle = ?3";
        Ok(Self {
            insert: tables.prepare(&format!(
                "INSERT INTO messages({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?,
            update: tables.prepare(&format!("{update} WHERE id = ?1"))?,
            update_flags: tables.prepare(&format!("{update}, flags = ?4 WHERE id = ?1"))?,
            update_all: tables.prepare(&format!(
                "{update}, flags = ?4, recipient = ?5, sender = ?6 WHERE id = ?1"
            ))?,
            lifecycle: Vec::new(),
        })
    }

    /// Writes a new message.
    pub fn insert(
        &mut self,
        id: u64,
        account: i64,
        packed_sid: &[u8],
        lifecycle: &Lifecycle,
    ) -> rusqlite::Result<()> {
        let (status, [recipient, sender]) = self.pack(lifecycle);
        let (recipient, sender) = (recipient.as_deref(), sender.as_deref());
        let (flags, lifecycle) = (flags(lifecycle), &self.lifecycle);
        let row = params![id, account, packed_sid, status, recipient, sender, flags, lifecycle];
        self.insert.execute(row).map(|_| ())
    }

    /// Writes a message that has changed; `before` is what its row has.
    pub fn update(
        &mut self,
        id: u64,
        before: Option<&Lifecycle>,
        lifecycle: &Lifecycle,
    ) -> rusqlite::Result<()> {
        let (status, [recipient, sender]) = self.pack(lifecycle);
        let (packed, flags_now) = (&self.lifecycle, flags(lifecycle));
        let keeps_addresses = before.is_some_and(|before| {
            Addresses::from_lifecycle(before) == Addresses::from_lifecycle(lifecycle)
        });
        let keeps_flags = before.is_some_and(|before| flags(before) == flags_now);
        match (keeps_addresses, keeps_flags) {
            (true, true) => self.update.execute(params![id, status, packed]),
            (true, false) => self.update_flags.execute(params![id, status, packed, flags_now]),
            (false, _) => {
                let (recipient, sender) = (recipient.as_deref(), sender.as_deref());
                let row = params![id, status, packed, flags_now, recipient, sender];
                self.update_all.execute(row)
            }
        }
        .map(|_| ())
    }

    fn pack(
        &mut self,
        lifecycle: &Lifecycle,
    ) -> (Option<&'static str>, [Option<ReversedAddress>; 2]) {
        self.lifecycle.clear();
        lifecycle::push(&mut self.lifecycle, lifecycle);
        let Addresses { to, from } = Addresses::from_lifecycle(lifecycle);
        (lifecycle.evidence.status().map(Status::name), [to.map(reversed), from.map(reversed)])
    }
}

/// A message from a row of [`COLUMNS`]; `account_sid` returns the SID for an account's number.
pub fn from_row(
    row: &Row<'_>,
    rule: Rule,
    buffers: &mut AddressBuffers,
    account_sid: impl FnOnce(i64) -> rusqlite::Result<Option<AccountSid>>,
) -> rusqlite::Result<Message> {
    let addresses = buffers.read(row, 4)?;
    let lifecycle = lifecycle::read(row.get_ref(7)?.as_blob()?, rule, status(row, 3)?, addresses)
        .ok_or_else(|| damaged(7, "a lifecycle"))?;
    // Lists rely on the flags, and nothing else would reveal wrong ones.
    if row.get::<_, u8>(6)? != flags(&lifecycle)
        || addresses != Addresses::from_lifecycle(&lifecycle)
    {
        return Err(damaged(6, "the flags and addresses of this lifecycle"));
    }
    Ok(Message {
        id: row.get(0)?,
        key: MessageKey {
            account_sid: account_sid(row.get(1)?)?,
            message_sid: unpack_sid(row.get_ref(2)?.as_blob()?)
                .ok_or_else(|| damaged(2, "a message SID"))?,
        },
        lifecycle,
    })
}

/// The columns in the order of [`message_ref`].
pub const REF_COLUMNS: &str = "account, status, recipient, sender, lifecycle";

/// The message of a row of [`REF_COLUMNS`], borrowed from it.
pub fn message_ref<'a>(
    row: &'a Row<'_>,
    account_sid: Option<&'a AccountSid>,
    buffers: &'a mut AddressBuffers,
) -> rusqlite::Result<MessageRef<'a>> {
    let addresses = buffers.read(row, 2)?;
    let account_sid = account_sid.map(AccountSid::as_str);
    lifecycle::message_ref(row.get_ref(4)?.as_blob()?, account_sid, status(row, 1)?, addresses)
        .ok_or_else(|| damaged(4, "a lifecycle"))
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Status>> {
    match row.get_ref(column)?.as_str_or_null()? {
        Some(name) => {
            Status::from_exact_name(name).map(Some).ok_or_else(|| damaged(column, "a status"))
        }
        None => Ok(None),
    }
}
