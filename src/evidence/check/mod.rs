//! Checks a bundle, without a ledger, a network or configuration.

mod checker;
pub mod entries;
mod erasures;
mod findings;
mod key_changes;
mod lifecycle;
mod other_seal;

use std::path::PathBuf;

pub use self::checker::check;
pub use self::findings::{Finding, FindingKind};
pub use self::lifecycle::lifecycle_json;
use crate::domain::hash::Hash;
use crate::domain::statement::Statement;
use crate::projection::fold::Folded;
use crate::seal::json::{TimestampJson, WitnessJson};
use crate::seal::note::Note;
use crate::seal::note::key::PublicKey;
use crate::seal::timestamp::AuthorityCertificates;

/// What the reader of a bundle trusts, and what has to be there as well.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Keys of the ledger.
    pub keys: Vec<PublicKey>,
    /// Witnesses.
    pub witnesses: Vec<PublicKey>,
    /// How many of the witnesses have to have cosigned; all, if it is `None`.
    pub quorum: Option<usize>,
    /// Timestamp authorities, of each of which a timestamp has to be there.
    pub authorities: Vec<AuthorityCertificates>,
    /// A seal that was kept elsewhere.
    pub other_seal: Option<OtherSeal>,
    /// All entries of the log: a file of them, or a folder that `export tree` has written.
    pub entries: Option<PathBuf>,
}

/// A seal that was kept elsewhere, and the proof from one to the other.
#[derive(Debug, Clone)]
pub struct OtherSeal {
    /// Its note.
    pub note: Note,
    /// What it says.
    pub statement: Statement,
    /// The hashes of a consistency proof; `None` if none is given.
    pub proof: Option<Vec<Hash>>,
}

/// The result of a check.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The origin of the seal; `None` if it cannot be read.
    pub statement: Option<Statement>,
    /// The message that the bundle is about; `None` if the bundle cannot be read.
    pub message_sid: Option<String>,
    /// Its account.
    pub account_sid: Option<String>,
    /// How many events it has.
    pub events: usize,
    /// How many of them are erased.
    pub erased: usize,
    /// The trusted keys that have signed the seal.
    pub sealed_by: Vec<PublicKey>,
    /// The trusted witnesses that have cosigned it.
    pub witnesses: Vec<WitnessJson>,
    /// What timestamp authorities attest, if that was checked.
    pub timestamps: Vec<TimestampJson>,
    /// How many timestamps the bundle has, checked or not.
    pub timestamps_given: usize,
    /// Whether the bundle has every event of the message; `None` if that was not checked.
    pub complete: Option<bool>,
    /// The message as it was folded here, if any event tells of it.
    pub folded: Option<Folded>,
    /// What is wrong; empty if the bundle proves what it says.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Whether everything that was checked is right.
    pub fn is_proven(&self) -> bool {
        self.findings.is_empty()
    }
}
