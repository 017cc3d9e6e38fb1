//! The keys that a reader trusts: those that were given, and those that key changes lead to.

use super::key::{KeyType, PublicKey};
use super::key_change::{KeyChange, KeyChangeError};
use super::{InvalidSignature, Note};
use crate::domain::statement::Statement;

/// Keys that a reader trusts. A key is trusted for the seals of its own name only.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<PublicKey>);

/// Why a key change was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// It is not a key change.
    #[error(transparent)]
    Invalid(#[from] KeyChangeError),
    /// It is of another origin.
    #[error("it is of {0}, another origin than the seal's")]
    OtherOrigin(String),
    /// No key that is trusted has signed it.
    #[error("no trusted key has signed it")]
    NotByTrusted,
}

impl TrustedKeys {
    /// These keys.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self(keys)
    }

    /// Trusts the new key of a change that one of these keys has signed, other than the new key itself.
    ///
    /// # Errors
    ///
    /// If the change is invalid, of another origin, or not by a trusted key of it.
    pub fn follow(&mut self, change: &Note, origin: &str) -> Result<(), NotFollowed> {
        let parsed = KeyChange::parse(change)?;
        if parsed.origin != origin {
            return Err(NotFollowed::OtherOrigin(parsed.origin));
        }
        let mut by_trusted = false;
        for key in self.of(origin).filter(|key| **key != parsed.new_key) {
            by_trusted |= change.is_signed_by(key).map_err(KeyChangeError::Signature)?;
        }
        if !by_trusted {
            return Err(NotFollowed::NotByTrusted);
        }
        if !self.0.contains(&parsed.new_key) {
            self.0.push(parsed.new_key);
        }
        Ok(())
    }

    /// Trusts as well the old keys of changes, oldest first, that lead to one of these keys: their seals were made
    /// before. `known` are the old keys.
    pub fn and_those_before(mut self, changes: &[Note], known: &[PublicKey]) -> Self {
        for change in changes.iter().rev() {
            self = match old_keys(change, known, &self) {
                Some(old) => self.and(old),
                None => self,
            };
        }
        self
    }

    /// Whether a key is one of these.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.0.contains(key)
    }

    /// These and further keys.
    pub fn and(mut self, further: Vec<PublicKey>) -> Self {
        self.0.extend(further);
        self
    }

    /// The keys that have signed a seal, which has this statement.
    ///
    /// # Errors
    ///
    /// If a line that names a trusted key does not sign the seal.
    pub fn signers(
        &self,
        seal: &Note,
        statement: &Statement,
    ) -> Result<Vec<PublicKey>, InvalidSignature> {
        let mut signers = Vec::new();
        for key in self.of(&statement.origin) {
            if seal.is_signed_by(key)? {
                signers.push(key.clone());
            }
        }
        Ok(signers)
    }

    /// The trusted keys that sign seals of an origin.
    fn of<'a>(&'a self, origin: &'a str) -> impl Iterator<Item = &'a PublicKey> {
        self.0.iter().filter(move |key| key.name() == origin && key.kind() == KeyType::Ed25519)
    }
}

/// The old keys, of those that are known, that have signed a change to one of these keys; `None` if it is to another
/// key, or by none.
pub fn old_keys(change: &Note, known: &[PublicKey], to: &TrustedKeys) -> Option<Vec<PublicKey>> {
    let parsed = KeyChange::parse(change).ok().filter(|parsed| to.has(&parsed.new_key))?;
    let is_old = |key: &&PublicKey| **key != parsed.new_key && key.name() == parsed.origin;
    let by = |key: &&PublicKey| change.is_signed_by(key) == Ok(true);
    let old: Vec<_> = known.iter().filter(is_old).filter(by).cloned().collect();
    (!old.is_empty()).then_some(old)
}
