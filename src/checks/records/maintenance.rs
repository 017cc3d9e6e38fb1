//! Checks on regular maintenance: the last reconcile and the last backup.

use crate::backup::record::last_backup;
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::checks::ledger::count_stuck;
use crate::domain::Timestamp;
use crate::reconcile::last_reconcile;
use crate::text::number;

const DAY_MICROS: i64 = 86_400_000_000;

/// The age from which a backup is too old.
const BACKUP_DAYS_MAX: i64 = 7;

/// The age after which `reconcile` gives up on a message by default.
const RECONCILE_DAYS_MAX: i64 = 3;

/// Checks that the last reconcile completed, and is recent enough if messages are stuck.
pub fn reconcile(context: &CheckContext) -> Vec<Finding> {
    let Some(store) = context.store() else { return Vec::new() };
    let stuck = count_stuck(context).map_or(0, |stuck| u64::try_from(stuck.recent).unwrap_or(0));
    let last = last_reconcile(store);
    vec![match last {
        None if stuck == 0 => Finding::ok("never ran, and no message is stuck"),
        None => Finding::warn(
            format!("never ran, and {} messages are stuck", number(stuck)),
            "run reconcile, preferably every few hours: it asks Twilio for statuses that were not reported",
        ),
        Some(run) => match &run.stopped_by {
            Some(reason) => Finding::warn(
                format!("the last run, of {}, did not complete: {reason}", run.ended_at),
                "run it again: it continues where it stopped",
            ),
            None if stuck > 0 && days_since(context, &run.ended_at) >= RECONCILE_DAYS_MAX => {
                let detail = format!(
                    "last run at {}, and {} messages are stuck",
                    run.ended_at,
                    number(stuck)
                );
                Finding::warn(detail, "run reconcile, preferably every few hours")
            }
            None => Finding::ok(format!("{}, {} events", run.ended_at, number(run.appended))),
        },
    }]
}

/// Checks the age of the last backup that `backup` recorded.
pub fn backup(context: &CheckContext) -> Vec<Finding> {
    let (Some(store), Some(head)) = (context.store(), context.head()) else { return Vec::new() };
    let Some(last) = last_backup(store) else {
        return vec![Finding::warn(
            "none is known",
            "run backup: lost events cannot be recovered; if another program makes copies, check that",
        )];
    };
    let detail = format!(
        "{} up to position {} of {head}, in {}",
        last.ended_at,
        last.position,
        last.file.display()
    );
    vec![match days_since(context, &last.ended_at) {
        _ if last.position > head => Finding::warn(
            format!("{detail}: the log is shorter than its backup"),
            "the log was restored from an older copy, or replaced; verify --expect shows which",
        ),
        days if days >= BACKUP_DAYS_MAX => {
            Finding::warn(format!("{detail}, {days} days ago"), "run backup, preferably every day")
        }
        _ => Finding::ok(detail),
    }]
}

/// The number of whole days since a moment; a very large one if it is not a valid time.
fn days_since(context: &CheckContext, moment: &str) -> i64 {
    let moment = Timestamp::parse(moment).map_or(i64::MIN / 2, Timestamp::micros);
    (context.now.micros() - moment) / DAY_MICROS
}
