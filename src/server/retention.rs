//! Erases messages of a certain age once a day, if that is configured.

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;

use super::running_ledger::RunningLedger;
use crate::background::{Background, Stop};
use crate::domain::{Rule, Timestamp};
use crate::erase::{Consent, Erased, Ledger, Request, Which, erase};
use crate::projection::throttle;
use crate::store::nodes::Lead;
use crate::store::{self, Access, Database};

/// The time between two runs.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// The delay of the first run after the start: short, so that a server that is often restarted still erases.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// The reference of these erasures.
const REFERENCE: &str = "retention.erase_after";

/// Starts the thread.
pub fn start(
    ledger: &RunningLedger,
    database: &Database,
    rule: Rule,
    erase_after: Duration,
) -> Background {
    let (lead, database) = (ledger.lead.clone(), database.clone());
    Background::spawn("retention", move |stop| {
        throttle::lower_priority(throttle::NICEST);
        let mut wait = FIRST_WAIT;
        while stop.sleep(wait).is_continue() {
            wait = FIRST_WAIT;
            if lead.is_held() {
                report(run(&database, rule, erase_after, &lead, stop));
                wait = EVERY;
            }
        }
    })
}

fn run(
    database: &Database,
    rule: Rule,
    erase_after: Duration,
    lead: &Lead,
    stop: &Stop,
) -> Result<Erased> {
    let now = || Timestamp::from(OffsetDateTime::now_utc());
    let age = i64::try_from(erase_after.as_micros()).unwrap_or(i64::MAX);
    let which = Which::Before(Timestamp::from_micros(now().micros().saturating_sub(age)));
    let log = store::open(database, Access::Append)?;
    let views = store::open(database, Access::Replay)?;
    let parts = Ledger { database, log: &*log, views: &*views, rule };
    // Nothing of that age is expected any more.
    let consent = Consent { open: true, sender: true };
    let request = Request { which: &which, reference: REFERENCE, consent, now: &now };
    let erased = erase(&parts, &request, &mut |_| match stop.is_requested() || !lead.is_held() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    Ok(erased?)
}

fn report(outcome: Result<Erased>) {
    match outcome {
        Ok(erased) if erased.erasures.is_empty() => {}
        Ok(erased) => {
            let messages: u64 = erased.erasures.iter().map(|erasure| erasure.messages).sum();
            tracing::info!(messages, "messages were erased because of their age");
        }
        Err(error) => {
            tracing::warn!(
                error = format!("{error:#}"),
                "messages could not be erased; tomorrow it is tried again"
            );
        }
    }
}
