//! The six figures at the top of the health page, in the same place in every state.

use std::time::Duration;

use super::verdict::minute;
use crate::checks::figures::Figures;
use crate::checks::finding::Outcome;
use crate::checks::report::CheckReport;
use crate::domain::Timestamp;
use crate::text::{in_words, number};

/// One figure.
pub struct Figure {
    pub name: &'static str,
    pub value: String,
    /// Empty if the value has none.
    pub unit: String,
    pub note: String,
    /// Where more about it is, on this page.
    pub target: &'static str,
    /// True if its check failed.
    pub failed: bool,
}

/// The six figures.
pub fn figures(report: &CheckReport) -> [Figure; 6] {
    let (figures, now) = (&report.figures, report.at);
    let failed = |names: &[&str]| {
        let failed = |name: &&str| report.find(name).is_some_and(|one| one.is(Outcome::Fail));
        names.iter().any(failed)
    };
    [
        Figure { failed: failed(&["silence"]), ..last_accepted(figures, now) },
        Figure { failed: failed(&["refusals"]), ..rejected(figures, now) },
        Figure { failed: failed(&["ready"]), ..lag(figures) },
        Figure { failed: failed(&["disk", "growth"]), ..disk(figures) },
        Figure { failed: failed(&["backup"]), ..backup(figures, now) },
        Figure { failed: failed(&["verification"]), ..verified(figures, now) },
    ]
}

fn figure(name: &'static str, target: &'static str, value: &str, note: &str) -> Figure {
    let (value, unit) = value.split_once(' ').unwrap_or((value, ""));
    let (value, unit, note) = (value.to_owned(), unit.to_owned(), note.to_owned());
    Figure { name, value, unit, note, target, failed: false }
}

fn last_accepted(figures: &Figures, now: Timestamp) -> Figure {
    let of = |value: &str, note: &str| figure("Last accepted", "#callbacks", value, note);
    match (figures.silent(now), figures.usual) {
        (None, _) => of("none", "so far"),
        (Some(silent), None) => of(&in_words(silent), "ago"),
        (Some(silent), Some(usual)) if silent <= usual.longest_gap => {
            of(&in_words(silent), "ago, as usual")
        }
        (Some(silent), Some(usual)) => {
            of(&in_words(silent), &format!("ago, usual under {}", in_words(usual.longest_gap)))
        }
    }
}

fn rejected(figures: &Figures, now: Timestamp) -> Figure {
    let of = |value: &str, note: &str| figure("Rejected", "#callbacks", value, note);
    match (&figures.rejected, figures.last_minutes(now)) {
        (Some(present), _) => {
            let note =
                format!("of {} since {}", number(present.counts.all()), minute(present.since));
            of(&number(present.counts.rejected), &note)
        }
        (None, Some(counts)) => {
            of(&number(counts.rejected), &format!("of {} in 10 min", number(counts.all())))
        }
        (None, None) => of("-", "not counted"),
    }
}

fn lag(figures: &Figures) -> Figure {
    let of = |value: &str, note: &str| figure("View lag", "#ledger", value, note);
    match figures.lag {
        Some(lag) => {
            let events = if lag.events == 1 { "event" } else { "events" };
            of(&format!("{:.1} s", lag.seconds), &format!("{} {events}", number(lag.events)))
        }
        None => of("-", "not known"),
    }
}

fn disk(figures: &Figures) -> Figure {
    let of = |value: &str, note: &str| figure("Disk free", "#files", value, note);
    let lasts = figures.growth.map(|growth| format!("lasts {}", growth.lasts()));
    match figures.disk_free {
        Some(free) => of(&bytes(free), &lasts.unwrap_or_default()),
        None => of("-", "not known"),
    }
}

fn backup(figures: &Figures, now: Timestamp) -> Figure {
    let of = |value: &str, note: &str| figure("Last backup", "#records", value, note);
    match &figures.backup {
        Some(backup) => {
            let note = format!("ago, to {}", number(backup.position));
            of(&age(&backup.ended_at, now), &note)
        }
        None => of("none", "is known"),
    }
}

fn verified(figures: &Figures, now: Timestamp) -> Figure {
    let of = |value: &str, note: &str| figure("Last verified", "#records", value, note);
    match &figures.verified {
        Some(verified) => {
            let findings = if verified.findings == 1 { "finding" } else { "findings" };
            let note = match verified.position {
                Some(_) => format!("ago, {} {findings}", number(verified.findings)),
                None => "ago, not to the end".to_owned(),
            };
            of(&age(&verified.at, now), &note)
        }
        None => of("none", "yet"),
    }
}

/// The time since a moment, such as `13 h`; `-` if it is not a time.
fn age(moment: &str, now: Timestamp) -> String {
    let age = Timestamp::parse(moment).map(|moment| now.micros() - moment.micros());
    let age = age.map(|micros| Duration::from_micros(micros.max(0) as u64));
    age.map_or("-".to_owned(), in_words)
}

/// A number of bytes, such as `61.3 GB`.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{value:.1} {}", UNITS[unit]),
    }
}
