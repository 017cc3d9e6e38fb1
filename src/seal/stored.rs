//! The seals of a ledger, with what others have attested of them.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::note::cosignature::Cosignature;
use super::note::key::PublicKey;
use super::note::key_change::KeyChange;
use super::note::{Note, NoteError, SignatureLine};
use super::timestamp;
use crate::domain::statement::Statement;
use crate::domain::{Position, Timestamp};
use crate::store::seals::{SealQuery, SealRecord, SealRecordKind};
use crate::store::{Store, StoreError};

/// A seal of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSeal {
    /// What it says.
    pub statement: Statement,
    /// Its note, signed by the ledger's key.
    pub note: Note,
    /// When it was made, by the ledger's clock.
    pub sealed_at: Timestamp,
}

/// A seal with everything that others attest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedSeal {
    /// What it says.
    pub statement: Statement,
    /// Its note, with the lines of witnesses.
    pub note: Note,
    /// When it was made, by the ledger's clock.
    pub sealed_at: Timestamp,
    /// Tokens of timestamp authorities (RFC 3161), in DER.
    pub timestamps: Vec<Vec<u8>>,
}

/// A record that cannot be read, or the error of reading it.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record is not what its kind says.
    #[error("record {number} of the seals is not a {kind}: {detail}")]
    Record {
        /// The number of the record.
        number: u64,
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        detail: String,
    },
}

fn broken(found: &SealRecord, detail: impl ToString) -> StoredError {
    let kind = found.record.kind.name();
    StoredError::Record { number: found.number, kind, detail: detail.to_string() }
}

fn note(found: &SealRecord) -> Result<Note, StoredError> {
    let text = str::from_utf8(&found.record.content).map_err(|error| broken(found, error))?;
    Note::parse(text).map_err(|error: NoteError| broken(found, error))
}

fn seal(found: &SealRecord) -> Result<StoredSeal, StoredError> {
    let note = note(found)?;
    let statement = Statement::parse(&note.text).map_err(|error| broken(found, error))?;
    if statement.size != found.record.size {
        return Err(broken(found, format!("it is of {} events", statement.size)));
    }
    Ok(StoredSeal { statement, note, sealed_at: found.record.recorded_at })
}

/// The seals that a query finds.
pub fn seals(store: &dyn Store, query: &SealQuery) -> Result<Vec<StoredSeal>, StoredError> {
    store.seal_records(query)?.iter().map(seal).collect()
}

/// The last seal; `None` if nothing was sealed yet.
pub fn last_seal(store: &dyn Store) -> Result<Option<StoredSeal>, StoredError> {
    Ok(seals(store, &SealQuery::last(SealRecordKind::Seal))?.pop())
}

/// The last seal of this number of events.
pub fn seal_of_size(store: &dyn Store, size: Position) -> Result<Option<StoredSeal>, StoredError> {
    Ok(seals(store, &SealQuery::of_size(SealRecordKind::Seal, size))?.pop())
}

/// The last seal of at most this number of events.
pub fn last_seal_up_to(
    store: &dyn Store,
    size: Position,
) -> Result<Option<StoredSeal>, StoredError> {
    let up_to = SealQuery::of_sizes(SealRecordKind::Seal, 0..=size);
    Ok(seals(store, &SealQuery { newest_first: true, limit: 1, ..up_to })?.pop())
}

impl StoredSeal {
    /// The seal with what others have attested of it.
    pub fn attested(self, store: &dyn Store) -> Result<AttestedSeal, StoredError> {
        let Self { statement, mut note, sealed_at } = self;
        let of_size = |kind| SealQuery::of_size(kind, statement.size);
        // A seal of another origin may have as many events, and each record belongs to the seal before it.
        let sealed = store.seal_records(&of_size(SealRecordKind::Seal))?;
        let is_of_this = |found: &SealRecord| {
            let before = sealed.iter().rfind(|seal| seal.number < found.number);
            before
                .and_then(|before| seal(before).ok())
                .is_some_and(|seal| seal.note.text == note.text)
        };
        let mut cosignatures = store.seal_records(&of_size(SealRecordKind::Cosignature))?;
        cosignatures.retain(is_of_this);
        let mut timestamps = store.seal_records(&of_size(SealRecordKind::Timestamp))?;
        timestamps.retain(is_of_this);
        for found in cosignatures {
            let line = cosignature_line(&found)?;
            // One of each witness suffices.
            let is_by_it =
                |other: &SignatureLine| (&other.name, other.key_id) == (&line.name, line.key_id);
            if !note.signatures.iter().any(is_by_it) {
                note.signatures.push(line);
            }
        }
        let mut authorities = BTreeSet::new();
        let timestamps = timestamps.into_iter().map(|found| found.record.content);
        let is_first = |token: &Vec<u8>| {
            timestamp::unchecked(token).map_or(true, |token| authorities.insert(token.authority))
        };
        let timestamps = timestamps.filter(is_first).collect();
        Ok(AttestedSeal { statement, note, sealed_at, timestamps })
    }
}

fn cosignature_line(found: &SealRecord) -> Result<SignatureLine, StoredError> {
    let text = str::from_utf8(&found.record.content).map_err(|error| broken(found, error))?;
    SignatureLine::parse(text.trim_end_matches('\n')).map_err(|error| broken(found, error))
}

/// The number of events of the last seal that a witness has cosigned, by the records; 0 if there is none.
pub fn last_cosigned(store: &dyn Store, witness: &PublicKey) -> Result<Position, StoredError> {
    let newest_first =
        SealQuery { newest_first: true, ..SealQuery::all(SealRecordKind::Cosignature) };
    for found in store.seal_records(&SealQuery { limit: 1_000, ..newest_first })? {
        if cosignature_line(&found)?.is_by(witness) {
            return Ok(found.record.size);
        }
    }
    Ok(0)
}

impl AttestedSeal {
    /// The witnesses that have cosigned it. Their signatures were checked before they were recorded.
    pub fn witnesses(&self) -> Vec<Cosignature> {
        self.note.signatures.iter().filter_map(Cosignature::unchecked).collect()
    }
}

/// The changes of the key that signs seals of an origin, oldest first.
pub fn key_changes(store: &dyn Store, origin: &str) -> Result<Vec<Note>, StoredError> {
    let found = store.seal_records(&SealQuery::all(SealRecordKind::KeyChange))?;
    let mut changes = Vec::new();
    for found in found {
        let note = note(&found)?;
        let change = KeyChange::parse(&note).map_err(|error| broken(&found, error))?;
        if change.origin == origin {
            changes.push(note);
        }
    }
    Ok(changes)
}

/// The public keys that have signed seals of an origin.
pub fn known_keys(store: &dyn Store, origin: &str) -> Result<Vec<PublicKey>, StoredError> {
    let found = store.seal_records(&SealQuery::all(SealRecordKind::Key))?;
    let mut keys = Vec::new();
    for found in found {
        let text = str::from_utf8(&found.record.content).map_err(|error| broken(&found, error))?;
        let key = PublicKey::parse(text).map_err(|error| broken(&found, error))?;
        if key.name() == origin {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The id that origins have: that of the ledger, or of the last branch of it.
pub fn origin_id(store: &dyn Store) -> Result<Uuid, StoredError> {
    let branch = store.seal_records(&SealQuery::last(SealRecordKind::Branch))?.pop();
    let Some(branch) = branch else { return Ok(store.ledger_id()) };
    let id =
        str::from_utf8(&branch.record.content).ok().and_then(|text| Uuid::parse_str(text).ok());
    id.ok_or_else(|| broken(&branch, "it is not a UUID"))
}

/// The origin of a ledger's seals: a prefix, which is usually `delivery-ledger`, and an id.
pub fn origin(store: &dyn Store, prefix: &str) -> Result<String, StoredError> {
    Ok(format!("{prefix}/{}", origin_id(store)?))
}
