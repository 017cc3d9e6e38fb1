//! Asks others to attest of a seal: witnesses, one after another.

use super::metrics::SealMetrics;
use super::stored::StoredSeal;
use super::witness::{Outcome, Witness, WitnessClient, WitnessError};
use crate::store::Store;

/// Who is asked.
#[derive(Clone, Default)]
pub struct Attesting {
    /// The witnesses.
    pub witnesses: Vec<Witness>,
}

impl Attesting {
    /// Asks everybody. What fails is logged and counted, and tried again with the next seal.
    pub fn ask_all(&self, store: &dyn Store, seal: &StoredSeal, metrics: &SealMetrics) {
        if self.witnesses.is_empty() {
            return;
        }
        let client = match WitnessClient::new() {
            Ok(client) => client,
            Err(error) => return tracing::warn!(%error, "no witness can be asked"),
        };
        for witness in &self.witnesses {
            let cosigned = client.cosign(store, seal, witness);
            let outcome = cosigned.as_ref().map_or_else(WitnessError::outcome, |()| Outcome::Cosigned);
            metrics.count_cosignature(witness.key.name(), outcome.name());
            match cosigned {
                Ok(()) => tracing::info!(
                    witness = witness.key.name(),
                    size = seal.statement.size,
                    "cosigned"
                ),
                Err(error) => tracing::warn!(
                    witness = witness.key.name(),
                    size = seal.statement.size,
                    %error,
                    "a witness has not cosigned; it is asked again with the next seal"
                ),
            }
        }
    }
}
