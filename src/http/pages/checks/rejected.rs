//! The panel about rejected callbacks: the likely cause, the setting to change, and the recheck.

use std::sync::Arc;

use super::glance::bytes;
use super::verdict::{of_signature, sentence};
use crate::checks::callbacks::examine::{Cause, Correction, Examined};
use crate::checks::finding::Outcome;
use crate::checks::report::CheckReport;
use crate::domain::Timestamp;
use crate::http::admin::quarantine::recheck::RecheckOutcome;
use crate::text::number;

/// The check of the setting that a correction changes.
const SETTING: &str = "setting public_url";

/// How long the result of a recheck is shown.
const LAST_MICROS_MAX: i64 = 10 * 60 * 1_000_000;

/// The panel.
pub struct Rejected {
    /// The number of stored requests.
    pub stored: u64,
    /// The number of the newest ones that would be accepted now.
    acceptable: u64,
    pub size: String,
    /// The most frequent cause, as a sentence.
    pub cause: String,
    /// A remark on what follows from it.
    pub remark: String,
    pub change: Option<Change>,
    /// The public URL to check against; empty for the configured ones.
    pub public_url: String,
    /// The last recheck, if it was a short time ago.
    pub last: Option<Last>,
}

/// A setting to change.
pub struct Change {
    /// Where it is: a file and a line, a variable, or a flag.
    pub place: String,
    pub was: String,
    pub now: String,
}

/// The result of a recheck.
pub struct Last {
    pub ended_at: Timestamp,
    pub dry_run: bool,
    /// The number of requests that were checked.
    pub checked: u64,
    /// The number that was appended, or would be.
    pub appended: u64,
    /// The number that is rejected still.
    pub refused: u64,
}

impl Rejected {
    /// The panel; `None` if nothing is rejected now, nothing that was stored would be accepted, and
    /// nothing was just accepted.
    pub fn new(report: &CheckReport, last: Option<Arc<RecheckOutcome>>) -> Option<Self> {
        let examined = report.figures.examined.as_ref()?;
        let last =
            last.filter(|last| report.at.micros() - last.ended_at.micros() < LAST_MICROS_MAX);
        let failed = report.find("refusals").is_some_and(|found| found.is(Outcome::Fail));
        let accepted = last.as_ref().is_some_and(|last| !last.request.dry_run);
        if !(accepted || examined.acceptable > 0 || (failed && examined.size.requests > 0)) {
            return None;
        }
        let Examined { size, requests, acceptable, cause } = examined;
        let correction = cause.as_ref().and_then(|cause| cause.correction.as_ref());
        let correction = correction.filter(|_| *acceptable == 0);
        let (cause, remark) = match cause {
            _ if *acceptable > 0 => (
                format!("{acceptable} of the newest {requests} would be accepted now."),
                "The cause has been corrected since they were rejected.".to_owned(),
            ),
            Some(cause) => (cause_of(cause, *requests), remark(cause, *requests)),
            None => ("Nothing is in quarantine.".to_owned(), String::new()),
        };
        let suggested = correction.map_or("", |found| &found.public_url);
        let public_url = last.as_ref().map_or(suggested, |last| last.request.first_public_url());
        let public_url = public_url.to_owned();
        Some(Self {
            stored: size.requests,
            acceptable: *acceptable,
            size: bytes(size.bytes),
            cause,
            remark,
            change: correction.and_then(|correction| Change::new(correction, report)),
            public_url,
            last: last.as_deref().map(Last::new),
        })
    }
}

fn cause_of(Cause { text, is_ours, .. }: &Cause, requests: u64) -> String {
    match is_ours {
        true => sentence(&of_signature(text)),
        false => format!("For the newest {requests} nothing fits. {}", sentence(text)),
    }
}

fn remark(Cause { requests: count, is_ours, correction, .. }: &Cause, requests: u64) -> String {
    match (is_ours, correction) {
        (false, _) => "Anyone can send such requests.".to_owned(),
        (true, Some(Correction { acceptable, .. })) if *acceptable == requests => {
            format!("True for all of the newest {requests}.")
        }
        (true, _) => format!("True for {count} of the newest {}.", number(requests)),
    }
}

impl Rejected {
    /// True if the cause has been corrected: there is nothing left to change.
    pub fn is_corrected(&self) -> bool {
        self.acceptable > 0 || self.stored == 0
    }
}

impl Change {
    fn new(correction: &Correction, report: &CheckReport) -> Option<Self> {
        let Correction { public_url, instead_of, .. } = correction;
        let origin = report.find(SETTING)?.finding.origin.clone()?;
        let is_file = origin.contains(", line ");
        let written = |url: &str| match origin.as_str() {
            _ if is_file => format!("public_url = \"{url}\""),
            flag if flag.starts_with("--") => format!("{flag} {url}"),
            variable if variable != "default" => format!("{variable}={url}"),
            _ => format!("DELIVERY_LEDGER_PUBLIC_URL={url}"),
        };
        let (was, now) = (written(instead_of.as_deref()?), written(public_url));
        let place = match origin.as_str() {
            "default" => "the environment".to_owned(),
            origin => origin.to_owned(),
        };
        Some(Self { place, was, now })
    }
}

impl Last {
    /// True if it was a dry run that found something to append.
    pub fn can_be_accepted(&self) -> bool {
        self.dry_run && self.appended > 0
    }

    fn new(outcome: &RecheckOutcome) -> Self {
        let counts = outcome.rechecked;
        Self {
            ended_at: outcome.ended_at,
            dry_run: outcome.request.dry_run,
            checked: counts.requests,
            appended: counts.appended,
            refused: counts.refused,
        }
    }
}
