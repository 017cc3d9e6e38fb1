//! The dry run of reconcile: reports what a run would fetch and list, without making a request.

use std::collections::BTreeMap;

use super::fetch_open::{account_of, wanted};
use super::progress::Progress;
use super::{ReconcilePlan, UnconfirmedSends};
use crate::domain::{AccountSid, Timestamp};
use crate::store::{Store, StoreError};
use crate::twilio_api::Credentials;

/// The number of messages per read.
const MESSAGES_AT_ONCE: usize = 1000;

/// The result of a dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Open messages that would be fetched.
    pub to_fetch: u64,
    /// Open messages of accounts without configured credentials.
    pub without_credentials: u64,
    /// The first time window of each account that would be listed.
    pub lists: Vec<(AccountSid, Timestamp, Timestamp)>,
    /// Sends whose outcome is unknown.
    pub unanswered_sends: usize,
}

/// Computes what a run of this plan would begin with, resuming an interrupted one.
pub fn dry_run(
    store: &dyn Store,
    accounts: &BTreeMap<AccountSid, Credentials>,
    plan: &ReconcilePlan,
) -> Result<DryRun, StoreError> {
    let mut progress = Progress::read(store);
    let mut dry_run = DryRun::default();
    if plan.fetch {
        let mut next = progress.begin_to_fetch(plan);
        loop {
            let page = store.views().list(&wanted(plan), next, MESSAGES_AT_ONCE)?;
            for message in &page.messages {
                match account_of(accounts, &message.key) {
                    Some(account_sid)
                        if progress.is_given_up(&account_sid, &message.key.message_sid) => {}
                    Some(_) => dry_run.to_fetch += 1,
                    None => dry_run.without_credentials += 1,
                }
            }
            next = page.next_before;
            if next.is_none() {
                break;
            }
        }
    }
    for account_sid in accounts.keys() {
        let sweep = plan.list.and_then(|window| progress.next_window(account_sid, window, plan));
        dry_run.lists.extend(sweep.map(|sweep| (account_sid.clone(), sweep.since, sweep.until)));
    }
    let mut sends: UnconfirmedSends = progress.sends().clone();
    sends.read_on(store)?;
    dry_run.unanswered_sends = sends.len();
    Ok(dry_run)
}
