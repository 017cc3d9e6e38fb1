//! Listing what Twilio has of a time, which also finds messages of which no callback ever came.

use serde::Deserialize;

use super::event::{To, event};
use super::progress::Sweep;
use super::unanswered::{Unanswered, unanswered};
use super::{ReconcileError, Run};
use crate::domain::{AccountSid, NewEvent, Timestamp};
use crate::send::note::MAY_ANSWER;
use crate::twilio::callback::Reading;
use crate::twilio_api::{Answer, Page, PageError, Window};

/// What of a resource tells whether it is ours to keep.
#[derive(Deserialize)]
struct Direction {
    direction: Option<String>,
}

/// Lists the messages of a time, account by account.
pub fn list(run: &mut Run<'_>, window: (Timestamp, Timestamp)) -> Result<(), ReconcileError> {
    let mut sends = unanswered(run.store)?;
    for account_sid in run.accounts.keys() {
        while let Some(sweep) = run.progress.next_sweep(account_sid, window, run.plan) {
            of_account(run, account_sid, sweep, &mut sends)?;
        }
    }
    run.progress.end_listing();
    Ok(())
}

fn of_account(
    run: &mut Run<'_>,
    account_sid: &AccountSid,
    sweep: Sweep,
    sends: &mut Vec<Unanswered>,
) -> Result<(), ReconcileError> {
    let window = Window { since: in_seconds(sweep.since), until: in_seconds(sweep.until) };
    let first = Page::first(account_sid, &window);
    let mut path = sweep.next.clone().unwrap_or_else(|| first.clone());
    let mut seen = std::collections::HashSet::new();
    loop {
        // A list that leads back to where it was would never end.
        if !seen.insert(path.clone()) {
            return Err(PageError::Elsewhere(path).into());
        }
        let answer = run.client.get(&run.accounts[account_sid], &path)?;
        let page = match Page::of(&answer, &run.client.url("")) {
            // The token of a page is good for a while only.
            Err(PageError::Refused { status_code: 400 | 404, .. }) if path != first => {
                path.clone_from(&first);
                seen.clear();
                continue;
            }
            Err(PageError::Refused { status_code: status_code @ (401 | 403), .. }) => {
                let account_sid = account_sid.as_str().to_owned();
                return Err(ReconcileError::NotAllowed { account_sid, status_code });
            }
            page => page?,
        };
        let answers = of_page(run, &answer, &page, sends);
        run.progress.listed(account_sid, page.next.clone());
        run.keep(answers)?;
        match page.next {
            Some(next) => path = next,
            None => return Ok(()),
        }
    }
}

fn of_page(
    run: &mut Run<'_>,
    answer: &Answer,
    page: &Page,
    sends: &mut Vec<Unanswered>,
) -> Vec<NewEvent> {
    let mut answers = Vec::new();
    for resource in &page.messages {
        run.summary.listed += 1;
        let direction = serde_json::from_slice::<Direction>(resource).ok();
        let direction = direction.and_then(|direction| direction.direction);
        if direction.is_some_and(|direction| direction.starts_with("inbound")) {
            run.summary.inbound += 1;
            continue;
        }
        match event(To::List, answer, resource, run.plan.keep_content) {
            Ok(event) => answers.push(tied(run, event, sends)),
            Err(_) => run.summary.failed += 1,
        }
    }
    answers
}

/// Notes on a message nobody knew which send without an answer it probably is.
fn tied(run: &mut Run<'_>, mut event: NewEvent, sends: &mut Vec<Unanswered>) -> NewEvent {
    if sends.is_empty() {
        return event;
    }
    let reading = Reading::of(&event);
    let (Some(key), Some(reported)) = (reading.message_key(), reading.reported) else {
        return event;
    };
    let known = run.store.views().find(&key.message_sid);
    let is_known = known.is_ok_and(|(_, messages)| messages.iter().any(|known| known.key == key));
    let fits = |send: &Unanswered| send.may_be(&reported.addressed, &event);
    if !is_known && let Some(place) = sends.iter().position(fits) {
        let send = sends.remove(place);
        event.notes.insert(MAY_ANSWER.to_owned(), send.send_id);
        run.summary.sends_found += 1;
    }
    event
}

/// As Twilio reads a time: without fractions.
fn in_seconds(moment: Timestamp) -> String {
    let text = moment.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}
