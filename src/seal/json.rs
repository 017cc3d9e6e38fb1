//! Seals as JSON, for the command line and the API.

use base64::Engine;
use serde::Serialize;
use utoipa::ToSchema;

use super::note::key::STRICT_BASE64;
use super::stored::AttestedSeal;
use super::timestamp::{self, Attested};
use crate::domain::hash::{Hash, hex};
use crate::domain::statement::Statement;

/// A seal, with what others have attested of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealJson {
    /// The number of events.
    pub size: u64,
    /// Their root, in hexadecimal digits.
    pub root: String,
    /// When it was made, by the ledger's clock.
    pub sealed_at: String,
    /// The signed note, with the lines of witnesses (C2SP tlog-checkpoint).
    pub note: String,
    /// The witnesses that have cosigned it.
    pub witnesses: Vec<WitnessJson>,
    /// The timestamps of it.
    pub timestamps: Vec<TimestampJson>,
}

/// A witness, and when it says that it has cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct WitnessJson {
    /// The name of its key.
    pub name: String,
    /// Its time.
    pub at: String,
}

/// A timestamp authority, and the time that it attests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TimestampJson {
    /// The name in its certificate.
    pub authority: String,
    /// Its time.
    pub at: String,
}

/// That the first events are the beginning of more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyJson {
    /// The origin of both seals.
    pub origin: String,
    /// The number of events of the first.
    pub from: u64,
    /// The number of events of the second.
    pub to: u64,
    /// The root of the first, in base64.
    pub from_root: String,
    /// The root of the second, in base64.
    pub to_root: String,
    /// The hashes of the proof (RFC 6962, section 2.1.2), in base64.
    pub proof: Vec<String>,
}

impl SealJson {
    /// A seal of this ledger.
    pub fn new(seal: &AttestedSeal) -> Self {
        Self {
            size: seal.statement.size,
            root: hex(&seal.statement.root),
            sealed_at: seal.sealed_at.to_string(),
            note: seal.note.to_string(),
            witnesses: seal
                .witnesses()
                .into_iter()
                .map(|witness| WitnessJson { name: witness.name, at: witness.at.to_string() })
                .collect(),
            timestamps: seal
                .timestamps
                .iter()
                .filter_map(|token| TimestampJson::new(token))
                .collect(),
        }
    }
}

impl TimestampJson {
    /// What a stored token says; it was verified before it was stored.
    fn new(token: &[u8]) -> Option<Self> {
        timestamp::unchecked(token).ok().map(Self::from)
    }
}

impl From<Attested> for TimestampJson {
    fn from(attested: Attested) -> Self {
        Self { authority: attested.authority, at: attested.at.to_string() }
    }
}

impl ConsistencyJson {
    /// The proof from one seal to another.
    pub fn new(from: &Statement, to: &Statement, proof: &[Hash]) -> Self {
        Self {
            origin: to.origin.clone(),
            from: from.size,
            to: to.size,
            from_root: STRICT_BASE64.encode(from.root),
            to_root: STRICT_BASE64.encode(to.root),
            proof: proof.iter().map(|hash| STRICT_BASE64.encode(hash)).collect(),
        }
    }
}
