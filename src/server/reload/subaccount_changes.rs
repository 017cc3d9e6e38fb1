//! How the fetched subaccounts differ from those in use, as numbers: there may be thousands.

use std::collections::HashSet;

use crate::domain::AccountSid;
use crate::twilio::accounts::{AccountKeys, Accounts};

/// The numbers of subaccounts that differ.
#[derive(Debug, Default)]
pub struct SubaccountChanges {
    added: usize,
    removed: usize,
    /// Those with another token.
    rotated: usize,
}

impl SubaccountChanges {
    /// The changes from the accounts in use to these subaccounts.
    pub fn between(before: &Accounts, after: &[(AccountSid, AccountKeys)]) -> Self {
        let mut changes = Self::default();
        for (sid, keys) in after {
            match before.subaccount(sid) {
                None => changes.added += 1,
                Some((_, in_use)) if in_use.changed_in(keys).is_empty() => {}
                Some(_) => changes.rotated += 1,
            }
        }
        let present: HashSet<_> = after.iter().map(|(sid, _)| sid).collect();
        changes.removed = before.subaccounts().filter(|(sid, _)| !present.contains(sid)).count();
        changes
    }

    /// A text for the log; `None` if nothing differs.
    pub fn in_words(&self) -> Option<String> {
        let Self { added, removed, rotated } = self;
        (added + removed + rotated > 0).then(|| {
            format!("subaccounts: {added} added, {removed} removed, {rotated} with another token")
        })
    }
}
