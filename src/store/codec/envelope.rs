//! Envelopes: the parts of a request that many events share, stored once.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::event::{Erased, Headers, Salt};
use crate::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use crate::store::codec::values;
use uuid::Uuid;

/// Maximum envelopes per log; beyond it an event carries its envelope itself. A callback that is sent again can vary
/// its unsigned headers without limit.
pub const ENVELOPES_MAX: i64 = 10_000;

/// The id of an envelope that is stored with the event, as the first of its values.
pub const INLINE: i64 = 0;

/// Headers whose values differ from event to event.
const VARIABLE_HEADERS: [&str; 2] = ["x-twilio-signature", "i-twilio-idempotency-token"];

/// A header value longer than this is not worth keeping for others to share. In bytes.
const SHARED_VALUE_BYTES_MAX: usize = 256;

/// An envelope longer than this is not shared. In bytes of its URL and headers; a usual one has some
/// 200. With [`ENVELOPES_MAX`] it bounds what the writer and the readers keep in memory for ever.
const SHARED_BYTES_MAX: usize = 2048;

/// The shared part of a request. It borrows from its event until it is kept: most events have one
/// that is known, and only look it up.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope<'a> {
    pub source: Cow<'a, str>,
    pub method: Cow<'a, str>,
    /// The beginning that events share, usually up to the query.
    pub url: Cow<'a, str>,
    pub verified_by: Option<Cow<'a, str>>,
    /// Name and value, in the log's order; the value is `None` if it is stored with the event.
    pub headers: Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>,
}

impl Envelope<'_> {
    /// True if other events are likely to share it: it is short, and its URL is not that of a single message, as
    /// in requests to Twilio's API. Some thousand of those would leave no room for the others.
    pub fn can_be_shared(&self) -> bool {
        if self.url.rsplit('/').next().is_some_and(names_a_message) {
            return false;
        }
        let length = |text: &Option<Cow<'_, str>>| text.as_ref().map_or(0, |text| text.len());
        let headers = self.headers.iter().map(|(name, value)| name.len() + length(value));
        self.url.len() + headers.sum::<usize>() <= SHARED_BYTES_MAX
    }

    /// The envelope that an erasure leaves of an event's: only its source and its key.
    pub fn of_erased(source: Source, verified_by: Option<&str>) -> Envelope<'_> {
        Envelope {
            source: source.name().into(),
            method: "".into(),
            url: "".into(),
            verified_by: verified_by.map(Cow::Borrowed),
            headers: Vec::new(),
        }
    }

    /// Whether it has something that an erasure removes.
    pub fn has_content(&self) -> bool {
        let Envelope { source, method, url, verified_by: _, headers } = self;
        let is_empty = method.is_empty() && url.is_empty() && headers.is_empty();
        !is_empty && source != Source::Erasure.name()
    }

    /// Converts it to an owned envelope.
    pub fn into_owned(self) -> Envelope<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let headers = self.headers.into_iter();
        Envelope {
            source: own(self.source),
            method: own(self.method),
            url: own(self.url),
            verified_by: self.verified_by.map(own),
            headers: headers.map(|(name, value)| (own(name), value.map(own))).collect(),
        }
    }
}

/// True if a part of a path is a message's SID, perhaps followed by `.json`.
fn names_a_message(part: &str) -> bool {
    let sid = part.strip_suffix(".json").unwrap_or(part);
    sid.len() == 34 && (sid.starts_with("SM") || sid.starts_with("MM"))
}

/// The columns of an event other than its envelope.
pub struct Row<'a> {
    pub position: u64,
    pub event_id: &'a [u8],
    pub received_at: i64,
    pub content: Content<'a>,
}

/// The columns of an event that an erasure empties.
pub enum Content<'a> {
    Whole { salt: &'a [u8], body: &'a [u8] },
    Erased(Erased),
}

/// Splits an event into its envelope and its own values.
///
/// What follows one of these path prefixes in the URL belongs to the event, like the query: every message
/// may have a path of its own there, and the number of envelopes is limited.
pub fn split<'e>(event: &'e NewEvent, path_prefixes: &[String]) -> (Envelope<'e>, Vec<u8>) {
    let (url, rest) = event.url.split_at(shared_length(&event.url, path_prefixes));
    let mut variables = Vec::with_capacity(48);
    values::push(&mut variables, rest.as_bytes());
    values::push(&mut variables, notes_to_json(&event.notes).as_bytes());
    let mut headers = Vec::with_capacity(event.headers.iter().len());
    for (name, value) in event.headers.iter() {
        let shared = shared_value(name, value);
        if shared.is_none() {
            values::push(&mut variables, value);
        }
        headers.push((name.into(), shared.map(Cow::Borrowed)));
    }
    let envelope = Envelope {
        source: event.source.name().into(),
        method: event.method.as_str().into(),
        url: url.into(),
        verified_by: event.verified_by.as_deref().map(Cow::Borrowed),
        headers,
    };
    (envelope, variables)
}

/// The number of bytes of a URL that events share: up to the query, or to the end of a path prefix.
fn shared_length(url: &str, path_prefixes: &[String]) -> usize {
    let query_at = url.find('?').unwrap_or(url.len());
    let below_prefix = || {
        let host_at = url.find("://")? + "://".len();
        let path_at = host_at + url.get(host_at..query_at)?.find('/')?;
        let path = &url[path_at..query_at];
        let prefixes = path_prefixes.iter().filter(|prefix| path.starts_with(prefix.as_str()));
        Some(path_at + prefixes.map(String::len).min()?)
    };
    below_prefix().unwrap_or(query_at)
}

/// An event's own values, preceded by its envelope, for events that share none.
pub fn inline(envelope: &Envelope<'_>, variables: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(variables.len() + SHARED_VALUE_BYTES_MAX);
    let json = serde_json::to_vec(envelope).expect("an envelope is JSON");
    values::push(&mut whole, &json);
    whole.extend_from_slice(variables);
    whole
}

/// The envelope that precedes an event's own values.
pub fn read_inline(values: &mut values::Values<'_>) -> Result<Envelope<'static>, String> {
    let json = values.take()?;
    serde_json::from_slice(&json).map_err(|error| format!("its envelope: {error}"))
}

/// An empty event, to be filled with rows.
pub fn blank() -> RecordedEvent {
    let event = NewEvent {
        event_id: Uuid::nil(),
        received_at: Timestamp::from_micros(0),
        source: Source::Callback,
        method: String::new(),
        url: String::new(),
        headers: Headers::default(),
        body: Vec::new(),
        verified_by: None,
        notes: BTreeMap::new(),
        salt: Salt::from_bytes([0; Salt::BYTES]),
    };
    RecordedEvent::new(0, event)
}

/// Fills an event with its envelope.
pub fn share(envelope: &Envelope<'_>, event: &mut NewEvent) -> Result<(), String> {
    event.source = Source::parse(&envelope.source)
        .ok_or_else(|| format!("`{}` is no source", envelope.source))?;
    event.method = envelope.method.to_string();
    event.url = envelope.url.to_string();
    event.verified_by = envelope.verified_by.as_ref().map(ToString::to_string);
    event.headers = Headers::new(envelope.headers.iter().map(|(name, shared)| {
        let value = shared.as_ref().map_or(Vec::new(), |value| value.as_bytes().to_vec());
        (name.to_string(), value)
    }));
    Ok(())
}

/// Fills an event that already holds its envelope with a row; the error says what is wrong with the row.
pub fn join(
    envelope: &Envelope<'_>,
    mut values: values::Values<'_>,
    row: Row<'_>,
    RecordedEvent { position, event, erased }: &mut RecordedEvent,
) -> Result<(), String> {
    event.event_id = Uuid::from_slice(row.event_id).map_err(|_| "event_id is no UUID")?;
    event.received_at = Timestamp::from_micros(row.received_at);
    *position = row.position;
    event.body.clear();
    let (salt, body) = match row.content {
        Content::Whole { salt, body } => (salt, body),
        Content::Erased(remaining) => {
            *erased = Some(remaining);
            event.salt = Salt::from_bytes([0; Salt::BYTES]);
            event.notes.clear();
            return if_erased(envelope, values);
        }
    };
    *erased = None;
    event.salt = salt.try_into().map(Salt::from_bytes).map_err(|_| "its salt has not 16 bytes")?;
    event.body.extend_from_slice(body);
    event.url.truncate(envelope.url.len());
    event.url.push_str(&text(values.take()?, "the query")?);
    event.notes = notes_from_json(&text(values.take()?, "the notes")?)?;
    for ((_, shared), value) in envelope.headers.iter().zip(event.headers.values_mut()) {
        if shared.is_none() {
            value.clear();
            values.add_to(value)?;
        }
    }
    values.finish()
}

/// Fails if an erased event still has a part of its request.
fn if_erased(envelope: &Envelope<'_>, values: values::Values<'_>) -> Result<(), String> {
    match envelope.has_content() {
        false => values.finish(),
        true => Err("it is erased, but its envelope still has a request".to_owned()),
    }
}

fn shared_value<'a>(name: &str, value: &'a [u8]) -> Option<&'a str> {
    let shared = !VARIABLE_HEADERS.contains(&name) && value.len() <= SHARED_VALUE_BYTES_MAX;
    shared.then(|| std::str::from_utf8(value).ok()).flatten()
}

fn notes_to_json(notes: &BTreeMap<String, String>) -> String {
    match notes.is_empty() {
        true => String::new(),
        false => serde_json::to_string(notes).expect("a map of texts is JSON"),
    }
}

fn notes_from_json(json: &str) -> Result<BTreeMap<String, String>, String> {
    match json {
        "" => Ok(BTreeMap::new()),
        json => serde_json::from_str(json).map_err(|error| format!("the notes: {error}")),
    }
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|_| format!("{what} is not UTF-8"))
}
