//! Signed notes (C2SP signed-note 1.0): a text and the lines that sign it.

pub mod cosignature;
pub mod key;
pub mod key_change;
pub mod trusted;

use std::fmt;

use base64::Engine;

use self::key::{PublicKey, STRICT_BASE64};
use crate::domain::statement::{Statement, is_name};

/// Maximum bytes of a note. A seal with a hundred cosignatures has 15 KB.
pub const NOTE_BYTES_MAX: usize = 1 << 20;

/// Maximum signature lines of a note, as in the reference implementation.
pub const SIGNATURES_MAX: usize = 100;

/// What a signature line begins with: an em dash and a blank.
const SIGNATURE_PREFIX: &str = "— ";

/// A note: its text, which ends in a line feed, and its signature lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The text that is signed, its last line feed included.
    pub text: String,
    /// The lines that sign it.
    pub signatures: Vec<SignatureLine>,
}

/// A line that signs a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    /// The name of the key.
    pub name: String,
    /// The id of the key, which is a hint.
    pub key_id: u32,
    /// The signature, and what its algorithm puts before it.
    pub signature: Vec<u8>,
}

/// Why bytes are no note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not UTF-8, or has control characters, or is too long.
    #[error("it is not a text of at most {NOTE_BYTES_MAX} bytes without control characters")]
    NotText,
    /// There is no empty line with signatures behind it.
    #[error("it has no text, an empty line and signatures behind it")]
    NoSignatures,
    /// A line behind the empty one is no signature.
    #[error("`{0}` is not a signature line: `— NAME BASE64`")]
    NotASignature(String),
    /// There are too many signatures.
    #[error("it has more than {SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

/// A line by a known key that does not sign the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the signature by {name}+{key_id:08x} is not of this text")]
pub struct InvalidSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub key_id: u32,
}

impl Note {
    /// The note of a seal, without signatures yet.
    pub fn of_seal(statement: &Statement) -> Self {
        Self::new(statement.to_string())
    }

    /// A note without signatures yet. The text has to end in a line feed.
    pub fn new(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    /// Parses a note.
    ///
    /// # Errors
    ///
    /// The first thing that is not as the format demands.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let is_control = |byte: u8| byte < 0x20 && byte != b'\n' || byte == 0x7f;
        if note.len() > NOTE_BYTES_MAX || note.bytes().any(is_control) {
            return Err(NoteError::NotText);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&note[..=split], &note[split + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let signatures: Vec<_> =
            lines.split('\n').map(SignatureLine::parse).collect::<Result<_, _>>()?;
        match signatures.len() {
            0..=SIGNATURES_MAX => Ok(Self { text: text.to_owned(), signatures }),
            _ => Err(NoteError::TooManySignatures),
        }
    }

    /// The lines of the text, without their line feeds.
    pub fn lines(&self) -> Vec<&str> {
        self.text.strip_suffix('\n').unwrap_or(&self.text).split('\n').collect()
    }

    /// The lines that name this key.
    pub fn lines_by<'a>(&'a self, key: &'a PublicKey) -> impl Iterator<Item = &'a SignatureLine> {
        self.signatures.iter().filter(|line| line.is_by(key))
    }

    /// Whether this Ed25519 key has signed the text.
    ///
    /// # Errors
    ///
    /// If any line that names the key does not sign the text: that makes the whole note invalid.
    pub fn is_signed_by(&self, key: &PublicKey) -> Result<bool, InvalidSignature> {
        let mut signed = false;
        for line in self.lines_by(key) {
            if !key.verifies(self.text.as_bytes(), &line.signature) {
                return Err(line.invalid());
            }
            signed = true;
        }
        Ok(signed)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl SignatureLine {
    /// Parses a line, without its line feed.
    ///
    /// # Errors
    ///
    /// If it is not an em dash, a name, and the base64 of a key's id and a signature.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let parts = || {
            let (name, base64) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
            let bytes = STRICT_BASE64.decode(base64).ok()?;
            let (id, signature) = bytes.split_first_chunk::<4>()?;
            let named = is_name(name) && !signature.is_empty();
            named.then(|| (name.to_owned(), u32::from_be_bytes(*id), signature.to_vec()))
        };
        let not_one = || NoteError::NotASignature(line.escape_debug().take(100).collect());
        let (name, key_id, signature) = parts().ok_or_else(not_one)?;
        Ok(Self { name, key_id, signature })
    }

    /// Whether the line names this key.
    pub fn is_by(&self, key: &PublicKey) -> bool {
        self.name == key.name() && self.key_id == key.id()
    }

    /// The error that this line is not of its text.
    pub fn invalid(&self) -> InvalidSignature {
        InvalidSignature { name: self.name.clone(), key_id: self.key_id }
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.to_be_bytes()[..], &self.signature].concat();
        write!(f, "{SIGNATURE_PREFIX}{} {}", self.name, STRICT_BASE64.encode(bytes))
    }
}
