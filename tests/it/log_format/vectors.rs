//! Worked values of the log's format that a separate implementation made (tests/data/tree_vectors.json).

use std::sync::LazyLock;

use delivery_ledger::domain::digest::Hash;
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
