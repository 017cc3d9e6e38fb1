//! Lists Twilio's messages of a time window, page by page.
//! This also finds messages that no callback has ever reported.

use std::collections::HashMap;

use super::event::{RequestKind, event};
use super::progress::ListWindow;
use super::{ReconcileError, Run};
use crate::domain::message::status_reported::Direction;
use crate::domain::{AccountSid, MessageKey, NewEvent, Source, Timestamp};
use crate::send::SendKind;
use crate::send::note::MAY_ANSWER;
use crate::store::{Message, StoreError};
use crate::twilio::callback::ParsedCallback;
use crate::twilio::resource::created_at;
use crate::twilio_api::{ApiError, ApiResponse, Page, PageError, SentWindow};

/// Maximum visits to one page. Twilio occasionally links to a page twice; a cycle of `next_page_uri`s
/// would otherwise loop forever.
const VISITS_MAX: u32 = 2;

/// Lists the messages of a time window, account by account.
pub fn list(run: &mut Run<'_>, window: (Timestamp, Timestamp)) -> Result<(), ReconcileError> {
    run.sends.read_on(run.store)?;
    let mut accounts: Vec<_> = run.accounts.keys().collect();
    // If requests are scarce, accounts with unfinished lists come before those with finished ones.
    accounts.sort_by_key(|account_sid| run.progress.is_listed(account_sid));
    let mut failed = None;
    for account_sid in accounts {
        while !run.refused.contains_key(account_sid)
            && let Some(sweep) = run.progress.next_window(account_sid, window, run.plan)
        {
            match of_account(run, account_sid, sweep) {
                // The lists of the other accounts may still be readable.
                Err(error @ ReconcileError::Page(_)) => {
                    failed.get_or_insert(error);
                    break;
                }
                listed => listed?,
            }
        }
    }
    run.progress.end_listing(run.plan);
    failed.map_or(Ok(()), Err)
}

fn of_account(
    run: &mut Run<'_>,
    account_sid: &AccountSid,
    sweep: ListWindow,
) -> Result<(), ReconcileError> {
    let window = SentWindow { since: in_seconds(sweep.since), until: in_seconds(sweep.until) };
    let first = Page::first(account_sid, &window);
    let mut path = sweep.next.clone().unwrap_or_else(|| first.clone());
    let mut visits = HashMap::new();
    loop {
        let answer = run.client.get(&run.accounts[account_sid], &path)?;
        let page = match Page::from_response(&answer, &run.client.url("")) {
            // Page tokens expire.
            Err(PageError::Refused(ApiError { status_code: 400 | 404, .. })) if path != first => {
                path.clone_from(&first);
                continue;
            }
            Err(PageError::Refused(refusal @ ApiError { status_code: 401 | 403, .. })) => {
                run.refuse(account_sid, refusal);
                return Ok(());
            }
            page => page?,
        };
        let answers = of_page(run, &answer, &page)?;
        let next = page.next.filter(|next| {
            let visited = visits.entry(next.clone()).or_insert(0);
            *visited += 1;
            *visited <= VISITS_MAX
        });
        run.keep(answers, |progress| progress.listed(account_sid, next.clone()))?;
        match next {
            Some(next) => path = next,
            None => return Ok(()),
        }
    }
}

fn of_page(
    run: &mut Run<'_>,
    answer: &ApiResponse,
    page: &Page,
) -> Result<Vec<NewEvent>, ReconcileError> {
    if !run.sends.is_empty() {
        // Some sends may have been confirmed meanwhile.
        run.sends.read_on(run.store)?;
    }
    let mut answers = Vec::new();
    for resource in &page.messages {
        run.summary.listed += 1;
        match event(RequestKind::List, answer, resource, run.plan.keep_content) {
            Ok(event) if is_inbound(&event) => run.summary.inbound += 1,
            Ok(event) => answers.push(tied(run, event)?),
            Err(_) => run.summary.failed += 1,
        }
    }
    Ok(answers)
}

/// True for an inbound message, which is ignored.
fn is_inbound(event: &NewEvent) -> bool {
    ParsedCallback::parse(event)
        .reported
        .is_some_and(|reported| reported.direction == Direction::Inbound)
}

/// Adds a note to a message of no known send that names the unconfirmed send it probably belongs to.
fn tied(run: &mut Run<'_>, mut event: NewEvent) -> Result<NewEvent, ReconcileError> {
    if run.sends.is_empty() {
        return Ok(event);
    }
    let reading = ParsedCallback::parse(&event);
    let (Some(key), Some(reported)) = (reading.message_key(), reading.reported) else {
        return Ok(event);
    };
    let Some(made_at) = created_at(&event.body) else { return Ok(event) };
    if is_of_a_send(run, &key)? {
        return Ok(event);
    }
    if let Some(send) = run.sends.claim(&reported.addressed, made_at) {
        event.notes.insert(MAY_ANSWER.to_owned(), send.send_id);
        run.summary.sends_found += 1;
    }
    Ok(event)
}

/// True if an event already identifies the send of a message.
fn is_of_a_send(run: &Run<'_>, key: &MessageKey) -> Result<bool, StoreError> {
    let known = run.store.views().find(&key.message_sid)?.1;
    let Some(Message { lifecycle, .. }) = known.into_iter().find(|known| known.key == *key) else {
        return Ok(false);
    };
    let positions: Vec<_> = lifecycle.history.iter().map(|trace| trace.position).collect();
    let tells = |event: &NewEvent| match event.source {
        Source::Send => SendKind::of_url(&event.url) == SendKind::Message,
        _ => event.notes.contains_key(MAY_ANSWER),
    };
    Ok(run.store.read_at(&positions)?.iter().any(|event| tells(event)))
}

/// A time as Twilio accepts it: without fractions of a second.
fn in_seconds(moment: Timestamp) -> String {
    let text = moment.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
