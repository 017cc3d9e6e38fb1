//! Digests of events. docs/LOG_FORMAT.md specifies the encoding; a change here means a new version there.

use std::hash::Hasher;

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use super::event::{Erased, NewEvent, RecordedEvent};
use super::hash::Hash;
use super::message::event_ref::{EventRef, Fingerprint};
use super::message::status_reported::StatusReported;

/// Opens the encoding of an event's content, so that no other kind of bytes can be taken for it.
const CONTENT_V1: &[u8] = b"delivery-ledger content 1\n";

/// Opens the encoding of an event's account and message.
const MESSAGE_V1: &[u8] = b"delivery-ledger message 1\n";

/// Opens an entry.
const ENTRY_V1: &[u8] = b"delivery-ledger event 1\n";

/// Precedes the content of a leaf of the tree (RFC 6962, section 2.1).
const LEAF: &[u8] = &[0];

/// Stands for the hash of the message of an event without a message SID.
const NO_MESSAGE: Hash = [0; 32];

/// The SIDs in an event's body, as exports show them. How they are read is part of the log's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sids<'a> {
    /// `AccountSid`, if the body has one.
    pub account_sid: Option<&'a str>,
    /// The SID of the message that the event belongs to, if any.
    pub message_sid: Option<&'a str>,
}

/// Digests event after event, in one buffer.
#[derive(Debug, Default)]
pub struct Digester(Encoding);

impl Digester {
    /// The digest of an event, version 1: the hash of its entry as a leaf of the tree. The entry's parts
    /// that depend on the content are hashes, so that it can be computed after an erasure, too.
    pub fn digest(&mut self, event: &RecordedEvent, sids: Sids<'_>) -> Hash {
        let message = self.message_of(event, sids);
        self.digest_of(event, &message)
    }

    /// The same for an event whose account and message have this hash.
    pub fn digest_of(&mut self, event: &RecordedEvent, message: &Hash) -> Hash {
        self.encode_entry(event, message);
        self.0.hash()
    }

    /// The entry of an event, version 1: the part that remains after its content is erased.
    pub fn entry(&mut self, event: &RecordedEvent, sids: Sids<'_>) -> Vec<u8> {
        let message = self.message_of(event, sids);
        self.encode_entry(event, &message);
        self.0.as_bytes()[LEAF.len()..].to_vec()
    }

    /// The hash of everything that was received, under the event's salt.
    pub fn content(&mut self, event: &NewEvent) -> Hash {
        let encoding = self.0.restart(CONTENT_V1);
        encoding.bytes(event.salt.as_bytes()).text(&event.method).text(&event.url);
        encoding.count(event.headers.iter().len());
        for (name, value) in event.headers.iter() {
            encoding.text(name).framed(value);
        }
        encoding.framed(&event.body).count(event.notes.len());
        for (name, value) in &event.notes {
            encoding.text(name).text(value);
        }
        encoding.hash()
    }

    /// The hash of an account and a message; zeros if there is no message SID.
    pub fn message(&mut self, Sids { account_sid, message_sid }: Sids<'_>) -> Hash {
        match message_sid {
            Some(sid) => self.0.restart(MESSAGE_V1).optional(account_sid).text(sid).hash(),
            None => NO_MESSAGE,
        }
    }

    /// The hash of the account and the message of an event, also of an erased one.
    pub fn message_of(&mut self, event: &RecordedEvent, sids: Sids<'_>) -> Hash {
        event.erased.map_or_else(|| self.message(sids), |erased| erased.message)
    }

    /// Encodes the entry, preceded by the byte that makes it a leaf.
    fn encode_entry(&mut self, event: &RecordedEvent, message: &Hash) {
        let content = match event.erased {
            Some(Erased { content, .. }) => content,
            None => self.content(event),
        };
        self.0
            .restart(LEAF)
            .bytes(ENTRY_V1)
            .number(event.position)
            .bytes(event.event_id.as_bytes())
            .number(event.received_at.micros() as u64)
            .text(event.source.name())
            .optional(event.verified_by.as_deref())
            .bytes(message)
            .bytes(&content);
    }
}

/// Equal for duplicates: idempotency token (or none), query and body are the same, or the ids of two
/// CloudEvents are. SipHash-2-4 with a key of zeros is enough to distinguish the few events of one message.
pub fn fingerprint(event: &NewEvent, cloud_event_id: Option<&str>) -> Fingerprint {
    let mut hasher = SipHasher24::new();
    if let Some(id) = cloud_event_id {
        hasher.write(id.as_bytes());
        return Fingerprint::of_cloud_event(hasher.finish());
    }
    let token = event.idempotency_token();
    for part in [token.unwrap_or_default(), event.query().as_bytes()] {
        // The length first, so that no part can reach into the next.
        hasher.write(&(part.len() as u64).to_be_bytes());
        hasher.write(part);
    }
    hasher.write(&[u8::from(token.is_some())]);
    hasher.write(&event.body);
    Fingerprint::of_content(hasher.finish())
}

/// The reference by which a message remembers an event that reports this of it.
pub fn event_ref(event: &RecordedEvent, reported: &StatusReported) -> EventRef {
    EventRef {
        position: event.position,
        fingerprint: fingerprint(event, reported.cloud_event_id()),
        subject: reported.subject(),
        status: reported.status,
    }
}

/// Builds an unambiguous encoding: everything of variable length is preceded by that length.
/// Numbers are big-endian, 8 bytes; counts and lengths 4 bytes.
///
/// The bytes are gathered before they are hashed: many small updates of a SHA-256 cost as much as
/// the hashing itself.
#[derive(Debug, Default)]
pub struct Encoding(Vec<u8>);

impl Encoding {
    /// Empties the encoding and begins another, with a tag that names what is encoded.
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
