//! What is not erased without being asked for once more.

use std::time::Duration;

use super::select::{Group, Selection};
use super::which::Which;
use super::{EraseError, Request};
use crate::domain::{Rule, Timestamp};
use crate::projection::fold::fold;
use crate::store::Store;
use crate::twilio::callback::ParsedCallback;

/// How long callbacks of a message are expected, and a send may be repeated.
pub const YOUNG: Duration = Duration::from_secs(30 * 24 * 3600);

/// What was asked for once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Consent {
    /// Messages that are open, and young sends.
    pub open: bool,
    /// Our own address.
    pub sender: bool,
}

/// Why nothing is erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The SID alone does not say which message.
    #[error("several accounts have a message with this SID; name one with --account-sid")]
    Accounts,
    /// The address is our own.
    #[error(
        "this address is a sender of yours, so that everybody's messages would be erased; if that is \
         what you want, repeat with --sender"
    )]
    Sender,
    /// Callbacks will follow.
    #[error(
        "{0} of these messages are open and younger than 30 days, so that callbacks about them will follow; \
         wait, or repeat with --open, and later with --again"
    )]
    Open(u64),
    /// It could be sent a second time.
    #[error(
        "{0} of these messages were sent from here less than 30 days ago; their idempotency keys would be \
         erased, and no longer prevent that they are sent again; wait, or repeat with --open"
    )]
    YoungSends(u64),
}

/// Fails if a selection contains what was not asked for.
pub fn refuse(
    store: &dyn Store,
    selection: &Selection,
    Request { which, consent, now, .. }: &Request<'_>,
) -> Result<(), EraseError> {
    if matches!(which, Which::Message { account_sid: None, .. }) && selection.accounts.len() > 1 {
        return Err(Refusal::Accounts.into());
    }
    if selection.is_ours && !consent.sender {
        return Err(Refusal::Sender.into());
    }
    if consent.open {
        return Ok(());
    }
    let since = Timestamp::from_micros(now().micros() - YOUNG.as_micros() as i64);
    let is_young = |at: Option<Timestamp>| at.is_some_and(|at| at >= since);
    let mut open = 0;
    for group in selection.groups.iter().filter(|group| is_young(group.last_received_at)) {
        open += u64::from(is_open(store, group)?);
    }
    if open > 0 {
        return Err(Refusal::Open(open).into());
    }
    match selection.groups.iter().filter(|group| is_young(group.sent_at)).count() {
        0 => Ok(()),
        sends => Err(Refusal::YoungSends(sends as u64).into()),
    }
}

/// Whether the message of a group is open, by a fold of its events.
fn is_open(store: &dyn Store, group: &Group) -> Result<bool, EraseError> {
    let positions: Vec<_> = group.events.iter().map(|(position, _)| *position).collect();
    let events = store.read_at(&positions)?;
    let key = events.iter().find_map(|event| ParsedCallback::parse(event).message_key());
    let folded = key.and_then(|key| fold(Rule::default(), &key, events));
    Ok(folded.is_some_and(|folded| folded.lifecycle.evidence.is_open()))
}
