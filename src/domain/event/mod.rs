//! An event: a received request, byte for byte, with the time and source of its arrival.

pub mod filter;

use std::collections::BTreeMap;
use std::ops::Deref;

use uuid::Uuid;

use super::hash::Hash;
use super::media_type::BodyKind;
use super::time::timestamp::Timestamp;

/// The position of an event in the log: 1, 2, 3, … without gaps. 0 means "before the first event".
pub type Position = u64;

/// Parses a position: digits only, or with a comma before every group of three, as positions are
/// printed. `None` if the text has another form or the number exceeds `i64::MAX`.
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

/// The source of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A request that Twilio sent, with a valid signature.
    Callback,
    /// A message that this program is about to send, or the response to it.
    Send,
    /// A record that was fetched from Twilio's API.
    Reconcile,
    /// A record from a file: an event of another ledger, or one of Twilio's records.
    Import,
    /// The record that events lost their content.
    Erasure,
}

impl Source {
    /// Every source.
    pub const ALL: [Source; 5] =
        [Source::Callback, Source::Send, Source::Reconcile, Source::Import, Source::Erasure];

    /// The source with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }

    /// The name used in the log and in exports.
    pub fn name(self) -> &'static str {
        match self {
            Source::Callback => "callback",
            Source::Send => "send",
            Source::Reconcile => "reconcile",
            Source::Import => "import",
            Source::Erasure => "erasure",
        }
    }
}

/// The stored headers of a request, sorted by lower-case name. Values are bytes; several values of
/// one name stay in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, Vec<u8>)>);

impl Headers {
    /// Lower-cases the names and sorts by them; values of one name stay in the given order.
    pub fn new(headers: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut headers: Vec<_> = headers.into_iter().collect();
        headers.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self(headers)
    }

    /// The first value of the header with this lower-case name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// The values in order of their names, for reuse of their memory by another event.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Vec<u8>> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }
}

/// 16 random bytes of one event, under which its content is hashed. Without them nobody can test a guess
/// of the content against the hash. They come from the system's random source (`store::new_salt`), are
/// kept secret from readers of masked events, and are erased with the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; Salt::BYTES]);

impl Salt {
    /// The length of a salt.
    pub const BYTES: usize = 16;

    /// The salt with these bytes.
    pub const fn from_bytes(bytes: [u8; Salt::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Salt::BYTES] {
        &self.0
    }
}

/// An event before the store has numbered it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// A UUID of version 7 (RFC 9562).
    pub event_id: Uuid,
    /// When this ledger received it; Twilio does not send a time.
    pub received_at: Timestamp,
    /// Where the event comes from.
    pub source: Source,
    /// The method of the HTTP request; empty for an imported record of Twilio's.
    pub method: String,
    /// The public URL that the signature was verified against; path and query are byte for byte.
    pub url: String,
    /// The stored headers, sorted by name.
    pub headers: Headers,
    /// Exactly as received.
    pub body: Vec<u8>,
    /// The name of the key that verified it: `primary`, `secondary`, or a shared key's name.
    pub verified_by: Option<String>,
    /// Our own metadata, such as the file of an import or the send that a response belongs to.
    pub notes: BTreeMap<String, String>,
    /// 16 random bytes, without which nobody can test a guess against the content's hash.
    pub salt: Salt,
}

/// The names of notes: those that record the origin of imported events, and those of events that arrived in one
/// request.
pub mod note {
    /// The id of the first event of the request.
    pub const BATCH: &str = "batch";
    /// The index of the event in its request, from 0.
    pub const INDEX: &str = "index";
    /// The number of events of the request.
    pub const OF: &str = "of";
    /// The bytes before the event, if they are neither `[` nor `,`.
    pub const BEFORE: &str = "before";
    /// The bytes after the last event, if they are not `]`.
    pub const AFTER: &str = "after";
    /// The account that signed a CloudEvent of another account that it does not vouch for.
    pub const SIGNED_BY: &str = "signed_by";
    /// The notes of events that arrived in a request of Event Streams.
    pub const OF_REQUEST: [&str; 6] = [BATCH, INDEX, OF, BEFORE, AFTER, SIGNED_BY];
    /// The id of the ledger that received the event first, if it is known.
    pub const LEDGER: &str = "origin_ledger";
    /// The event's position there. Every event imported from another ledger has it.
    pub const POSITION: &str = "origin_position";
    /// The format of Twilio's record: `rest`, `bulkexport` or `csv`.
    pub const FORMAT: &str = "origin_format";
    /// The name of the file.
    pub const FILE: &str = "origin_file";
    /// The line in the file, from 1.
    pub const LINE: &str = "origin_line";
    /// `removed` if the text of the message was removed.
    pub const CONTENT: &str = "content";
    /// The spreadsheet damage that was repaired.
    pub const REPAIRED: &str = "repaired";
}

/// An event with its place in the log. Nothing changes it, and only an erasure removes its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The place in the log, from 1.
    pub position: Position,
    /// Method, URL, headers, body and notes are empty if the content is erased, and the salt is zero.
    pub event: NewEvent,
    /// What remains of the content if it is erased; `None` if it is not.
    pub erased: Option<Erased>,
}

/// The remains of an event's content after its erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// The hash of the event's account and message.
    pub message: Hash,
    /// The hash of the content, under the salt that is erased with it.
    pub content: Hash,
    /// The position of the erasure, a later event.
    pub erased_by: Position,
}

impl RecordedEvent {
    /// An event that has its content.
    pub fn new(position: Position, event: NewEvent) -> Self {
        Self { position, event, erased: None }
    }
}

impl NewEvent {
    /// True if it was imported: a Twilio record, or an event of another ledger. The `source` of the
    /// latter is copied from the file and not verified.
    pub fn is_imported(&self) -> bool {
        self.source == Source::Import || self.notes.contains_key(note::POSITION)
    }

    /// True if it is a callback that was recorded when it arrived, so that the times of such events rise: it was
    /// neither imported nor accepted later.
    pub fn is_recorded_on_arrival(&self) -> bool {
        let is_of_request = |name: &String| note::OF_REQUEST.contains(&name.as_str());
        self.source == Source::Callback && self.notes.keys().all(is_of_request)
    }

    /// The query of the URL, byte for byte and without the `?`; empty if there is none.
    pub fn query(&self) -> &str {
        self.url.split_once('?').map_or("", |(_, query)| query)
    }

    /// The token that is equal for all attempts to send one callback. It is unsigned and optional.
    pub fn idempotency_token(&self) -> Option<&[u8]> {
        self.headers.get("i-twilio-idempotency-token")
    }

    /// The Content-Type header.
    pub fn content_type(&self) -> Option<&[u8]> {
        self.headers.get("content-type")
    }

    /// The format of the body; `None` if it is neither a form nor JSON.
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

/// The start of the User-Agent of simulated traffic; a version follows.
pub const SIMULATOR_USER_AGENT_PREFIX: &str = "delivery-ledger-simulate/";

/// True if the event is a callback from our simulator, by its User-Agent. That header is not signed,
/// so this separates demonstrations from other traffic, but proves nothing about the sender.
pub fn is_simulated(event: &NewEvent) -> bool {
    let is_simulator = |value: &[u8]| value.starts_with(SIMULATOR_USER_AGENT_PREFIX.as_bytes());
    event.source == Source::Callback && event.headers.get("user-agent").is_some_and(is_simulator)
}
