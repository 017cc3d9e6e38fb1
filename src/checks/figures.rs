//! The figures behind the checks, for those who show them as numbers.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::arrivals::{self, Usual};
use super::callback_counts::{Counts, RecentCallbacks, minute_of, start_of};
use super::callbacks::examine::Examined;
use super::callbacks::refusals::{self, Present};
use super::callbacks::silence;
use super::context::CheckContext;
use super::growth::Growth;
use crate::backup::record::{LastBackup, last_backup};
use crate::domain::{Position, Timestamp};
use crate::store::Store;

/// What was measured during a run of the checks. What could not be measured is missing.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// When the last callback was accepted.
    pub last_accepted: Option<Timestamp>,
    /// How often callbacks usually arrive at this hour.
    pub usual: Option<Usual>,
    /// The callbacks of the last minutes.
    pub recent: Option<RecentCallbacks>,
    /// The events of each step of the last minutes, if callbacks are missing.
    pub steps: Option<Steps>,
    /// Callbacks that are being rejected now, if they are too many.
    pub rejected: Option<Present>,
    /// The likely causes of rejected requests in the quarantine.
    pub examined: Option<Examined>,
    /// How far the views are behind the log.
    pub lag: Option<Lag>,
    /// The free space of the log's disk, in bytes.
    pub disk_free: Option<u64>,
    /// How fast the ledger grows.
    pub growth: Option<Growth>,
    /// The last backup.
    pub backup: Option<LastBackup>,
    /// The last background verification.
    pub verified: Option<Verified>,
}

/// What was appended and what was rejected in the last minutes, by steps.
#[derive(Debug, Clone)]
pub struct Steps {
    /// The minute in which the first step begins.
    pub first: i64,
    /// In order; each step has two minutes.
    pub counts: Vec<Counts>,
}

/// How far the views are behind the log.
#[derive(Debug, Clone, Copy)]
pub struct Lag {
    /// How long the oldest event that is not projected has been waiting.
    pub seconds: f64,
    /// The number of events that are not projected.
    pub events: u64,
}

/// The last background verification.
#[derive(Debug, Clone)]
pub struct Verified {
    /// When it ended.
    pub at: String,
    /// `None` if the log could not be read to its end.
    pub position: Option<Position>,
    /// The number of findings.
    pub findings: u64,
}

/// The figures as JSON; each is null if it is not known.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiguresJson {
    /// When the last callback was accepted
    #[schema(format = "date-time")]
    last_accepted_at: Option<String>,
    /// The average time between two events at this hour, in the last seven days
    usual_every_seconds: Option<f64>,
    /// No gap between two events was longer at this hour, in the last seven days
    usual_gap_seconds_max: Option<f64>,
    /// Callbacks accepted in the last ten minutes
    accepted: Option<u64>,
    /// Callbacks rejected in the last ten minutes
    rejected: Option<u64>,
    /// Since when too many callbacks have been rejected, if they still are
    #[schema(format = "date-time")]
    rejected_since: Option<String>,
    lag_seconds: Option<f64>,
    lag_events: Option<u64>,
    disk_free_bytes: Option<u64>,
    #[schema(format = "date-time")]
    backup_at: Option<String>,
    backup_position: Option<Position>,
    #[schema(format = "date-time")]
    verified_at: Option<String>,
    verified_position: Option<Position>,
    verify_findings: Option<u64>,
}

impl Figures {
    /// The figures of a context, most of which its checks have already measured.
    pub fn measure(context: &CheckContext) -> Self {
        let sizes = context.files().and_then(|files| files.sizes().ok());
        let rejected = refusals::present(context);
        let is_missing = rejected.is_some() || silence::is_silent(context);
        Self {
            last_accepted: silence::last_accepted(context),
            usual: context.usual(),
            recent: context.server.recent.clone(),
            steps: is_missing.then(|| Steps::measure(context)).flatten(),
            rejected,
            examined: context.examined().ok().flatten().cloned(),
            lag: lag(context),
            disk_free: sizes.and_then(|sizes| sizes.disk_free),
            growth: context.growth(),
            backup: backup(context),
            verified: verified(context),
        }
    }

    /// The time since the last callback was accepted.
    pub fn silent(&self, now: Timestamp) -> Option<Duration> {
        self.last_accepted.map(|last| silence::since(now, last))
    }

    /// The callbacks of the last ten minutes before a moment; `None` if they are not known.
    pub fn last_minutes(&self, now: Timestamp) -> Option<Counts> {
        Some(self.recent.as_ref()?.last_minutes(now))
    }

    /// Their JSON form.
    pub fn json(&self, now: Timestamp) -> FiguresJson {
        let counts = self.last_minutes(now);
        FiguresJson {
            last_accepted_at: self.last_accepted.map(|at| at.to_string()),
            usual_every_seconds: self.usual.map(|usual| usual.every.as_secs_f64()),
            usual_gap_seconds_max: self.usual.map(|usual| usual.longest_gap.as_secs_f64()),
            accepted: counts.map(|counts| counts.accepted),
            rejected: counts.map(|counts| counts.rejected),
            rejected_since: self.rejected.map(|present| present.since.to_string()),
            lag_seconds: self.lag.map(|lag| lag.seconds),
            lag_events: self.lag.map(|lag| lag.events),
            disk_free_bytes: self.disk_free,
            backup_at: self.backup.as_ref().map(|backup| backup.ended_at.clone()),
            backup_position: self.backup.as_ref().map(|backup| backup.position),
            verified_at: self.verified.as_ref().map(|verified| verified.at.clone()),
            verified_position: self.verified.as_ref().and_then(|verified| verified.position),
            verify_findings: self.verified.as_ref().map(|verified| verified.findings),
        }
    }
}

impl Steps {
    /// The number of steps, of which the last is not over yet.
    const COUNT: i64 = 45;
    /// The length of a step.
    pub const MINUTES: i64 = 2;

    fn measure(context: &CheckContext) -> Option<Self> {
        let first = minute_of(context.now) + 1 - Self::COUNT * Self::MINUTES;
        let starts: Vec<_> = (0..=Self::COUNT).map(|step| first + step * Self::MINUTES).collect();
        let moments: Vec<_> = starts.iter().copied().map(start_of).collect();
        let accepted = arrivals::counted(context.store()?, context.head()?, &moments).ok()?;
        let rejected = |start: &i64| {
            let recent = context.server.recent.as_ref();
            recent.map_or(0, |recent| recent.between(*start, start + Self::MINUTES).rejected)
        };
        let counts = accepted.into_iter().zip(&starts);
        let counts = counts.map(|(accepted, start)| Counts { accepted, rejected: rejected(start) });
        Some(Self { first, counts: counts.collect() })
    }
}

fn lag(context: &CheckContext) -> Option<Lag> {
    let (_, ready) = context.server.ready.as_ref()?;
    let events = ready["head"].as_u64()?.saturating_sub(ready["checkpoint"].as_u64()?);
    Some(Lag { seconds: ready["lag_seconds"].as_f64()?, events })
}

/// When the last backup of a ledger ended, if one is known.
pub fn last_backup_at(store: &dyn Store) -> Option<Timestamp> {
    Timestamp::parse(&last_backup(store)?.ended_at)
}

fn backup(context: &CheckContext) -> Option<LastBackup> {
    last_backup(context.store()?)
}

fn verified(context: &CheckContext) -> Option<Verified> {
    let (_, ready) = context.server.ready.as_ref()?;
    let verified = &ready["verified"];
    Some(Verified {
        at: verified["at"].as_str()?.to_owned(),
        position: verified["position"].as_u64(),
        findings: verified["findings"].as_u64()?,
    })
}
