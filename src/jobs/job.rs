//! A job as JSON: in responses of the API, and in its record on disk.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::{Position, Timestamp};
use crate::export::manifest::{Manifest, ManifestFile};
use crate::export::{Content, FileFormat};
use crate::wire::mask;

/// Work that continues after the response to the request that started it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// The id of the job, a UUID.
    pub id: String,
    /// The work, with its result.
    #[serde(flatten)]
    pub work: JobWork,
    /// The state.
    pub state: JobState,
    /// The name of the API token that started it.
    pub started_by: String,
    /// When it was requested, in UTC.
    pub created_at: String,
    /// `null` while it waits for another job of its kind.
    pub started_at: Option<String>,
    /// `null` until it is done or has failed.
    pub ended_at: Option<String>,
    /// When it and its file are removed.
    pub expires_at: Option<String>,
    /// `null` unless it is running.
    pub progress: Option<JobProgress>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It has not begun, because another job of its kind is running.
    Waiting,
    /// It has begun.
    Running,
    /// It has ended, and its result is complete.
    Done,
    /// It has ended early.
    Failed,
}

/// How far a running job has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// What has been read.
    pub read: u64,
    /// What has to be read: the events of the log, or the messages. A verification reads every event
    /// twice.
    pub all: u64,
    /// The findings of a verification so far.
    pub findings: u64,
}

/// The kind of a job. One job of each kind runs at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum JobKind {
    /// An export.
    Export,
    /// A verification.
    Verify,
    /// A dry run of a replay.
    DryRun,
}

/// The work of a job, with its result as far as it is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum JobWork {
    /// An export, with its file.
    Export(ExportJob),
    /// A verification, with its findings.
    Verify(VerifyJob),
    /// A dry run of a replay, with the messages that would change.
    DryRun(DryRunJob),
}

/// An export that is made and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExportJob {
    /// Messages or events.
    pub content: Content,
    /// The format of the file.
    pub format: FileFormat,
    /// The filters as they were given, with times in UTC.
    pub filters: BTreeMap<String, String>,
    /// The tags that have a column of their own.
    pub tag_columns: Vec<String>,
    /// Whether addresses are masked, in the filters as in the rows.
    pub masked: bool,
    /// The position that the export is pinned to.
    pub as_of_position: Position,
    /// The rows that are written.
    pub rows: u64,
    /// The size of the file; 0 until it is complete.
    pub bytes: u64,
    /// The hash of the file; `null` until it is complete.
    pub sha256: Option<String>,
    /// The rule of the messages' statuses; `null` until the file is complete.
    pub rule: Option<String>,
    /// The root of the log's tree at the position, for `verify --expect POSITION:HASH`. `null` if addresses
    /// are masked, and until the file is complete.
    pub root: Option<String>,
}

/// A verification of the log and the views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifyJob {
    /// A position and its hash, `POSITION:HASH`, that the log must still contain.
    pub expect: Option<String>,
    /// `null` until it is done.
    pub result: Option<VerifyResult>,
}

/// The result of a verification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifyResult {
    /// The last position of the log at the start.
    pub head: Position,
    /// The root of the log's tree at the head. `null` if the log has gaps or unreadable events, or if
    /// addresses are masked.
    pub hash: Option<String>,
    /// The last position that the views had read.
    pub checkpoint: Position,
    /// How many events were read.
    pub events: u64,
    /// How many of them were imported.
    pub imported: u64,
    /// The rule of the views.
    pub rule: String,
    /// The digest of the views at the checkpoint. `null` if the log cannot be folded, or if addresses are
    /// masked.
    pub digest: Option<String>,
    /// What is wrong; empty if nothing is.
    pub findings: Vec<VerifyFinding>,
    /// `log` or `views` if the check of the engine was given up, because the file was written too fast.
    pub unfinished: Vec<String>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VerifyFinding {
    /// Its kind, such as `changed-events`.
    pub finding: String,
    /// The position that it is about, if it is about one.
    pub position: Option<Position>,
    /// What was found.
    pub detail: String,
}

/// A replay by a rule that changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DryRunJob {
    /// The rule that is tried.
    pub rule: String,
    /// `null` until it is done.
    pub result: Option<DryRunResult>,
}

/// The effect of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DryRunResult {
    /// The last position of the log.
    pub head: Position,
    /// The last position that was compared.
    pub checkpoint: Position,
    /// The number of events that were read.
    pub events: u64,
    /// The digest that the views would have; `null` if addresses are masked.
    pub digest: Option<String>,
    /// How many messages would have another status.
    pub changed: u64,
    /// How many messages each change would affect.
    pub by_status: Vec<StatusChanges>,
    /// The first thousand of these messages, in order of first arrival.
    pub changes: Vec<MessageChange>,
}

/// The number of messages whose status would change in this way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StatusChanges {
    /// The status in the views.
    pub from: String,
    /// The status by the other rule.
    pub to: String,
    /// The number of messages.
    pub messages: u64,
}

/// A message that would have another status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MessageChange {
    /// The SID of the message.
    pub message_sid: String,
    /// The account of the message; `null` if no event names one.
    pub account_sid: Option<String>,
    /// The status in the views.
    pub from: String,
    /// The status by the other rule.
    pub to: String,
}

impl Job {
    /// True once it is done or has failed.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Failed)
    }

    /// The time that the rest of the work takes if it goes on as fast; `None` if that cannot be known yet.
    pub fn time_left(&self, now: Timestamp) -> Option<Duration> {
        const ELAPSED_MIN: Duration = Duration::from_secs(1);
        let started_at = self.started_at.as_deref().and_then(Timestamp::parse)?;
        let micros = u64::try_from(now.micros() - started_at.micros()).ok()?;
        let elapsed = Duration::from_micros(micros);
        let share = self.progress.as_ref()?.share().filter(|share| *share > 0.0)?;
        (elapsed >= ELAPSED_MIN).then(|| elapsed.mul_f64((1.0 - share).max(0.0) / share))
    }

    /// The job as a token sees it that sees addresses masked: `None` if it is an export that is not
    /// masked.
    pub fn masked(self) -> Option<Self> {
        let work = match self.work {
            JobWork::Export(export) if !export.masked => return None,
            JobWork::Export(export) => JobWork::Export(export),
            JobWork::Verify(verify) => JobWork::Verify(verify.masked()),
            JobWork::DryRun(dry_run) => JobWork::DryRun(dry_run.masked()),
        };
        Some(Self { work, error: self.error.as_deref().map(mask::text), ..self })
    }
}

impl JobProgress {
    /// The share of the work that is done; `None` if there is none to do.
    pub fn share(&self) -> Option<f64> {
        (self.all > 0).then(|| self.read as f64 / self.all as f64)
    }
}

impl JobWork {
    /// Its kind.
    pub fn kind(&self) -> JobKind {
        match self {
            JobWork::Export(_) => JobKind::Export,
            JobWork::Verify(_) => JobKind::Verify,
            JobWork::DryRun(_) => JobKind::DryRun,
        }
    }
}

impl ExportJob {
    /// The name of the file, such as `messages-74420.csv`.
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}", self.content.name(), self.as_of_position, self.format.name())
    }

    /// The manifest; `None` until the file is complete.
    pub fn manifest(&self, ledger_id: String) -> Option<Manifest> {
        let file = ManifestFile {
            name: self.file_name(),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.clone()?,
        };
        Some(Manifest {
            ledger_id,
            as_of_position: self.as_of_position,
            root: self.root.clone(),
            rule: self.rule.clone()?,
            filters: self.filters.clone(),
            masked: self.masked,
            files: vec![file],
        })
    }
}

impl VerifyJob {
    fn masked(self) -> Self {
        let result = self.result.map(|result| {
            let finding = |finding: VerifyFinding| VerifyFinding {
                detail: mask::text(&finding.detail),
                ..finding
            };
            let findings = result.findings.into_iter().map(finding).collect();
            VerifyResult { hash: None, digest: None, findings, ..result }
        });
        Self { expect: None, result }
    }
}

impl DryRunJob {
    fn masked(self) -> Self {
        let result = self.result.map(|result| {
            let change = |change: MessageChange| MessageChange {
                message_sid: mask::sid(&change.message_sid),
                account_sid: change.account_sid.as_deref().map(mask::sid),
                ..change
            };
            let changes = result.changes.into_iter().map(change).collect();
            DryRunResult { digest: None, changes, ..result }
        });
        Self { result, ..self }
    }
}
