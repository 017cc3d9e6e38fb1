//! Batches of Event Streams: a JSON array of CloudEvents in one request
//! (<https://www.twilio.com/docs/events/webhook-quickstart>). Each CloudEvent becomes an event of the log with
//! exactly its bytes, and notes from which the body of the request can be put together again.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::TopLevel;
use crate::domain::AccountSid;
use crate::domain::event::note;

/// The maximum number of events of one request. A CloudEvent of Twilio's has some 500 bytes, so that 1 MiB has
/// some 2,000 of them.
pub const BATCH_EVENTS_MAX: usize = 10_000;

/// The number of elements whose accounts' keys are tried for a batch, besides the configured ones. A subaccount
/// signs its own events alone; an account that receives those of its subaccounts is configured.
const ACCOUNTS_MAX: usize = 16;

/// The bytes before the first element, between two, and after the last, if there is no white space.
const BEGIN: &[u8] = b"[";
const BETWEEN: &[u8] = b",";
const END: &[u8] = b"]";

/// One element of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The bytes between the element before, or the beginning of the body, and this one.
    pub before: &'a [u8],
    /// The element.
    pub body: &'a [u8],
    /// The bytes after the last element; empty for the others.
    pub after: &'a [u8],
}

/// Why a body that begins like an array is kept as one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum NotSplit {
    #[error("it is not valid JSON")]
    NotJson,
    #[error("an element is not a JSON object")]
    NotObjects,
    #[error("it has no elements")]
    Empty,
    #[error("it has more than {BATCH_EVENTS_MAX} elements")]
    TooMany,
}

impl NotSplit {
    /// Every reason.
    pub const ALL: [NotSplit; 4] =
        [NotSplit::NotJson, NotSplit::NotObjects, NotSplit::Empty, NotSplit::TooMany];

    /// The name used in metrics.
    pub fn name(self) -> &'static str {
        match self {
            NotSplit::NotJson => "not_json",
            NotSplit::NotObjects => "not_objects",
            NotSplit::Empty => "empty",
            NotSplit::TooMany => "too_many",
        }
    }
}

/// True if a JSON body is an array, or begins like one.
pub fn is_array(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'[')
}

/// True if a JSON body is a single CloudEvent.
pub fn is_cloud_event(body: &[u8]) -> bool {
    TopLevel::parse(body).cloud_event().is_some()
}

/// The accounts of the CloudEvents in a JSON body, each once; of a batch those of the first few,
/// since the signature of such a body is not verified yet.
pub fn accounts(body: &[u8]) -> Vec<AccountSid> {
    let elements: Vec<_> = match is_array(body) {
        true => split(body).unwrap_or_default().iter().map(|element| element.body).collect(),
        false => vec![body],
    };
    let mut accounts = Vec::new();
    for element in elements.into_iter().take(ACCOUNTS_MAX) {
        let data = TopLevel::parse(element).cloud_event();
        let account = data.and_then(|data| data.first(&["accountSid", "account_sid"]));
        if let Some(account) = account.and_then(|account| AccountSid::parse(&account))
            && !accounts.contains(&account)
        {
            accounts.push(account);
        }
    }
    accounts
}

/// The elements of an array of objects.
///
/// ```
/// use delivery_ledger::twilio::json::batch::split;
///
/// let elements = split(br#"[{"id":"1"}, {"id":"2"}]"#).unwrap();
/// assert_eq!(elements[1].body, br#"{"id":"2"}"#);
/// assert_eq!((elements[1].before, elements[1].after), (&b", "[..], &b"]"[..]));
/// ```
pub fn split(body: &[u8]) -> Result<Vec<Element<'_>>, NotSplit> {
    let raw: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| NotSplit::NotJson)?;
    match raw.len() {
        0 => return Err(NotSplit::Empty),
        elements if elements > BATCH_EVENTS_MAX => return Err(NotSplit::TooMany),
        _ => {}
    }
    let mut at = 0;
    let mut elements = Vec::with_capacity(raw.len());
    for raw in raw {
        // The element is a part of the body, so the difference of their addresses is its place.
        let begin = raw.get().as_ptr().addr() - body.as_ptr().addr();
        let end = begin + raw.get().len();
        let element = &body[begin..end];
        if element.first() != Some(&b'{') {
            return Err(NotSplit::NotObjects);
        }
        elements.push(Element { before: &body[at..begin], body: element, after: &[] });
        at = end;
    }
    if let Some(last) = elements.last_mut() {
        last.after = &body[at..];
    }
    Ok(elements)
}

/// The notes of an element: which request it is of, and what is unusual about the bytes around it. `batch`
/// is the id of the request's first event.
pub fn notes(
    element: &Element<'_>,
    batch: &str,
    index: usize,
    of: usize,
) -> BTreeMap<String, String> {
    let before = if index == 0 { BEGIN } else { BETWEEN };
    let after = if index + 1 == of { END } else { &[] };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut notes = BTreeMap::from([
        (note::BATCH.to_owned(), batch.to_owned()),
        (note::INDEX.to_owned(), index.to_string()),
        (note::OF.to_owned(), of.to_string()),
    ]);
    if element.before != before {
        notes.insert(note::BEFORE.to_owned(), text(element.before));
    }
    if element.after != after {
        notes.insert(note::AFTER.to_owned(), text(element.after));
    }
    notes
}

/// The place of an event in its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The id of the request's first event.
    pub batch: String,
    /// The index of the event, from 0.
    pub index: usize,
    /// The number of events of the request.
    pub of: usize,
}

impl Place {
    /// The place that an event's notes name; `None` if it is not of a batch.
    pub fn from_notes(notes: &BTreeMap<String, String>) -> Option<Self> {
        let number = |name| notes.get(name)?.parse().ok();
        let place = Self {
            batch: notes.get(note::BATCH)?.clone(),
            index: number(note::INDEX)?,
            of: number(note::OF)?,
        };
        (place.index < place.of).then_some(place)
    }
}

/// Adds an element to the body of its request, of which all elements before were added.
pub fn join(request: &mut Vec<u8>, place: &Place, body: &[u8], notes: &BTreeMap<String, String>) {
    let note = |name| notes.get(name).map(String::as_bytes);
    let before = if place.index == 0 { BEGIN } else { BETWEEN };
    request.extend_from_slice(note(note::BEFORE).unwrap_or(before));
    request.extend_from_slice(body);
    if place.index + 1 == place.of {
        request.extend_from_slice(note(note::AFTER).unwrap_or(END));
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{BATCH_EVENTS_MAX, NotSplit, Place, join, notes, split};

    fn joined(body: &[u8]) -> Vec<u8> {
        let elements = split(body).unwrap();
        let mut request = Vec::new();
        for (index, element) in elements.iter().enumerate() {
            let notes = notes(element, "b", index, elements.len());
            let place = Place::from_notes(&notes).unwrap();
            assert_eq!((place.index, place.of), (index, elements.len()));
            join(&mut request, &place, element.body, &notes);
        }
        request
    }

    fn space() -> impl Strategy<Value = String> {
        "[ \t\r\n]{0,3}"
    }

    proptest! {
        #[test]
        fn what_was_split_is_joined_to_the_same_bytes(
            elements in vec((space(), 0..6_usize, space()), 1..6),
            around in [space(), space()],
        ) {
            const OBJECTS: [&str; 6] = [
                "{}", r#"{"a":[{}, []]}"#, r#"{"a":"],[\"","a":1}"#, r#"{ "n" : 1.50e3 }"#,
                r#"{"ü":"\u00fc"}"#, "{\n}",
            ];
            let elements = elements.iter().map(|(before, which, after)| {
                format!("{before}{}{after}", OBJECTS[*which])
            });
            let [before, after] = around;
            let elements: Vec<_> = elements.collect();
            let body = format!("{before}[{}]{after}", elements.join(","));
            prop_assert_eq!(joined(body.as_bytes()), body.as_bytes());
        }

        #[test]
        fn no_body_panics(body in vec(any::<u8>(), 0..40)) {
            drop(split(&body));
        }
    }

    #[test]
    fn usual_bytes_around_an_element_need_no_note() {
        let elements = split(br#"[{"a":1},{"a":2}]"#).unwrap();
        let names = |index: usize| -> Vec<_> {
            notes(&elements[index], "b", index, 2).into_keys().collect()
        };
        assert_eq!(names(0), ["batch", "index", "of"]);
        assert_eq!(names(1), ["batch", "index", "of"]);
    }

    #[test]
    fn what_is_no_array_of_objects_is_not_split() {
        for (body, reason) in [
            ("[", NotSplit::NotJson),
            (r#"[{"a":1},{"a":2},{"a":]"#, NotSplit::NotJson),
            (r#"[{"a":1},{"a":2}]x"#, NotSplit::NotJson),
            ("{}", NotSplit::NotJson),
            ("[]", NotSplit::Empty),
            (r#"[{"a":1},{"a":2},7]"#, NotSplit::NotObjects),
            (r#"[[{"a":1}]]"#, NotSplit::NotObjects),
        ] {
            assert_eq!(split(body.as_bytes()), Err(reason), "{body}");
        }
    }

    #[test]
    fn a_batch_has_at_most_ten_thousand_elements() {
        let body = |elements| format!("[{}]", vec!["{}"; elements].join(","));
        assert_eq!(split(body(BATCH_EVENTS_MAX).as_bytes()).unwrap().len(), 10_000);
        assert_eq!(split(body(BATCH_EVENTS_MAX + 1).as_bytes()), Err(NotSplit::TooMany));
    }
}
