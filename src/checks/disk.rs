//! Checks on disk space: what is free now, how long it will last, and the size of the write-ahead logs.

use super::context::CheckContext;
use super::finding::Finding;
use super::growth::Growth;
use crate::store::inspect::Files;

const MIB: u64 = 1 << 20;

/// Below this a busy server may fill the disk before anybody notices: a WAL and the sorter of a
/// rebuild take some hundred MiB.
const FREE_FEW_BYTES: u64 = 1024 * MIB;

/// Below this a WAL that a long reader holds up may fill the disk.
const FREE_TOO_FEW_BYTES: u64 = 256 * MIB;

/// More than a check may cause that reads everything; see docs/operations/verifying.md.
const WAL_LARGE_BYTES: u64 = 128 * MIB;

/// Checks the free space of the log's file system.
pub fn free(context: &CheckContext) -> Vec<Finding> {
    let Some(files) = context.database.as_ref().and_then(Files::of) else { return Vec::new() };
    match files.sizes() {
        Ok(sizes) => sizes.disk_free.map(of_free).into_iter().collect(),
        Err(error) if context.ledger().is_some() => {
            vec![Finding::fail(error.to_string(), "check the disk and its mount")]
        }
        // The folder does not exist yet; it is created with the ledger.
        Err(_) => Vec::new(),
    }
}

fn of_free(free: u64) -> Finding {
    let detail = format!("{} MiB free", free / MIB);
    match free {
        free if free < FREE_TOO_FEW_BYTES => {
            Finding::fail(detail, "free disk space: on a full disk every callback gets a 503")
        }
        free if free < FREE_FEW_BYTES => Finding::warn(
            detail,
            "free disk space, or start a new ledger (docs/operations/files.md)",
        ),
        _ => Finding::ok(detail),
    }
}

/// Checks how long the free space will last at the rate of the last week.
pub fn growth(context: &CheckContext) -> Vec<Finding> {
    context.growth().map(Growth::finding).into_iter().collect()
}

/// Checks the sizes of the write-ahead logs of log and views.
pub fn wal(context: &CheckContext) -> Vec<Finding> {
    let Some(Ok(sizes)) = context.files().map(|files| files.sizes()) else { return Vec::new() };
    let (Some(log), Some(views)) = (sizes.log_wal, sizes.views_wal) else { return Vec::new() };
    let detail = format!("log {:.1} MiB, views {:.1} MiB", mib(log), mib(views));
    vec![match log.max(views) > WAL_LARGE_BYTES {
        false => Finding::ok(detail),
        true => Finding::warn(
            detail,
            "a program keeps a transaction open, or, with wal_checkpoints = \"external\", nothing \
             is checkpointing the WAL: look for long-running readers, and check that Litestream is running",
        ),
    }]
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::{MIB, of_free};

    #[test]
    fn a_disk_that_is_nearly_full_is_reported() {
        assert_eq!(of_free(200_000 * MIB).outcome, Outcome::Ok);
        assert_eq!(of_free(500 * MIB).outcome, Outcome::Warn);
        assert_eq!(of_free(0).outcome, Outcome::Fail);
    }
}
