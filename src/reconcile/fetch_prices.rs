//! Requests messages with a known outcome from Twilio whose price is not known yet, newest first. Twilio often
//! knows it only some time after the outcome (<https://www.twilio.com/docs/messaging/api/message-resource>).

use std::time::Duration;

use super::fetch_open::{MESSAGES_AT_ONCE, fetch_one};
use super::{ReconcileError, ReconcilePlan, Run, before, now};
use crate::domain::message::filter::MessageFilter;

/// The age from which a message is fetched for its price. Most prices are known within minutes; a request
/// before that would be in vain.
const PRICED_AFTER: Duration = Duration::from_secs(60 * 60);

/// The filter for the messages whose price a plan looks for. A message that is free for Twilio has no price
/// and is fetched in each run until it is too old.
pub fn wanted(plan: &ReconcilePlan) -> MessageFilter {
    let now = now();
    MessageFilter {
        open: Some(false),
        priced: Some(false),
        until: Some(before(now, PRICED_AFTER)),
        begun_since: Some(before(now, plan.give_up_after)),
        inbound: Some(false),
        // Twilio never had them.
        simulated: Some(false),
        ..MessageFilter::default()
    }
}

/// Fetches these messages. The next run begins anew: those that have a price by then are not wanted any more.
pub fn fetch(run: &mut Run<'_>) -> Result<(), ReconcileError> {
    let wanted = wanted(run.plan);
    let (mut next, mut errors) = (None, 0);
    loop {
        let page = run.store.views().list(&wanted, next, MESSAGES_AT_ONCE)?;
        let mut answers = Vec::new();
        let mut outcome = Ok(());
        for message in &page.messages {
            match fetch_one(run, message, &mut errors) {
                Ok(answer) => answers.extend(answer),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        run.keep(answers, |_| {})?;
        outcome?;
        next = page.next_before;
        if next.is_none() {
            return Ok(());
        }
    }
}
