//! The text of a seal (C2SP tlog-checkpoint 1.0): three lines that say how many events a ledger has, and
//! what their root is.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::hash::{Hash, hex};

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

/// Whether a text can be an origin, which is also the name of a key: it has neither blanks nor plus signs.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|letter: char| letter.is_whitespace() || letter == '+')
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
    /// Reads the text of a note, whose last line feed is part of it.
    ///
    /// # Errors
    ///
    /// If it is not exactly the three lines of a seal.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        let lines: Vec<_> = text.split('\n').collect();
        let [origin, size, root, ""] = lines[..] else {
            return Err(StatementError::NotThreeLines);
        };
        let shown = |text: &str| text.escape_debug().take(80).collect();
        if !is_name(origin) {
            return Err(StatementError::Origin(shown(origin)));
        }
        // Only the one form: `+1` and `01` can be parsed, too.
        let parsed = size.parse::<u64>().ok().filter(|number| number.to_string() == size);
        let size = parsed.ok_or_else(|| StatementError::Size(shown(size)))?;
        let hash = STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok());
        let root = hash.ok_or_else(|| StatementError::Root(shown(root)))?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The root in hexadecimal digits, as `verify` shows it.
    pub fn root_in_hex(&self) -> String {
        hex(&self.root)
    }
}

/// The three lines.
impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root))
    }
}
