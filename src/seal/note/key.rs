//! Keys that sign notes: Ed25519 (RFC 8032) with a name and an id, as C2SP signed-note writes them.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::domain::hash::hex;
use crate::domain::statement::is_name;

/// Base64 in which each value has one form only: padded, and without bits that are left over.
pub const STRICT_BASE64: base64::engine::GeneralPurpose = STANDARD;

/// What a private key's text begins with.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The algorithm of a key, which is the byte before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// Signs the text of a note.
    Ed25519,
    /// Signs a seal and a time, as witnesses do (C2SP tlog-cosignature).
    Cosignature,
}

impl KeyType {
    fn byte(self) -> u8 {
        match self {
            KeyType::Ed25519 => 1,
            KeyType::Cosignature => 4,
        }
    }
}

/// A public key: `NAME+ID+BASE64`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    name: String,
    kind: KeyType,
    key: [u8; 32],
}

/// Why a text is no key. It repeats nothing of a private key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It does not have the form.
    #[error("it is not a public key: NAME+ID+BASE64, on one line")]
    NotPublic,
    /// It is a private key, which should not be given to anybody.
    #[error(
        "it is a private key, which must stay secret; `seal key show` prints the public key to give away"
    )]
    IsPrivate,
    /// It is no private key.
    #[error(
        "it is not a private key as `seal key new` makes it: PRIVATE+KEY+NAME+ID+BASE64, on one line"
    )]
    NotPrivate,
    /// The id is another key's.
    #[error("its id is not that of its name and key, so a part of it was changed")]
    OtherId,
    /// The type is unknown.
    #[error("its type is not Ed25519 (1) or a witness' (4)")]
    OtherType,
    /// The point is not on the curve, or of small order.
    #[error("it is not a sound Ed25519 key")]
    Weak,
}

impl PublicKey {
    /// What an error shows of a text that is no public key. A private key given by mistake is left out.
    pub fn shown(text: &str) -> String {
        match text.trim_start().starts_with("PRIVATE") {
            true => "PRIVATE+…".to_owned(),
            false => text.escape_debug().take(120).collect(),
        }
    }

    /// Parses `NAME+ID+BASE64`.
    ///
    /// # Errors
    ///
    /// If the text does not have this form, if its id does not belong to its name and key, or if the key
    /// is one under which anything can be signed.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(PRIVATE) {
            return Err(KeyError::IsPrivate);
        }
        let (name, id, bytes) = split(text).ok_or(KeyError::NotPublic)?;
        let kind = match bytes.first() {
            Some(1) => KeyType::Ed25519,
            Some(4) => KeyType::Cosignature,
            _ => return Err(KeyError::OtherType),
        };
        let key: [u8; 32] = bytes[1..].try_into().map_err(|_| KeyError::NotPublic)?;
        let parsed = Self { name: name.to_owned(), kind, key };
        if parsed.id() != id {
            return Err(KeyError::OtherId);
        }
        let point = VerifyingKey::from_bytes(&key).map_err(|_| KeyError::Weak)?;
        match point.is_weak() || !is_reduced(&key) {
            true => Err(KeyError::Weak),
            false => Ok(parsed),
        }
    }

    /// Its name, which is the origin of the seals that it signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its algorithm.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// The first four bytes of the SHA-256 over its name, a line feed, its type and itself.
    pub fn id(&self) -> u32 {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key)
            .finalize();
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])
    }

    /// Whether it has signed these bytes. S has to be below the group's order, and neither the key nor R
    /// of small order, so that no two keys or signatures stand for the same.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        let key = VerifyingKey::from_bytes(&self.key);
        key.is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.kind.byte()], &self.key[..]].concat();
        write!(f, "{}+{:08x}+{}", self.name, self.id(), STRICT_BASE64.encode(bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A private key, which signs the seals of one origin. It is erased from memory when dropped.
#[derive(Clone)]
pub struct PrivateKey {
    name: String,
    key: SigningKey,
}

impl PrivateKey {
    /// The key with this seed, under a name that [`is_name`] allows.
    pub fn new(name: &str, seed: [u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(&seed) }
    }

    /// Parses `PRIVATE+KEY+NAME+ID+BASE64`; one line end behind it is allowed.
    ///
    /// # Errors
    ///
    /// As for a public key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let (name, id, bytes) =
            line.strip_prefix(PRIVATE).and_then(split).ok_or(KeyError::NotPrivate)?;
        if bytes.first() != Some(&KeyType::Ed25519.byte()) {
            return Err(KeyError::OtherType);
        }
        let seed = bytes[1..].try_into().map_err(|_| KeyError::NotPrivate)?;
        let key = Self::new(name, seed);
        match key.public().id() == id {
            true => Ok(key),
            false => Err(KeyError::OtherId),
        }
    }

    /// The text of the key, for a file that only its owner can read.
    pub fn to_secret_text(&self) -> String {
        let bytes = [&[KeyType::Ed25519.byte()], &self.key.to_bytes()[..]].concat();
        let (id, base64) = (self.public().id(), STRICT_BASE64.encode(bytes));
        format!("{PRIVATE}{}+{id:08x}+{base64}\n", self.name)
    }

    /// Its public key.
    pub fn public(&self) -> PublicKey {
        let key = self.key.verifying_key().to_bytes();
        PublicKey { name: self.name.clone(), kind: KeyType::Ed25519, key }
    }

    /// Signs a note, and adds the line to it unless it has it already.
    pub fn sign(&self, note: &mut super::Note) {
        let (public, signature) = (self.public(), self.key.sign(note.text.as_bytes()));
        if note.lines_by(&public).next().is_none() {
            note.signatures.push(super::SignatureLine {
                key_id: public.id(),
                name: public.name,
                signature: signature.to_bytes().to_vec(),
            });
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the private key of {}", self.public())
    }
}

/// Whether a point is written in its only form: its y coordinate is below the field's prime, 2^255 - 19. The library
/// accepts others, so one key could have two ids (RFC 8032, section 5.1.3).
fn is_reduced(key: &[u8; 32]) -> bool {
    let [first, between @ .., last] = key;
    *first < 0xed || between.iter().any(|byte| *byte != 0xff) || last & 0x7f != 0x7f
}

/// Name, id and bytes of `NAME+ID+BASE64`.
fn split(text: &str) -> Option<(&str, u32, Vec<u8>)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, base64) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = STRICT_BASE64.decode(base64).ok().filter(|bytes| bytes.len() == 33)?;
    let number = u32::from_str_radix(id, 16).ok()?;
    let is_id = id.len() == 8 && hex(&number.to_be_bytes()) == id;
    (is_id && is_name(name)).then_some((name, number, bytes))
}
