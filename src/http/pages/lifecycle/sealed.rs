//! Whether a message is sealed, by whom, and the file with which others can check it.

use crate::domain::{Position, Timestamp};
use crate::http::admin::state::AdminState;
use crate::seal::json::SealJson;
use crate::seal::stored::{AttestedSeal, last_seal};

/// The state of a message's seal.
pub enum SealState {
    /// The log no longer has what was sealed.
    Differs,
    /// Nothing is sealed, because there is no key.
    NoKey,
    /// The last seal is older than the message's last event.
    NotYet,
    /// A seal covers all of its events.
    Sealed(Seal),
}

/// A seal, and everybody who has confirmed it.
pub struct Seal {
    pub size: Position,
    pub root: String,
    pub confirmed: Vec<Confirmed>,
}

/// Somebody who has confirmed a seal.
pub struct Confirmed {
    pub what: &'static str,
    pub name: String,
    pub at: Option<Timestamp>,
}

impl SealState {
    /// That of a message whose last event is at this position. Blocks.
    pub fn new(state: &AdminState, last_event: Position) -> Option<Self> {
        let sealing = state.sealing.as_ref()?;
        if sealing.differs().is_some() {
            return Some(Self::Differs);
        }
        let found = last_seal(&*state.store)
            .and_then(|seal| seal.map(|seal| seal.attested(&*state.store)).transpose());
        let seal = match found {
            Ok(Some(seal)) if seal.statement.size >= last_event => seal,
            Ok(None) if !sealing.has_key() => return Some(Self::NoKey),
            Ok(_) => return Some(Self::NotYet),
            Err(error) => {
                tracing::error!("the seals cannot be read: {error}");
                return None;
            }
        };
        Some(Self::Sealed(Seal::new(&seal)))
    }
}

impl SealState {
    /// True if there is a file, or one can be made.
    pub fn has_file(&self) -> bool {
        matches!(self, Self::Sealed(_) | Self::NotYet)
    }
}

impl Seal {
    /// What a page shows of a seal.
    pub fn new(seal: &AttestedSeal) -> Self {
        let key = seal.note.signatures.iter().find(|line| line.name == seal.statement.origin);
        let by_ledger = Confirmed {
            what: "this ledger",
            name: key.map(|line| format!("key {:08x}", line.key_id)).unwrap_or_default(),
            at: Some(seal.sealed_at),
        };
        let seal = SealJson::new(seal);
        let witnesses = seal.witnesses.into_iter().map(|witness| Confirmed {
            what: "witness",
            name: witness.name,
            at: Timestamp::parse(&witness.at),
        });
        let timestamps = seal.timestamps.into_iter().map(|timestamp| Confirmed {
            what: "timestamp",
            name: timestamp.authority,
            at: Timestamp::parse(&timestamp.at),
        });
        let confirmed = [by_ledger].into_iter().chain(witnesses).chain(timestamps).collect();
        Self { size: seal.size, root: seal.root, confirmed }
    }

    /// By whom, in words: `this ledger and 2 witnesses`.
    pub fn by(&self) -> String {
        let count = |what: &str| self.confirmed.iter().filter(|by| by.what == what).count();
        let witnesses = match count("witness") {
            0 => String::new(),
            1 => " and 1 witness".to_owned(),
            count => format!(" and {count} witnesses"),
        };
        format!("this ledger{witnesses}")
    }
}
