//! Digests of events, and the chain that ties each event to all before it.
//! docs/LOG_FORMAT.md writes the encoding down; changing it here means a new version there.

use std::hash::Hasher;

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use super::event::{Headers, NewEvent, RecordedEvent};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The chain before the first event.
pub const CHAIN_START: Hash = [0; 32];

/// Opens the encoding of an event, so that no other kind of bytes can be taken for one.
const EVENT_V1: &[u8] = b"delivery-ledger event 1\n";

/// What an event is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventDigest {
    /// SHA-256 over the fixed encoding of all fields.
    pub digest: Hash,
    /// Equal for duplicates: idempotency token (or none), query and body are the same.
    /// SipHash-2-4 with a key of zeros, over the first two and the body's SHA-256: told apart are only
    /// the events of one message, of which there are few.
    pub fingerprint: u64,
}

/// Digests event after event; what neighbours share is hashed once.
#[derive(Debug, Default)]
pub struct Digester {
    encoding: Encoding,
    /// Method and URL of the event before, and their hash; no hash before the first event, which may
    /// have neither of them.
    request_line: (String, String, Option<Hash>),
}

/// The digest of one recorded event, version 1.
pub fn digest(event: &RecordedEvent) -> EventDigest {
    Digester::default().digest(event)
}

impl Digester {
    /// The digest of a recorded event, version 1.
    ///
    /// Method and URL, headers, and body enter as their own SHA-256: a proof about the rest
    /// still holds after one of them had to be erased.
    pub fn digest(&mut self, event: &RecordedEvent) -> EventDigest {
        let body: Hash = Sha256::digest(&event.body).into();
        let request_line = self.request_line(event);
        let headers = self.headers(&event.headers);
        let encoding = self.encoding.restart(EVENT_V1);
        encoding
            .number(event.position)
            .bytes(event.event_id.as_bytes())
            .number(event.received_at.micros() as u64)
            .text(event.source.name())
            .bytes(&request_line)
            .bytes(&headers)
            .bytes(&body)
            .optional(event.verified_by.as_deref())
            .count(event.notes.len());
        for (name, value) in &event.notes {
            encoding.text(name).text(value);
        }
        let digest = encoding.hash();
        EventDigest { digest, fingerprint: fingerprint(event, &body) }
    }

    fn request_line(&mut self, event: &NewEvent) -> Hash {
        let (method, url, known) = &mut self.request_line;
        if let Some(hash) = known
            && *method == event.method
            && *url == event.url
        {
            return *hash;
        }
        method.clone_from(&event.method);
        url.clone_from(&event.url);
        *known.insert(self.encoding.restart(b"").text(&event.method).text(&event.url).hash())
    }

    fn headers(&mut self, headers: &Headers) -> Hash {
        let encoding = self.encoding.restart(b"");
        encoding.count(headers.iter().len());
        for (name, value) in headers.iter() {
            encoding.text(name).framed(value);
        }
        encoding.hash()
    }
}

fn fingerprint(event: &NewEvent, body: &Hash) -> u64 {
    let mut hasher = SipHasher24::new();
    let token = event.idempotency_token();
    for part in [token.unwrap_or_default(), event.query().as_bytes()] {
        // The length first, so that no part can reach into the next.
        hasher.write(&(part.len() as u64).to_be_bytes());
        hasher.write(part);
    }
    hasher.write(&[u8::from(token.is_some())]);
    hasher.write(body);
    hasher.finish()
}

/// The next value of the chain: SHA-256 over the chain so far and the next event's digest.
pub fn chain(so_far: &Hash, next: &Hash) -> Hash {
    Sha256::new().chain_update(so_far).chain_update(next).finalize().into()
}

/// Lower-case hex, as hashes are shown.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Builds an unambiguous encoding: everything of variable length is preceded by that length.
/// Numbers are big-endian, 8 bytes; counts and lengths 4 bytes.
///
/// The bytes are gathered before they are hashed: many small updates of a SHA-256 cost as much as
/// the hashing itself.
#[derive(Debug, Default)]
pub struct Encoding(Vec<u8>);

impl Encoding {
    /// Starts anew, with a tag that names what is encoded.
    pub fn restart(&mut self, tag: &[u8]) -> &mut Self {
        self.0.clear();
        self.bytes(tag)
    }

    /// Bytes of fixed length.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
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

    /// All that was encoded.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The SHA-256 of all that was encoded.
    pub fn hash(&self) -> Hash {
        Sha256::digest(&self.0).into()
    }
}
