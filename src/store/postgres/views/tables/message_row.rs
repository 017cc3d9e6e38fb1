//! A message as a row of the views.

use tokio_postgres::Row;

use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::{AccountSid, Rule};
use crate::store::Message;
use crate::store::codec::address::AddressBuffers;
use crate::store::codec::message::{self, ReadColumns, RefColumns, RowBuffers};
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Accounts;

/// The columns in the order of [`from_row`].
pub const COLUMNS: &str = "id, account, sid, status, recipient, sender, flags, lifecycle";

/// A message from a row of [`COLUMNS`].
pub fn from_row(
    row: &Row,
    rule: Rule,
    buffers: &mut AddressBuffers,
    accounts: &Accounts,
) -> Result<Message, Failure> {
    let account_sid = accounts.sid(row.try_get(1)?)?;
    Ok(message::read(read_columns(row)?, rule, buffers, account_sid)?)
}

/// The message of a row of [`COLUMNS`], borrowed from it.
pub fn whole_message<'a>(
    row: &'a Row,
    rule: Rule,
    accounts: &'a Accounts,
    buffers: &'a mut RowBuffers,
) -> Result<WholeMessage<'a>, Failure> {
    let account_sid = accounts.sid_ref(row.try_get(1)?)?;
    Ok(message::read_whole(read_columns(row)?, rule, account_sid, buffers)?)
}

fn read_columns(row: &Row) -> Result<ReadColumns<'_>, Failure> {
    Ok(ReadColumns {
        id: row.try_get::<_, i64>(0)? as u64,
        sid: row.try_get(2)?,
        flags: row.try_get::<_, i16>(6)? as u8,
        rest: ref_columns(row, [3, 4, 5, 7])?,
    })
}

/// The columns in the order of [`message_ref`].
pub const REF_COLUMNS: &str = "account, status, recipient, sender, lifecycle";

/// The message of a row of [`REF_COLUMNS`], borrowed from it.
pub fn message_ref<'a>(
    row: &'a Row,
    account_sid: Option<&'a AccountSid>,
    buffers: &'a mut AddressBuffers,
) -> Result<MessageRef<'a>, Failure> {
    Ok(message::read_ref(&ref_columns(row, [1, 2, 3, 4])?, account_sid, buffers)?)
}

fn ref_columns(
    row: &Row,
    [status, recipient, sender, lifecycle]: [usize; 4],
) -> Result<RefColumns<'_>, Failure> {
    Ok(RefColumns {
        status: row.try_get(status)?,
        recipient: row.try_get(recipient)?,
        sender: row.try_get(sender)?,
        lifecycle: row.try_get(lifecycle)?,
    })
}
