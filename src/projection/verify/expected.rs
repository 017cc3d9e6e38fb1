//! A copy of the tree's root that was stored elsewhere, and its text form `POSITION:HASH`.

use std::fmt;

use crate::domain::Position;
use crate::domain::event::parse_position;
use crate::domain::hash::{Hash, hex};

/// The text form of [`Expected`], for errors about another one.
pub const EXPECTED: &str = "POSITION:HASH, a position from 1 on and 64 hex digits, as in the head and hash \
                            of an earlier verify";

/// A root, and the position at which the log had it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The number of events that the root covers.
    pub position: Position,
    /// The root of the tree.
    pub hash: Hash,
}

impl Expected {
    /// Parses `POSITION:HASH`; see [`parse_position`].
    pub fn parse(text: &str) -> Option<Self> {
        let (position, hash) = text.split_once(':')?;
        let position = parse_position(position).filter(|position| *position > 0)?;
        Some(Self { position, hash: parse_hash(hash)? })
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.position, hex(&self.hash))
    }
}

fn parse_hash(text: &str) -> Option<Hash> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut hash = Hash::default();
    for (byte, at) in hash.iter_mut().zip((0..).step_by(2)).filter(|_| digits) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    digits.then_some(hash)
}
