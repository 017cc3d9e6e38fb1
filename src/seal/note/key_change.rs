//! Changes of a ledger's key: a note by which the old key vouches for the new one.

use super::key::{KeyError, PrivateKey, PublicKey};
use super::{InvalidSignature, Note};

/// The first line of such a note.
const TITLE: &str = "delivery-ledger key change 1";

/// What a key change says: seals of this origin are signed by this key from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyChange {
    /// The origin, which is the name of both keys.
    pub origin: String,
    /// The new key.
    pub new_key: PublicKey,
}

/// Why a note is no key change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyChangeError {
    /// It has other lines.
    #[error("it is not three lines: `{TITLE}`, the origin, and the new public key")]
    NotThreeLines,
    /// The new key is not sound.
    #[error("its new key cannot be used: {0}")]
    NewKey(#[from] KeyError),
    /// The new key has the name of another origin.
    #[error("its new key is of {key}, and the change is of {origin}")]
    OtherOrigin {
        /// The origin of the change.
        origin: String,
        /// The name of the new key.
        key: String,
    },
    /// A signature is not of this text.
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    /// The new key did not sign.
    #[error("the new key did not sign it")]
    NotByNew,
}

impl KeyChange {
    /// Reads a note, and checks that the new key has signed it. The old key has to be checked by the caller,
    /// who knows which ones are trusted.
    ///
    /// # Errors
    ///
    /// If it is not a key change, or not signed by the new key.
    pub fn parse(note: &Note) -> Result<Self, KeyChangeError> {
        let [TITLE, origin, new_key] = note.lines()[..] else {
            return Err(KeyChangeError::NotThreeLines);
        };
        let new_key = PublicKey::parse(new_key)?;
        if new_key.name() != origin {
            let key = new_key.name().to_owned();
            return Err(KeyChangeError::OtherOrigin { origin: origin.to_owned(), key });
        }
        match note.is_signed_by(&new_key)? {
            true => Ok(Self { origin: origin.to_owned(), new_key }),
            false => Err(KeyChangeError::NotByNew),
        }
    }

    /// The note of a change from one key to another, signed by both.
    pub fn note(old: &PrivateKey, new: &PrivateKey) -> Note {
        let public = new.public();
        let mut note = Note::new(format!("{TITLE}\n{}\n{public}\n", public.name()));
        old.sign(&mut note);
        new.sign(&mut note);
        note
    }
}
