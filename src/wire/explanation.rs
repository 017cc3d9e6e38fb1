//! Explanations in plain English: why a message has its status, and the effect of each of its events.
//! `audit` prints them for people; the JSON of a message contains them.

use crate::domain::event::note;
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::message::lifecycle::Evidence;
use crate::domain::message::status_change::StatusChange;
use crate::domain::message::status_reported::Label;
use crate::domain::{Effect, NewEvent, Rule, Status, StatusReported};
use crate::wire::status_name::status_name;

/// The reason for the status, in one or two sentences.
pub fn why(evidence: &Evidence) -> Vec<String> {
    let mut sentences = vec![deciding(evidence)];
    if evidence.has_conflict() {
        let statuses = evidence.status_times.statuses();
        let reported = statuses.filter(|status| status.is_success() || status.is_failure());
        let reported: Vec<_> = reported.map(Status::name).collect();
        sentences
            .push(format!("There is evidence of success and of failure: {}.", reported.join(", ")));
    }
    sentences
}

fn deciding(evidence: &Evidence) -> String {
    let status = status_name(evidence.status());
    let position = evidence.deciding.as_ref().map_or(0, |deciding| deciding.position);
    match (evidence.status(), evidence.rule) {
        (None, _) if evidence.kinds.is_inbound() => {
            "Every status is one of an inbound message, so nothing is expected of it.".to_owned()
        }
        (None, _) => "No event reported a known status.".to_owned(),
        (Some(of), Rule::FailureTerminal) if of.is_failure() => format!(
            "It is {status} because under this rule a reported failure outranks every other status (position {position})."
        ),
        (Some(of), Rule::DeliveryWins) if of.is_success() && evidence.has_conflict() => format!(
            "It is {status} because under this rule evidence of success outranks a failure (position {position})."
        ),
        (Some(_), _) => format!(
            "It is {status} because no reported status ranks higher; the order of arrival does not matter (position {position})."
        ),
    }
}

/// The effect of one event on its message, and what is unusual about the event, separated by
/// semicolons. It contains notes of the event, which may name files.
pub fn of_event(
    event: &NewEvent,
    reported: &StatusReported,
    effect: Effect,
    change: StatusChange,
) -> String {
    let change = match change {
        StatusChange::First(None) => "first event; status unknown".to_owned(),
        StatusChange::First(after) => format!("first event; {}", status_name(after)),
        StatusChange::Unchanged(status) => format!("stays {}", status_name(status)),
        StatusChange::Changed { before, after } => {
            format!("{} -> {}", status_name(before), status_name(after))
        }
    };
    let mut parts = vec![match effect {
        Effect::Duplicate(position) => format!("the same as position {position}; {change}"),
        Effect::Late => format!("ranks below the status already reported; {change}"),
        Effect::Conflict => format!("contradicts a status already reported; {change}"),
        Effect::Click => format!("a click on a link; {change}"),
        Effect::Feedback => format!("{}; {change}", feedback(reported)),
        Effect::Unrecognised => format!("no known status; {change}"),
        Effect::Confirmed | Effect::Advanced => change,
    }];
    parts.extend(reported.error_code.map(|code| format!("error {}", code.number())));
    parts.extend(origin(event));
    parts.extend(reported.labels.iter().map(|label| remark(*label).to_owned()));
    parts.join("; ")
}

/// The outcome that the sender reported, in words.
fn feedback(reported: &StatusReported) -> &'static str {
    match reported.feedback() {
        Some(FeedbackOutcome::Confirmed) => {
            "the sender confirmed that the message served its purpose"
        }
        _ => "the sender reported that the message has not served its purpose",
    }
}

/// The origin of an imported event: another ledger or a file. `None` if it was not imported.
fn origin(event: &NewEvent) -> Option<String> {
    let note = |name: &str| event.notes.get(name);
    let of_ledger = note(note::POSITION).map(|position| match note(note::LEDGER) {
        Some(ledger) => format!("imported, position {position} of ledger {ledger}"),
        None => format!("imported, position {position} of another ledger"),
    });
    let of_file = note(note::FILE).map(|file| {
        let line = note(note::LINE).map_or(String::new(), |line| format!(", line {line}"));
        let repaired =
            note(note::REPAIRED).map_or(String::new(), |what| format!(", repaired ({what})"));
        format!("imported from {file}{line}{repaired}")
    });
    let parts: Vec<String> = of_file.into_iter().chain(of_ledger).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn remark(label: Label) -> &'static str {
    match label {
        Label::StatusWordsDiffer => "MessageStatus and SmsStatus differ",
        Label::OddMessageSid => "an unusual message SID",
        Label::Inbound => "an inbound message",
        Label::Simulated => "sent by a simulation",
        Label::SwallowedParameter => "contains the name of a parameter that is missing",
        Label::RepeatedParameter => "a parameter occurs more than once",
        Label::LikelyPreview => "probably a program that follows links, and no person",
        Label::ReusedSignature => "another event has the same signature",
    }
}
