//! A bundle: one JSON object with everything needed to check one message.

pub mod event;
mod members;
mod parse;
pub mod strict_json;
mod write;

use serde_json::Value;

use crate::domain::digest::{Digester, Sids};
use crate::domain::hash::Hash;

pub use self::event::{BundleEvent, EventError};
pub use self::parse::{BadEvent, BundleError, parse};

/// The first member, which is the version of the format.
pub const FORMAT: &str = "delivery-ledger evidence 1";

/// The version of the rules by which a lifecycle is folded. A change that gives another lifecycle for any set of
/// events gets a new number.
pub const RULE_VERSION: u64 = 1;

/// Maximum bytes of a bundle. One of four events among ten million has 10 KB.
pub const BUNDLE_BYTES_MAX: u64 = 64 << 20;

/// Maximum keys, changes of the key, and timestamps each, because checking one takes its time.
pub const LISTED_MAX: usize = 100;

/// A bundle. What it says is checked by [`check`](crate::evidence::check) only.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundle {
    /// When it was made; nobody vouches for it.
    pub made_at: String,
    /// The program and version that made it; likewise.
    pub made_by: String,
    /// The account of the message; `None` if no event names one.
    pub account_sid: Option<String>,
    /// The message.
    pub message_sid: String,
    /// The note of the seal, with all its signatures.
    pub seal: String,
    /// Public keys, as a hint; never a reason to trust one.
    pub keys: Vec<String>,
    /// Notes by which one key vouches for the next, oldest first.
    pub key_changes: Vec<String>,
    /// What timestamp authorities attest of the seal.
    pub timestamps: Vec<Timestamp>,
    /// The events of the message up to the seal, by position.
    pub events: Vec<BundleEvent>,
    /// The erasures that erased events name.
    pub erasures: Vec<BundleEvent>,
    /// See [`RULE_VERSION`].
    pub rule_version: u64,
    /// The lifecycle that the events add up to; null if all are erased.
    pub lifecycle: Value,
}

impl Bundle {
    /// The hash of the message that the bundle is about.
    pub fn message_hash(&self) -> Hash {
        let account_sid = self.account_sid.as_deref();
        let sids = Sids { account_sid, message_sid: Some(&self.message_sid) };
        Digester::default().message(sids)
    }
}

/// A timestamp of a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timestamp {
    /// The token of an authority (RFC 3161), in DER.
    Rfc3161(Vec<u8>),
    /// A proof of OpenTimestamps, which is not checked here.
    OpenTimestamps(String),
}
