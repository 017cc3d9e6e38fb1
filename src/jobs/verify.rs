//! A verification of the log and the views, as `verify` makes it.

use super::job::{JobProgress, VerifyFinding, VerifyJob, VerifyResult};
use super::running::{Ended, Running};
use crate::domain::hash::hex;
use crate::projection::throttle::{self, Throttle};
use crate::projection::verify::{Expected, Finding, Pass, Verified, verify};
use crate::store::{self, Access};

/// Verifies, and returns the job as it is when it is done. The ledger is opened again, so that its files
/// are read as another process reads them.
pub fn run(
    running: &Running<'_>,
    job: VerifyJob,
    expected: Option<Expected>,
) -> Result<VerifyJob, Ended> {
    throttle::lower_priority(throttle::NICE);
    let store = store::open(&running.shared.database, Access::Read)?;
    // An unreadable head is reported as a finding.
    let head = store.head().unwrap_or(0);
    let mut callbacks = Throttle::begin(&*running.shared.store)?;
    let verified = verify(&*store, expected, &mut |step| {
        // The log may grow meanwhile. The comparison that follows reads no events, and is not counted.
        let (all, findings) = (head.max(step.position), step.findings as u64);
        let read = if step.pass == Pass::Log { step.position } else { all };
        let progress = JobProgress { read, all, findings };
        running.step(&mut callbacks, |job| job.progress = Some(progress))
    })?;
    Ok(VerifyJob { result: Some(verified.into()), ..job })
}

impl From<Finding> for VerifyFinding {
    fn from(Finding { kind, position, detail }: Finding) -> Self {
        Self { finding: kind.name().to_owned(), position, detail }
    }
}

impl From<Verified> for VerifyResult {
    fn from(verified: Verified) -> Self {
        Self {
            head: verified.head,
            hash: verified.hash.map(|hash| hex(&hash)),
            checkpoint: verified.checkpoint,
            events: verified.events,
            imported: verified.imported,
            rule: verified.rule.name().to_owned(),
            digest: verified.digest.map(|digest| hex(&digest)),
            findings: verified.findings.into_iter().map(VerifyFinding::from).collect(),
            unfinished: verified.unfinished.into_iter().map(str::to_owned).collect(),
        }
    }
}
