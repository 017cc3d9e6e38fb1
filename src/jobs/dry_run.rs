//! A dry run of a replay: which messages would have another status by another rule.

use std::collections::BTreeMap;

use super::job::{DryRunJob, DryRunResult, JobProgress, MessageChange, StatusChanges};
use super::running::{Ended, Running};
use crate::domain::Rule;
use crate::domain::hash::hex;
use crate::projection::replay::{Change, dry_run};
use crate::projection::throttle::{self, Throttle};
use crate::store::{self, Access};
use crate::wire::status_name::status_name;

/// The number of changed messages that are listed; the others are only counted.
const CHANGES_LISTED_MAX: usize = 1000;

/// Replays into temporary views, and returns the job as it is when it is done.
pub fn run(running: &Running<'_>, job: DryRunJob, rule: Rule) -> Result<DryRunJob, Ended> {
    throttle::lower_priority(throttle::NICE);
    let store = store::open(&running.shared.database, Access::Read)?;
    let all = store.views().checkpoint()?.position;
    let mut callbacks = Throttle::begin(&*running.shared.store)?;
    let mut progress = |read: u64| {
        let progress = JobProgress { read, all: all.max(read), findings: 0 };
        running.step(&mut callbacks, |job| job.progress = Some(progress))
    };
    let mut changes = Changes::default();
    let replayed = dry_run(&*store, rule, &mut progress, &mut |change| changes.add(change))?;
    if replayed.checkpoint == 0 && replayed.head > 0 {
        return Err(Ended::Failed(
            "the views are being rebuilt, and there is nothing to compare with yet; try again later"
                .to_owned(),
        ));
    }
    let result = DryRunResult {
        head: replayed.head,
        checkpoint: replayed.checkpoint,
        events: replayed.events,
        digest: Some(hex(&replayed.digest)),
        changed: changes.by_status.values().sum(),
        by_status: changes
            .by_status
            .into_iter()
            .map(|((from, to), messages)| StatusChanges {
                from: from.to_owned(),
                to: to.to_owned(),
                messages,
            })
            .collect(),
        changes: changes.first,
    };
    Ok(DryRunJob { result: Some(result), ..job })
}

/// The messages whose status would change.
#[derive(Default)]
struct Changes {
    by_status: BTreeMap<(&'static str, &'static str), u64>,
    /// In order of first arrival.
    first: Vec<MessageChange>,
}

impl Changes {
    fn add(&mut self, change: Change) {
        let (from, to) = (status_name(change.from), status_name(change.to));
        *self.by_status.entry((from, to)).or_default() += 1;
        if self.first.len() < CHANGES_LISTED_MAX {
            self.first.push(MessageChange {
                message_sid: change.key.message_sid.as_str().to_owned(),
                account_sid: change.key.account_sid.as_ref().map(|sid| sid.as_str().to_owned()),
                from: from.to_owned(),
                to: to.to_owned(),
            });
        }
    }
}
