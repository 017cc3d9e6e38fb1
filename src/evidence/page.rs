//! The result of a check as one HTML file for people, to be read or printed: without scripts, and without anything
//! that it would have to load. The checker makes it, from what it has verified; everything in it is escaped.

use askama::Template;

use super::check::{Checked, Finding};
use crate::domain::Timestamp;
use crate::domain::hash::hex;
use crate::seal::json::{TimestampJson, WitnessJson};
use crate::wire::explanation;
use crate::wire::status_name::status_name;

/// The page.
#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    is_proven: bool,
    message_sid: Option<&'a str>,
    account_sid: Option<&'a str>,
    status: Option<Status>,
    origin: &'a str,
    size: u64,
    root: String,
    keys: Vec<String>,
    witnesses: &'a [WitnessJson],
    timestamps: &'a [TimestampJson],
    timestamps_given: usize,
    complete: Option<bool>,
    erased: usize,
    events: Vec<Event>,
    findings: &'a [Finding],
    checked_at: Timestamp,
    version: &'static str,
}

/// The status of the message, and why it has it.
struct Status {
    name: &'static str,
    rule: &'static str,
    why: String,
    to: Option<String>,
    from: Option<String>,
}

/// An event of the timeline.
struct Event {
    position: u64,
    received_at: Timestamp,
    source: &'static str,
    verified_by: Option<String>,
    status: String,
    explanation: String,
    body: String,
}

/// The text of the page about a check that was made at a time.
pub fn page(checked: &Checked, checked_at: Timestamp) -> String {
    let statement = checked.statement.as_ref();
    let folded = checked.folded.as_ref();
    let page = Page {
        is_proven: checked.is_proven(),
        message_sid: checked.message_sid.as_deref(),
        account_sid: checked.account_sid.as_deref(),
        status: folded.map(|folded| {
            let evidence = &folded.lifecycle.evidence;
            Status {
                name: status_name(evidence.status()),
                rule: evidence.rule.name(),
                why: explanation::why(evidence).join(" "),
                to: evidence.to().map(str::to_owned),
                from: evidence.from().map(str::to_owned),
            }
        }),
        origin: statement.map_or("", |statement| &statement.origin),
        size: statement.map_or(0, |statement| statement.size),
        root: statement.map_or_else(String::new, |statement| hex(&statement.root)),
        keys: checked.sealed_by.iter().map(ToString::to_string).collect(),
        witnesses: &checked.witnesses,
        timestamps: &checked.timestamps,
        timestamps_given: checked.timestamps_given,
        complete: checked.complete,
        erased: checked.erased,
        events: folded
            .map_or_else(Vec::new, |folded| folded.timeline.iter().map(Event::new).collect()),
        findings: &checked.findings,
        checked_at,
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render().expect("nothing of the page can fail")
}

impl Event {
    fn new(entry: &crate::projection::fold::Entry) -> Self {
        let reported = &entry.reported;
        let status = reported.status.map(|status| status.name().to_owned());
        let word = || reported.unrecognised.as_ref().map(ToString::to_string);
        Self {
            position: entry.event.position,
            received_at: entry.event.received_at,
            source: entry.event.source.name(),
            verified_by: entry.event.verified_by.clone(),
            status: status.or_else(word).unwrap_or_else(|| "-".to_owned()),
            explanation: explanation::of_event(&entry.event, reported, entry.effect, entry.change),
            body: String::from_utf8_lossy(&entry.event.body).into_owned(),
        }
    }
}
