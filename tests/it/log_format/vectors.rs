//! Worked values of the log's format that a separate implementation made (tests/data/tree_vectors.json).

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::event::{Erased, Headers, Salt};
use delivery_ledger::domain::hash::Hash;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use serde_json::Value;

/// Events, their digests, the roots of every size, and proofs.
pub static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/tree_vectors.json"))
        .expect("the vectors are JSON")
});

/// The bytes of hexadecimal digits.
pub fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A SHA-256 from its hexadecimal digits.
pub fn hash(digits: &str) -> Hash {
    unhex(digits).try_into().expect("a SHA-256 has 32 bytes")
}

/// The event of a line of an export, whole or erased.
pub fn recorded_event(json: &Value) -> RecordedEvent {
    let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
    let bytes = |text: &Value, base64: &Value| match text.as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => STANDARD.decode(base64.as_str().unwrap_or_default()).unwrap(),
    };
    let header =
        |pair: &Value| (pair[0].as_str().unwrap().to_owned(), bytes(&pair[1], &pair[1]["base64"]));
    let headers = json["headers"].as_array().map_or(&[][..], Vec::as_slice);
    let notes = json["notes"].as_object().into_iter().flatten();
    let erased = json.get("erased_by").map(|erased_by| Erased {
        message: hash(&text("message")),
        content: hash(&text("content")),
        erased_by: erased_by.as_u64().unwrap(),
    });
    let salt = unhex(&text("salt")).try_into().unwrap_or([0; Salt::BYTES]);
    let event = NewEvent {
        event_id: text("event_id").parse().unwrap(),
        received_at: Timestamp::parse(&text("received_at")).unwrap(),
        source: Source::parse(&text("source")).unwrap(),
        method: text("method"),
        url: text("url"),
        headers: Headers::new(headers.iter().map(header)),
        body: bytes(&json["body"], &json["body_base64"]),
        verified_by: json["verified_by"].as_str().map(str::to_owned),
        notes: notes.map(|(name, value)| (name.clone(), value.as_str().unwrap().into())).collect(),
        salt: Salt::from_bytes(salt),
    };
    RecordedEvent { position: json["position"].as_u64().unwrap(), event, erased }
}
