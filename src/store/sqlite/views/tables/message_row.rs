//! A message as a row of the views.

use rusqlite::{CachedStatement, Row, params};

use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::{AccountSid, Lifecycle, Rule};
use crate::store::Message;
use crate::store::codec::NotA;
use crate::store::codec::address::AddressBuffers;
use crate::store::codec::flags::flags;
use crate::store::codec::lifecycle::Addresses;
use crate::store::codec::message::{self, ReadColumns, RefColumns, RowBuffers, WrittenColumns};
use crate::store::sqlite::views::tables::{Accounts, Tables, damaged};

/// The columns in the order of [`from_row`], which is the table's.
pub const COLUMNS: &str = "id, account, sid, status, recipient, sender, flags, lifecycle";

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
        let WrittenColumns { status, addresses: [recipient, sender], flags } =
            message::pack(lifecycle, &mut self.lifecycle);
        let (recipient, sender, packed) =
            (recipient.as_deref(), sender.as_deref(), &self.lifecycle);
        let row = params![id, account, packed_sid, status, recipient, sender, flags, packed];
        self.insert.execute(row).map(|_| ())
    }

    /// Writes a message that has changed; `before` is what its row has.
    pub fn update(
        &mut self,
        id: u64,
        before: Option<&Lifecycle>,
        lifecycle: &Lifecycle,
    ) -> rusqlite::Result<()> {
        let WrittenColumns { status, addresses: [recipient, sender], flags: flags_now } =
            message::pack(lifecycle, &mut self.lifecycle);
        let packed = &self.lifecycle;
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
}

/// A message from a row of [`COLUMNS`]; `account_sid` returns the SID for an account's number.
pub fn from_row(
    row: &Row<'_>,
    rule: Rule,
    buffers: &mut AddressBuffers,
    account_sid: impl FnOnce(i64) -> rusqlite::Result<Option<AccountSid>>,
) -> rusqlite::Result<Message> {
    let account_sid = account_sid(row.get(1)?)?;
    message::read(read_columns(row)?, rule, buffers, account_sid)
        .map_err(|NotA(what)| damaged(7, what))
}

/// The message of a row of [`COLUMNS`], borrowed from it.
pub fn whole_message<'a>(
    row: &'a Row<'_>,
    rule: Rule,
    accounts: &'a Accounts,
    buffers: &'a mut RowBuffers,
) -> rusqlite::Result<WholeMessage<'a>> {
    let account_sid = accounts.sid_ref(row.get(1)?)?;
    message::read_whole(read_columns(row)?, rule, account_sid, buffers)
        .map_err(|NotA(what)| damaged(7, what))
}

fn read_columns<'r>(row: &'r Row<'_>) -> rusqlite::Result<ReadColumns<'r>> {
    Ok(ReadColumns {
        id: row.get(0)?,
        sid: row.get_ref(2)?.as_blob()?,
        flags: row.get(6)?,
        rest: ref_columns(row, [3, 4, 5, 7])?,
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
    message::read_ref(&ref_columns(row, [1, 2, 3, 4])?, account_sid, buffers)
        .map_err(|NotA(what)| damaged(4, what))
}

fn ref_columns<'r>(
    row: &'r Row<'_>,
    [status, recipient, sender, lifecycle]: [usize; 4],
) -> rusqlite::Result<RefColumns<'r>> {
    Ok(RefColumns {
        status: row.get_ref(status)?.as_str_or_null()?,
        recipient: row.get_ref(recipient)?.as_blob_or_null()?,
        sender: row.get_ref(sender)?.as_blob_or_null()?,
        lifecycle: row.get_ref(lifecycle)?.as_blob()?,
    })
}
