//! The reason for the status of a message as prose that links to the events it refers to.

use crate::domain::message::event_ref::Subject;
use crate::domain::{ErrorCodes, Position, Rule, Source, Status};
use crate::projection::fold::{Entry, Folded};

/// The ordinals that are written as words.
const WORDS: [&str; 12] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth",
];

/// A part of the reason.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// An event, by its ordinal, as a link to its row.
    Event {
        position: Position,
        text: String,
    },
    /// The title of an error.
    Title(String),
}

/// The reason for the status of a message.
pub fn reason(message: &Folded, error_codes: &ErrorCodes) -> Vec<Part> {
    let evidence = &message.lifecycle.evidence;
    let Some(status) = evidence.status() else {
        let of_others = |at: &Entry| at.reported.subject() != Subject::Status;
        let text = match () {
            () if evidence.kinds.is_inbound() => {
                "Every status is one of an inbound message, so nothing is expected of it."
            }
            () if message.timeline.iter().any(of_others) => {
                "No known status was received; clicks and feedback are none."
            }
            () => "No known status was received.",
        };
        return vec![Part::Text(text.to_owned())];
    };
    let conflict = evidence.has_conflict();
    let mut parts = Parts::default();
    parts.text(match evidence.rule {
        Rule::FailureTerminal if status.is_failure() => "A failure outranks every other status. ",
        Rule::DeliveryWins if status.is_success() && conflict => {
            "Evidence of success takes precedence here. "
        }
        Rule::FailureTerminal | Rule::DeliveryWins => {
            "No higher status was received, in whatever order. "
        }
    });
    let deciding = evidence.deciding.as_ref().map_or(0, |deciding| deciding.position);
    let Some(place) = message.timeline.iter().position(|at| at.event.position == deciding) else {
        return parts.0;
    };
    let at = &message.timeline[place];
    parts.event(place, at, true);
    parts.text(&format!(" said {}", words(status)));
    if let Some(code) = at.reported.error_code.filter(|_| status.is_failure()) {
        parts.text(&format!(", with {} ", code.number()));
        parts.0.push(Part::Title(error_codes.title(code)));
    }
    let contrary = |at: &&Entry| {
        let said = at.reported.status;
        said.is_some_and(|said| match status.is_failure() {
            true => said.is_success(),
            false => said.is_failure(),
        })
    };
    let first_contrary = message.timeline.iter().position(|at| contrary(&at));
    match first_contrary.filter(|_| conflict) {
        Some(place) => {
            let at = &message.timeline[place];
            parts.text(". ");
            parts.event(place, at, false);
            let said = at.reported.status.map_or("unknown".to_owned(), words);
            parts.text(&format!(" said {said}: that contradicts it, but does not undo it."));
        }
        None if message.timeline.len() == 1 => parts.text(", and nothing else was known."),
        None => match after(message, place, status) {
            later if later.is_empty() => parts.text("."),
            later => parts.text(&format!("; {} came after it.", enumeration(&later))),
        },
    }
    parts.0
}

/// The other statuses that were reported after the deciding event, in order of arrival.
fn after(message: &Folded, deciding: usize, status: Status) -> Vec<String> {
    let mut later: Vec<Status> = Vec::new();
    for at in &message.timeline[deciding + 1..] {
        let said = at.reported.status.filter(|said| *said != status && !later.contains(said));
        later.extend(said);
    }
    later.into_iter().map(words).collect()
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn text(&mut self, text: &str) {
        self.0.push(Part::Text(text.to_owned()));
    }

    /// Names the event at this place of the timeline; the first time with its kind.
    fn event(&mut self, place: usize, at: &Entry, first: bool) {
        let kind = match is_callback(at) {
            _ if !first => "",
            true => " callback",
            false => " event",
        };
        let text = format!("The {}{kind}", ordinal(place + 1));
        self.0.push(Part::Event { position: at.event.position, text });
    }
}

/// True if an event is a callback, and none of Event Streams.
pub fn is_callback(at: &Entry) -> bool {
    at.event.source == Source::Callback && at.reported.cloud_event_id().is_none()
}

/// A status in words.
pub fn words(status: Status) -> String {
    status.name().replace('_', " ")
}

/// A place in a sequence, from 1: `second`, `23rd`.
fn ordinal(number: usize) -> String {
    if let Some(word) = WORDS.get(number.wrapping_sub(1)) {
        return (*word).to_owned();
    }
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Words as an enumeration: `sent`, `sent and queued`, `sent, queued and sending`.
fn enumeration(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{enumeration, ordinal};

    #[test]
    fn ordinals_are_words_up_to_twelve() {
        let written = [1, 2, 12, 13, 21, 22, 23, 101, 111].map(ordinal);
        let expected =
            ["first", "second", "twelfth", "13th", "21st", "22nd", "23rd", "101st", "111th"];
        assert_eq!(written, expected);
    }

    #[test]
    fn an_enumeration_reads_as_a_sentence() {
        let words = ["sent", "queued", "sending"].map(str::to_owned);
        assert_eq!(enumeration(&words[..1]), "sent");
        assert_eq!(enumeration(&words[..2]), "sent and queued");
        assert_eq!(enumeration(&words), "sent, queued and sending");
    }
}
