//! Asks others to attest of a seal: a timestamp authority, and witnesses, one after another.

use super::authority::{AuthorityError, TimestampAuthority};
use super::client;
use super::metrics::SealMetrics;
use super::stored::StoredSeal;
use super::timestamp::verify;
use super::witness::{Outcome, Witness, WitnessError};
use crate::store::Store;

/// Who is asked.
#[derive(Clone, Default)]
pub struct Attesting {
    /// The witnesses.
    pub witnesses: Vec<Witness>,
    /// The timestamp authority, if there is one.
    pub authority: Option<TimestampAuthority>,
}

impl Attesting {
    /// Asks everybody who has not yet attested of it. What fails is logged and counted, and tried again with the next seal.
    pub fn ask_all(&self, store: &dyn Store, seal: &StoredSeal, metrics: &SealMetrics) {
        if self.witnesses.is_empty() && self.authority.is_none() {
            return;
        }
        let http = match client::new() {
            Ok(http) => http,
            Err(error) => return tracing::warn!(%error, "nobody can be asked to attest"),
        };
        let size = seal.statement.size;
        let known = match seal.clone().attested(store) {
            Ok(known) => known,
            Err(error) => return tracing::warn!(%error, "nobody can be asked to attest"),
        };
        let message = known.note.text.as_bytes();
        let is_by = |authority: &&TimestampAuthority| {
            let verified = |token: &Vec<u8>| verify(token, message, None, &authority.certificates);
            known.timestamps.iter().any(|token| verified(token).is_ok())
        };
        if let Some(authority) = self.authority.as_ref().filter(|authority| !is_by(authority)) {
            let attested = authority.attest(&http, store, seal);
            metrics.count_timestamp(
                attested.as_ref().map_or_else(AuthorityError::outcome, |()| "attested"),
            );
            match attested {
                Ok(()) => tracing::info!(authority = authority.url, size, "timestamped"),
                Err(error) => tracing::warn!(
                    authority = authority.url,
                    size,
                    %error,
                    "there is no timestamp; the next seal asks for one again"
                ),
            }
        }
        let has_cosigned =
            |witness: &&Witness| known.note.signatures.iter().any(|line| line.is_by(&witness.key));
        for witness in self.witnesses.iter().filter(|witness| !has_cosigned(witness)) {
            let (name, cosigned) = (witness.key.name(), witness.cosign(&http, store, seal));
            let outcome =
                cosigned.as_ref().map_or_else(WitnessError::outcome, |()| Outcome::Cosigned);
            metrics.count_cosignature(name, outcome.name());
            match cosigned {
                Ok(()) => tracing::info!(witness = name, size, "cosigned"),
                Err(error) => tracing::warn!(
                    witness = name,
                    size,
                    %error,
                    "a witness has not cosigned; it is asked again with the next seal"
                ),
            }
        }
    }
}
