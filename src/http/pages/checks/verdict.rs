//! The verdict: one sentence on the state of the ledger and its server, and what follows from it.

use super::mark::Mark;
use crate::checks::callbacks::examine::{Cause, Correction, Examined};
use crate::checks::callbacks::refusals::Present;
use crate::checks::finding::{Checked, Outcome};
use crate::checks::report::CheckReport;
use crate::domain::Timestamp;
use crate::text::{capitalised, in_words, number};

/// A longer finding is not part of the heading.
const HEADING_CHARACTERS_MAX: usize = 60;

/// The verdict.
pub struct Verdict {
    /// The worst of all checks that the verdict is about.
    pub mark: Mark,
    pub title: String,
    /// The text before the link, if there is one.
    pub why: String,
    /// The number of rejected callbacks, as a link to their panel.
    pub rejected: Option<u64>,
    pub after: String,
}

impl Verdict {
    /// The first of the possible verdicts that is true, from the worst on.
    pub fn new(report: &CheckReport, log_is_empty: bool) -> Self {
        let failed = |name: &str| report.find(name).filter(|found| found.is(Outcome::Fail));
        if let Some(ready) = failed("ready") {
            return Self::of_check("Not ready", ready);
        }
        if let (Some(_), Some(present)) = (failed("refusals"), &report.figures.rejected) {
            return Self::rejected(report, present);
        }
        if let Some(silence) = failed("silence") {
            return Self::silent(report, silence);
        }
        match (report.count(Outcome::Fail), report.first(Outcome::Fail)) {
            (1, Some(first)) => return Self::of_first("Failed: ", first),
            (count, Some(first)) => {
                return Self::of_check(&format!("{} checks failed", number(count as u64)), first);
            }
            (_, None) => {}
        }
        match report.first(Outcome::Warn) {
            _ if log_is_empty => Self::waiting(),
            Some(first) => Self::of_first("Well, but ", first),
            None => Self::well(report),
        }
    }

    fn new_with(outcome: Outcome, title: impl Into<String>, why: impl Into<String>) -> Self {
        let (title, why) = (title.into(), why.into());
        let mark = Mark::new(outcome);
        Self { mark, title, why, rejected: None, after: String::new() }
    }

    /// The verdict of one check, under a heading of its own.
    fn of_check(title: &str, checked: &Checked) -> Self {
        let Checked { name, finding, .. } = checked;
        let advice = finding.advice.as_deref().unwrap_or_default();
        let why = format!("{}: {}. What to do: {advice}.", capitalised(name), finding.detail);
        Self::new_with(finding.outcome, title, why)
    }

    /// The verdict of the first check, which is part of the heading if it is short.
    fn of_first(prefix: &str, checked: &Checked) -> Self {
        let Checked { name, finding, .. } = checked;
        let heading = format!("{prefix}{name}: {}", finding.detail);
        match heading.chars().count() <= HEADING_CHARACTERS_MAX {
            true => {
                let advice = finding.advice.as_deref().unwrap_or_default();
                Self::new_with(finding.outcome, heading, sentence(advice))
            }
            false => Self::of_check(&format!("{prefix}look at {name}"), checked),
        }
    }

    fn rejected(report: &CheckReport, present: &Present) -> Self {
        let Present { since, counts } = present;
        let title = format!("Callbacks have been rejected since {} UTC", minute(*since));
        let (why, of_all) = match counts.accepted {
            0 => ("All ".to_owned(), String::new()),
            _ => (String::new(), format!(" of {}", number(counts.all()))),
        };
        let after =
            format!("{of_all} since then{}", likely_cause(report.figures.examined.as_ref()));
        let rejected = Some(counts.rejected);
        Self { mark: Mark::new(Outcome::Fail), title, why, rejected, after }
    }

    fn silent(report: &CheckReport, silence: &Checked) -> Self {
        let silent = report.figures.silent(report.at).map(in_words).unwrap_or_default();
        let advice = silence.finding.advice.as_deref().unwrap_or_default();
        Self::new_with(Outcome::Fail, format!("No callback for {silent}"), sentence(advice))
    }

    fn waiting() -> Self {
        let why = "Nothing has failed. The last callbacks, and what is usual, are shown here once some \
                   have arrived.";
        Self::new_with(Outcome::Ok, "Waiting for the first callback", why)
    }

    fn well(report: &CheckReport) -> Self {
        let last = report.figures.silent(report.at);
        let last = last.map_or("None of the last events is a callback".to_owned(), |silent| {
            format!("The last callback arrived {} ago", in_words(silent))
        });
        let usual = report.figures.usual.map(|usual| {
            format!("; at this hour there is usually one every {}", in_words(usual.every))
        });
        let rejected = report.figures.last_minutes(report.at).map(|counts| match counts.rejected {
            0 => " None was rejected in the last ten minutes.".to_owned(),
            rejected => format!(" {} rejected in the last ten minutes.", number(rejected)),
        });
        let why = format!(
            "{last}{}.{} {} checks, nothing to do.",
            usual.unwrap_or_default(),
            rejected.unwrap_or_default(),
            report.checked.len()
        );
        Self::new_with(Outcome::Ok, "All is well", why)
    }
}

/// The cause that was found, as the rest of a sentence.
fn likely_cause(examined: Option<&Examined>) -> String {
    let Some(Examined { requests, cause: Some(cause), .. }) = examined else {
        return ".".to_owned();
    };
    let Cause { text, requests: count, is_ours, correction } = cause;
    let newest = format!("{count} of the newest {requests}");
    match (is_ours, correction) {
        (false, _) => format!(". {}: {text}.", capitalised(&newest)),
        (true, None) => format!(", for one likely cause ({newest}): {}.", of_signature(text)),
        (true, Some(Correction { public_url, acceptable, .. })) => format!(
            ", for one likely cause: {}. With the public URL {public_url}, {acceptable} of the newest \
             {requests} would be accepted.",
            of_signature(text)
        ),
    }
}

/// A cause with its subject.
pub fn of_signature(cause: &str) -> String {
    if cause.starts_with("matches") { format!("the signature {cause}") } else { cause.to_owned() }
}

/// A text as a sentence.
pub fn sentence(text: &str) -> String {
    let end = if text.is_empty() || text.ends_with('.') { "" } else { "." };
    format!("{}{end}", capitalised(text))
}

/// The hour and minute of a time.
pub fn minute(time: Timestamp) -> String {
    time.to_string().get(11..16).unwrap_or_default().to_owned()
}
