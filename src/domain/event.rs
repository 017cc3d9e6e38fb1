//! One recorded fact: what arrived, byte for byte, and how we came by it.

use std::collections::BTreeMap;
use std::ops::Deref;

use uuid::Uuid;

use super::media_type::BodyKind;
use super::timestamp::Timestamp;

/// A place in the whole log: 1, 2, 3, … without gaps. 0 stands for "before the first event".
pub type Position = u64;

/// Reads a position: digits and nothing else, or with a comma before every three, as positions are
/// printed. `None` if it is not one, or beyond what a log can hold.
///
/// ```
/// use delivery_ledger::domain::event::parse_position;
///
/// assert_eq!(parse_position("51522"), Some(51_522));
/// assert_eq!(parse_position("1,051,522"), Some(1_051_522));
/// assert_eq!(parse_position("51,52"), None);
/// assert_eq!(parse_position("+51522"), None);
/// ```
pub fn parse_position(text: &str) -> Option<Position> {
    let mut groups = text.split(',');
    let first = groups.next()?;
    let is_grouped = text.contains(',');
    let are_whole = groups.all(|group| group.len() == 3) && (!is_grouped || first.len() <= 3);
    let digits = text.replace(',', "");
    let are_digits = !first.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let position = (are_whole && are_digits).then(|| digits.parse::<i64>().ok()).flatten()?;
    Position::try_from(position).ok()
}

/// Where an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Callback,
    Send,
    Reconcile,
    Import,
}

impl Source {
    /// Every source.
    pub const ALL: [Source; 4] =
        [Source::Callback, Source::Send, Source::Reconcile, Source::Import];

    /// The source with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The word for it in the log and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Source::Callback => "callback",
            Source::Send => "send",
            Source::Reconcile => "reconcile",
            Source::Import => "import",
        }
    }
}

/// The kept headers of a request: names in lower case and sorted,
/// several values of one name in order of arrival, values as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Puts headers into their fixed order; values of one name stay in the order given.
    pub fn new(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut headers: Vec<_> = headers.into_iter().collect();
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(headers)
    }

    /// The first value of a header, by its lower-case name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(have, _)| *have == name).map(|(_, value)| value)
    }

    /// The values in the fixed order, to be filled with another event's.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Name and value, in the fixed order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// An event before the store has numbered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// A UUID of version 7 (RFC 9562).
    pub event_id: Uuid,
    /// When we received it; Twilio sends no time of its own.
    pub received_at: Timestamp,
    pub source: Source,
    pub method: String,
    /// The public URL the signature was checked against, path and query byte for byte.
    pub url: String,
    pub headers: Headers,
    /// Exactly as received.
    pub body: Vec<u8>,
    /// Which key verified it: `primary`, `secondary`, or a shared key's name. Never the key.
    pub verified_by: Option<String>,
    /// Our own remarks: where an import came from, which send an answer belongs to.
    pub notes: BTreeMap<String, String>,
}

/// The note with the position at which another ledger received the event; every event that was
/// imported from one has it.
pub const ORIGIN_POSITION: &str = "origin_position";

/// An event with its place in the log. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    pub position: Position,
    pub event: NewEvent,
}

impl NewEvent {
    /// Whether an import brought it: a record of Twilio's, or an event that another ledger received.
    /// What such an event says of its source is that file's word.
    pub fn is_imported(&self) -> bool {
        self.source == Source::Import || self.notes.contains_key(ORIGIN_POSITION)
    }

    /// The URL's query, byte for byte and without its `?`; empty where there is none.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }

    /// Twilio's hint that two requests are attempts at one callback; unsigned and optional.
    pub fn idempotency_token(&self) -> Option<&[u8]> {
        self.headers.get("i-twilio-idempotency-token")
    }

    /// The Content-Type header; `None` if there is none.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.headers.get("content-type")
    }

    /// How the body is read; `None` if it is neither a form nor JSON.
    pub fn body_kind(&self) -> Option<BodyKind> {
        BodyKind::from_content_type(self.content_type())
    }
}

impl Deref for RecordedEvent {
    type Target = NewEvent;

    fn deref(&self) -> &NewEvent {
        &self.event
    }
}

/// What the User-Agent of our own simulated traffic begins with; a version follows.
pub const SIMULATOR_USER_AGENT_PREFIX: &str = "delivery-ledger-simulate/";

/// Whether a simulation sent this event. The User-Agent is not signed, so this tells a demonstration
/// from other traffic and proves nothing about the sender.
pub fn is_simulated(event: &NewEvent) -> bool {
    let by_simulation = |value: &[u8]| value.starts_with(SIMULATOR_USER_AGENT_PREFIX.as_bytes());
    event.source == Source::Callback && event.headers.get("user-agent").is_some_and(by_simulation)
}
