//! Digests of events, and the chain that ties each event to all before it.
//! docs/LOG_FORMAT.md writes the encoding down; changing it here means a new version there.

use sha2::{Digest, Sha256};

use super::event::{Headers, NewEvent, RecordedEvent};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The chain before the first event.
pub const CHAIN_START: Hash = [0; 32];

/// Opens the encoding of an event, so that no other kind of bytes can be taken for one.
const EVENT_V1: &[u8] = b"delivery-ledger event 1\n";

/// An event's digest, and what was computed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventDigest {
    /// SHA-256 over the fixed encoding of all fields.
    pub digest: Hash,
    /// SHA-256 over the body alone.
    pub body: Hash,
}

/// The digest of a recorded event, version 1.
///
/// Method and URL, headers, and body enter as their own SHA-256: a proof about the rest
/// still holds after one of them had to be erased.
pub fn digest(event: &RecordedEvent) -> EventDigest {
    let body: Hash = Sha256::digest(&event.body).into();
    let mut encoding = Encoding::new(EVENT_V1);
    encoding
        .number(event.position)
        .bytes(event.event_id.as_bytes())
        .number(event.received_at.micros() as u64)
        .text(event.source.name())
        .bytes(&request_line(event))
        .bytes(&headers(&event.headers))
        .bytes(&body)
        .optional(event.verified_by.as_deref())
        .count(event.notes.len());
    for (name, value) in &event.notes {
        encoding.text(name).text(value);
    }
    EventDigest { digest: encoding.finish(), body }
}

/// The next value of the chain: SHA-256 over the chain so far and the next event's digest.
pub fn chain(so_far: &Hash, next: &Hash) -> Hash {
    Sha256::new().chain_update(so_far).chain_update(next).finalize().into()
}

/// Lower-case hex, as hashes are shown.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What two events must share to be duplicates: idempotency token (or both none), query and body.
/// 64 bits of a SHA-256: told apart are only the events of one message, of which there are few.
pub fn fingerprint(event: &NewEvent, body: &Hash) -> u64 {
    let mut encoding = Encoding::new(b"");
    let token = event.idempotency_token();
    encoding.count(usize::from(token.is_some())).framed(token.unwrap_or_default());
    encoding.text(event.query()).bytes(body);
    let [a, b, c, d, e, f, g, h, ..] = encoding.finish();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn request_line(event: &NewEvent) -> Hash {
    let mut encoding = Encoding::new(b"");
    encoding.text(&event.method).text(&event.url);
    encoding.finish()
}

fn headers(headers: &Headers) -> Hash {
    let mut encoding = Encoding::new(b"");
    encoding.count(headers.iter().len());
    for (name, value) in headers.iter() {
        encoding.text(name).framed(value);
    }
    encoding.finish()
}

/// Builds an unambiguous encoding: everything of variable length is preceded by that length.
/// Numbers are big-endian, 8 bytes; counts and lengths 4 bytes.
pub struct Encoding(Sha256);

impl Encoding {
    /// Starts with a tag that names what is encoded.
    pub fn new(tag: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(tag))
    }

    /// Bytes of fixed length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// An unsigned number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// How many of something follow.
    pub fn count(&mut self, count: usize) -> &mut Self {
        let count = u32::try_from(count).expect("nothing in an event has four billion parts");
        self.bytes(&count.to_be_bytes())
    }

    /// Bytes of any length.
    pub fn framed(&mut self, bytes: &[u8]) -> &mut Self {
        self.count(bytes.len()).bytes(bytes)
    }

    /// Text, as UTF-8.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.framed(text.as_bytes())
    }

    /// Text or nothing: a count of 0 or 1 before it.
    pub fn optional(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            None => self.count(0),
            Some(text) => self.count(1).text(text),
        }
    }

    /// The SHA-256 of all that was encoded.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}
