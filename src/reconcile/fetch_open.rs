//! Requests the current status of messages from Twilio that have been open for a long time, newest first.

use std::collections::BTreeMap;

use super::event::{RequestKind, event};
use super::{ReconcileError, Run, before, now};
use crate::domain::message::filter::MessageFilter;
use crate::domain::{AccountSid, MessageKey, NewEvent};
use crate::store::Message;
use crate::twilio_api::{ApiError, ApiResponse, Credentials};

/// The number of messages that are fetched before the results are appended.
pub(super) const MESSAGES_AT_ONCE: usize = 50;

/// The number of consecutive errors after which the cause is not a single message.
const ERRORS_MAX: u64 = 5;

/// The filter for the messages that a plan fetches.
pub fn wanted(plan: &super::ReconcilePlan) -> MessageFilter {
    let now = now();
    MessageFilter {
        stuck_since: Some(before(now, plan.older_than)),
        begun_since: Some(before(now, plan.give_up_after)),
        // Twilio never had them.
        simulated: Some(false),
        ..MessageFilter::default()
    }
}

/// Fetches these messages.
pub fn fetch(run: &mut Run<'_>) -> Result<(), ReconcileError> {
    let wanted = wanted(run.plan);
    let mut next = run.progress.begin_to_fetch(run.plan);
    let mut errors = 0;
    loop {
        let page = run.store.views().list(&wanted, next, MESSAGES_AT_ONCE)?;
        let mut answers = Vec::new();
        for message in &page.messages {
            match fetch_one(run, message, &mut errors) {
                Ok(answer) => answers.extend(answer),
                Err(error) => {
                    // The results so far are appended; the next run fetches the rest.
                    let again = message.id + 1;
                    run.keep(answers, |progress| progress.fetched_down_to(again))?;
                    return Err(error);
                }
            }
        }
        next = page.next_before;
        run.keep(answers, |progress| match next {
            Some(before) => progress.fetched_down_to(before),
            None => progress.end_fetching(),
        })?;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// Fetches one message. `errors` counts errors in a row.
pub(super) fn fetch_one(
    run: &mut Run<'_>,
    Message { key, .. }: &Message,
    errors: &mut u64,
) -> Result<Option<NewEvent>, ReconcileError> {
    let Some(account_sid) = account_of(run.accounts, key) else {
        run.summary.without_credentials += 1;
        return Ok(None);
    };
    if run.refused.contains_key(&account_sid) {
        return Ok(None);
    }
    if run.progress.is_given_up(&account_sid, &key.message_sid) {
        run.summary.given_up += 1;
        return Ok(None);
    }
    let who = &run.accounts[&account_sid];
    let answer = run.client.fetch(who, &account_sid, &key.message_sid)?;
    run.summary.fetched += 1;
    let found = of_answer(run, &account_sid, &answer);
    match answer.status_code {
        200..=299 => *errors = 0,
        401 | 403 => {}
        status_code @ 400..=499 => {
            // The error is about this message only.
            *errors = 0;
            run.summary.failed += u64::from(status_code != 404);
            run.progress.message_refused(&account_sid, &key.message_sid);
        }
        _ => {
            *errors += 1;
            run.summary.failed += 1;
            if *errors >= ERRORS_MAX {
                return Err(ReconcileError::ManyErrors(*errors, ApiError::from_response(&answer)));
            }
        }
    }
    Ok(found)
}

fn of_answer(
    run: &mut Run<'_>,
    account_sid: &AccountSid,
    answer: &ApiResponse,
) -> Option<NewEvent> {
    match answer.status_code {
        200..=299 => {
            let found = event(RequestKind::Fetch, answer, &answer.body, run.plan.keep_content);
            run.summary.failed += u64::from(found.is_err());
            found.ok()
        }
        404 => {
            run.summary.not_found += 1;
            None
        }
        401 | 403 => {
            run.refuse(account_sid, ApiError::from_response(answer));
            None
        }
        _ => None,
    }
}

/// The account of a message; if it names none, the only configured account.
pub fn account_of(
    accounts: &BTreeMap<AccountSid, Credentials>,
    key: &MessageKey,
) -> Option<AccountSid> {
    let only = || match accounts.len() {
        1 => accounts.keys().next(),
        _ => None,
    };
    let account_sid = key.account_sid.as_ref().or_else(only)?;
    accounts.contains_key(account_sid).then(|| account_sid.clone())
}
