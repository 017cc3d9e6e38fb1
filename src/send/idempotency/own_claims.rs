//! Claims of idempotency keys in memory, for a ledger that has one server.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::claims::{Claim, Claimed, Claims, KeptSince};

/// The claims of this process, by key.
#[derive(Default)]
pub struct OwnClaims(Mutex<HashMap<String, OwnClaim>>);

struct OwnClaim {
    at: Timestamp,
    request_hash: String,
    outcome: Option<Vec<u8>>,
}

impl OwnClaims {
    fn claims(&self) -> MutexGuard<'_, HashMap<String, OwnClaim>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claims for OwnClaims {
    /// The process of a claim in flight is this one, so such a claim is kept as long as any other.
    fn claim(&self, claim: &Claim, kept: KeptSince) -> Result<Claimed, StoreError> {
        let mut claims = self.claims();
        claims.retain(|_, own| own.at >= kept.with_outcome);
        Ok(match claims.entry(claim.key.clone()) {
            Entry::Occupied(own) => Claimed::Kept {
                request_hash: own.get().request_hash.clone(),
                outcome: own.get().outcome.clone(),
            },
            Entry::Vacant(free) => {
                let request_hash = claim.request_hash.clone();
                free.insert(OwnClaim { at: claim.at, request_hash, outcome: None });
                Claimed::New
            }
        })
    }

    fn is_held(&self, claim: &Claim) -> Result<bool, StoreError> {
        Ok(self.claims().get(&claim.key).is_some_and(|own| own.at == claim.at))
    }

    fn settle(&self, claim: &Claim, outcome: &[u8]) -> Result<(), StoreError> {
        if let Some(own) = self.claims().get_mut(&claim.key) {
            own.request_hash.clone_from(&claim.request_hash);
            own.outcome = Some(outcome.to_vec());
        }
        Ok(())
    }

    fn release(&self, claim: &Claim) -> Result<(), StoreError> {
        let mut claims = self.claims();
        if claims.get(&claim.key).is_some_and(|own| own.at == claim.at) {
            claims.remove(&claim.key);
        }
        Ok(())
    }
}
