//! A message as a row of the views.

use super::NotA;
use super::address::{AddressBuffers, ReversedAddress, address, reversed};
use super::flags::{FlagFacts, flags};
use super::lifecycle::{self, Addresses};
use super::sid::{SidBuffer, sid_text, unpack_sid};
use crate::domain::message::message_ref::{MessageRef, WholeMessage};
use crate::domain::{AccountSid, Lifecycle, MessageKey, Rule, Status};
use crate::store::Message;

/// The columns that a change of a message changes.
pub struct WrittenColumns {
    /// The name of the status; `None` if it is unknown.
    pub status: Option<&'static str>,
    /// `To` and `From`.
    pub addresses: [Option<ReversedAddress>; 2],
    /// As in `flags`.
    pub flags: u8,
}

/// The columns of a message's row, and its lifecycle packed into a buffer.
pub fn pack(lifecycle: &Lifecycle, packed: &mut Vec<u8>) -> WrittenColumns {
    packed.clear();
    lifecycle::push(packed, lifecycle);
    let Addresses { to, from } = Addresses::from_lifecycle(lifecycle);
    WrittenColumns {
        status: lifecycle.evidence.status().map(Status::name),
        addresses: [to.map(reversed), from.map(reversed)],
        flags: flags(lifecycle),
    }
}

/// The columns of a row that a message is read from, apart from its account.
pub struct ReadColumns<'r> {
    pub id: u64,
    pub sid: &'r [u8],
    pub flags: u8,
    pub rest: RefColumns<'r>,
}

/// The columns of a row that a [`MessageRef`] is read from, apart from its account.
pub struct RefColumns<'r> {
    pub status: Option<&'r str>,
    pub recipient: Option<&'r [u8]>,
    pub sender: Option<&'r [u8]>,
    pub lifecycle: &'r [u8],
}

/// The message of a row.
pub fn read(
    ReadColumns { id, sid, flags: stored_flags, rest }: ReadColumns<'_>,
    rule: Rule,
    buffers: &mut AddressBuffers,
    account_sid: Option<AccountSid>,
) -> Result<Message, NotA> {
    let addresses = addresses(&rest, buffers)?;
    let lifecycle = lifecycle::read(rest.lifecycle, rule, status(rest.status)?, addresses)
        .ok_or(NotA("a lifecycle"))?;
    // Lists rely on the flags, and nothing else would reveal wrong ones.
    if stored_flags != flags(&lifecycle) || addresses != Addresses::from_lifecycle(&lifecycle) {
        return Err(NotA("the flags and addresses of this lifecycle"));
    }
    let message_sid = unpack_sid(sid).ok_or(NotA("a message SID"))?;
    Ok(Message { id, key: MessageKey { account_sid, message_sid }, lifecycle })
}

/// The message of a row, borrowed from it.
pub fn read_ref<'a>(
    columns: &RefColumns<'a>,
    account_sid: Option<&'a AccountSid>,
    buffers: &'a mut AddressBuffers,
) -> Result<MessageRef<'a>, NotA> {
    let addresses = addresses(columns, buffers)?;
    let account_sid = account_sid.map(AccountSid::as_str);
    let status = status(columns.status)?;
    lifecycle::message_ref(columns.lifecycle, account_sid, status, addresses)
        .ok_or(NotA("a lifecycle"))
}

/// Buffers for the texts of a row.
#[derive(Default)]
pub struct RowBuffers {
    addresses: AddressBuffers,
    sid: SidBuffer,
}

/// The message of a row with everything that is shown of it, borrowed from it. It is checked like that of
/// [`read`].
pub fn read_whole<'a>(
    ReadColumns { id: _, sid, flags: stored_flags, rest }: ReadColumns<'a>,
    rule: Rule,
    account_sid: Option<&'a AccountSid>,
    RowBuffers { addresses: buffers, sid: sid_buffer }: &'a mut RowBuffers,
) -> Result<WholeMessage<'a>, NotA> {
    let addresses = addresses(&rest, buffers)?;
    let message_sid = sid_text(sid, sid_buffer).ok_or(NotA("a message SID"))?;
    let key = (account_sid.map(AccountSid::as_str), message_sid);
    let message =
        lifecycle::whole_message(rest.lifecycle, rule, key, status(rest.status)?, addresses)
            .ok_or(NotA("a lifecycle"))?;
    let MessageRef { status, status_times, kinds, to, from, .. } = &message.state;
    let facts = FlagFacts { status: *status, status_times, kinds: *kinds, counts: message.counts };
    if stored_flags != facts.flags() || addresses != (Addresses { to: *to, from: *from }) {
        return Err(NotA("the flags and addresses of this lifecycle"));
    }
    Ok(message)
}

fn addresses<'b>(
    columns: &RefColumns<'_>,
    AddressBuffers { recipient, sender }: &'b mut AddressBuffers,
) -> Result<Addresses<'b>, NotA> {
    let text = |reversed: Option<&[u8]>, buffer: &'b mut Vec<u8>| {
        reversed.map(|reversed| address(reversed, buffer).ok_or(NotA("an address"))).transpose()
    };
    Ok(Addresses { to: text(columns.recipient, recipient)?, from: text(columns.sender, sender)? })
}

fn status(name: Option<&str>) -> Result<Option<Status>, NotA> {
    name.map(|name| Status::from_exact_name(name).ok_or(NotA("a status"))).transpose()
}
