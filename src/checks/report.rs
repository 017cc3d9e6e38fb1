//! The findings of one run of the checks, and their JSON form.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::figures::{Figures, FiguresJson};
use super::finding::{Checked, Outcome};
use crate::domain::Timestamp;

/// The findings of one run.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// When the run began.
    pub at: Timestamp,
    /// How long the run took.
    pub took: Duration,
    /// In the order of the page: grouped by area.
    pub checked: Vec<Checked>,
    /// All missing if only quick checks ran.
    pub figures: Figures,
}

/// The findings as JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChecksJson {
    checks: Vec<CheckJson>,
    /// The number of checks that failed
    failed: usize,
    /// The number of checks that need attention
    warned: usize,
    /// When the checks were run
    #[schema(format = "date-time")]
    at: String,
    figures: FiguresJson,
}

/// One check and one of its findings.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckJson {
    name: String,
    area: &'static str,
    /// `ok`, `warn` if somebody should look, or `fail` if something does not work or soon will not
    #[schema(pattern = "^(ok|warn|fail)$")]
    outcome: &'static str,
    detail: String,
    /// What to do about it
    advice: Option<String>,
    /// Where the value comes from; it is at the end of the detail, too
    origin: Option<String>,
}

impl CheckReport {
    /// The number of findings with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checked.iter().filter(|checked| checked.finding.outcome == outcome).count()
    }

    /// The check with this name, with its first finding.
    pub fn find(&self, name: &str) -> Option<&Checked> {
        self.checked.iter().find(|checked| checked.name == name)
    }

    /// The first check with this outcome.
    pub fn first(&self, outcome: Outcome) -> Option<&Checked> {
        self.checked.iter().find(|checked| checked.is(outcome))
    }

    /// The worst outcome.
    pub fn worst(&self) -> Outcome {
        let outcomes = self.checked.iter().map(|checked| checked.finding.outcome);
        outcomes.max().unwrap_or(Outcome::Ok)
    }
}

impl From<&CheckReport> for ChecksJson {
    fn from(report: &CheckReport) -> Self {
        Self {
            checks: report.checked.iter().map(CheckJson::from).collect(),
            failed: report.count(Outcome::Fail),
            warned: report.count(Outcome::Warn),
            at: report.at.to_string(),
            figures: report.figures.json(report.at),
        }
    }
}

impl From<&Checked> for CheckJson {
    fn from(Checked { area, name, finding }: &Checked) -> Self {
        Self {
            name: name.clone(),
            area,
            outcome: finding.outcome.name(),
            detail: finding.text(),
            advice: finding.advice.clone(),
            origin: finding.origin.clone(),
        }
    }
}
