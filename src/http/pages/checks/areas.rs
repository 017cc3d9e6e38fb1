//! The checks by area: those with a problem are open, the worst first.

use super::mark::Mark;
use crate::checks::finding::{Checked, Outcome};
use crate::checks::report::CheckReport;

/// The areas in the order of the checks: what the checks call them, the heading, and a remark.
const AREAS: [(&str, &str, &str); 9] = [
    ("callbacks", "Callbacks", ""),
    ("configuration", "Configuration", "each value and where it comes from"),
    ("twilio", "Keys and URLs", "per account"),
    ("files", "Files and disk", ""),
    ("ledger", "Ledger and views", ""),
    ("time", "Time", ""),
    ("records", "Records", "reconcile, backup, verification"),
    ("forwarding", "Forwarding", "per target"),
    ("server", "Server", ""),
];

/// One area.
pub struct Area<'a> {
    /// Identifies the area on the page.
    pub id: &'static str,
    pub title: &'static str,
    pub remark: &'static str,
    /// True if something in it is not ok.
    pub is_open: bool,
    /// The numbers of checks by outcome.
    pub marks: Vec<Mark>,
    /// The worst first.
    pub rows: Vec<Row<'a>>,
}

/// One check.
pub struct Row<'a> {
    pub mark: Mark,
    pub name: &'a str,
    /// The account that it is about, which is part of the name.
    pub account_sid: Option<&'a str>,
    pub detail: &'a str,
    pub advice: Option<&'a str>,
    /// Where the value comes from.
    pub origin: Option<&'a str>,
}

/// The areas that have checks.
pub fn areas(report: &CheckReport) -> Vec<Area<'_>> {
    let area = |(id, title, remark)| {
        let checks = report.checked.iter().filter(|checked| checked.area == id);
        let mut checks: Vec<_> = checks.collect();
        checks.sort_by_key(|checked| std::cmp::Reverse(checked.finding.outcome));
        Area {
            id,
            title,
            remark,
            is_open: checks.iter().any(|checked| !checked.is(Outcome::Ok)),
            marks: COUNTED.iter().filter_map(|counted| counted.mark(&checks)).collect(),
            rows: checks.into_iter().map(Row::new).collect(),
        }
    };
    AREAS.map(area).into_iter().filter(|area| !area.rows.is_empty()).collect()
}

/// An outcome that is counted, and what follows its number.
struct Counted(Outcome, &'static str);

const COUNTED: [Counted; 3] = [
    Counted(Outcome::Fail, "failed"),
    Counted(Outcome::Warn, "to look at"),
    Counted(Outcome::Ok, "ok"),
];

impl Counted {
    fn mark(&self, checks: &[&Checked]) -> Option<Mark> {
        let Self(outcome, words) = self;
        let count = checks.iter().filter(|checked| checked.is(*outcome)).count();
        (count > 0).then(|| Mark::with_text(*outcome, format!("{count} {words}")))
    }
}

impl<'a> Row<'a> {
    fn new(checked: &'a Checked) -> Self {
        let finding = &checked.finding;
        let (name, account_sid) = match checked.name.rsplit_once(' ') {
            Some((name, sid)) if sid.starts_with("AC") => (name, Some(sid)),
            _ => (checked.name.as_str(), None),
        };
        Self {
            mark: Mark::new(finding.outcome),
            // The area says that these are settings.
            name: name.strip_prefix("setting ").unwrap_or(name),
            account_sid,
            detail: &finding.detail,
            advice: finding.advice.as_deref(),
            origin: finding.origin.as_deref(),
        }
    }
}
