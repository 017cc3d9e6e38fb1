//! The text of a seal (C2SP tlog-checkpoint 1.0): three lines that say how many events a ledger has, and
//! what their root is.

use std::fmt;

use base64::Engine;

use super::Note;
use super::key::{STRICT_BASE64, is_name};
use crate::domain::hash::{Hash, hex};

/// What a seal says: this ledger had this many events, with this root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Which ledger; also the name of the key.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
}

/// Why a note is no seal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It has another number of lines.
    #[error("it does not have exactly three lines: the origin, the number of events, and the root")]
    NotThreeLines,
    /// The origin is no name.
    #[error("its origin, `{0}`, is empty or has blanks or plus signs")]
    Origin(String),
    /// The size is no number, or not written in the one way.
    #[error("its size, `{0}`, is not a number without signs and leading zeros")]
    Size(String),
    /// The root is not 32 bytes in base64.
    #[error("its root, `{0}`, is not 32 bytes in base64")]
    Root(String),
}

impl Statement {
    /// Reads the text of a note.
    ///
    /// # Errors
    ///
    /// If it is not exactly the three lines of a seal.
    pub fn parse(note: &Note) -> Result<Self, StatementError> {
        let [origin, size, root] = note.lines()[..] else {
            return Err(StatementError::NotThreeLines);
        };
        let shown = |text: &str| text.escape_debug().take(80).collect();
        if !is_name(origin) {
            return Err(StatementError::Origin(shown(origin)));
        }
        // Only the one form: `+1` and `01` can be parsed, too.
        let parsed = size.parse::<u64>().ok().filter(|number| number.to_string() == size);
        let size = parsed.ok_or_else(|| StatementError::Size(shown(size)))?;
        let hash = STRICT_BASE64.decode(root).ok().and_then(|bytes| bytes.try_into().ok());
        let root = hash.ok_or_else(|| StatementError::Root(shown(root)))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The note of this statement, without signatures.
    pub fn to_note(&self) -> Note {
        Note::new(self.to_string())
    }
}

/// The three lines.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STRICT_BASE64.encode(self.root))
    }
}

impl Statement {
    /// The root in hexadecimal digits, as `verify` shows it.
    pub fn root_in_hex(&self) -> String {
        hex(&self.root)
    }
}
