//! Claims of idempotency keys: a process that holds one may make the request of its key. The evidence of what
//! was requested is in the log.

use super::StoreError;
use crate::domain::Timestamp;

/// The claim of a key by one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The idempotency key.
    pub key: String,
    /// Identifies the request, so that the key is not used for another one.
    pub request_hash: String,
    /// When it was claimed; with the key it identifies the claim.
    pub at: Timestamp,
}

/// How old a claim may be to keep others from claiming its key.
#[derive(Debug, Clone, Copy)]
pub struct KeptSince {
    /// Since when claims with an outcome are kept.
    pub with_outcome: Timestamp,
    /// Since when claims without one are: a process that has not stored it by then has probably ended.
    pub in_flight: Timestamp,
}

/// The result of claiming a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// No other claim has kept it.
    New,
    /// An earlier claim is too old to keep it, and the log says what has become of its request. Its process may
    /// still run, and has to find out by [`Claims::is_held`] before it makes the request.
    TakenOver,
    /// Another claim keeps it, for this request and with this outcome; `None` while the request is in flight.
    Kept {
        /// As in [`Claim`].
        request_hash: String,
        /// As in [`Claims::settle`].
        outcome: Option<Vec<u8>>,
    },
}

/// Claims of keys. Of several processes, or threads, one at a time holds the claim of a key.
pub trait Claims: Send + Sync {
    /// Claims a key, unless another claim keeps it. The claim is durable before this returns.
    fn claim(&self, claim: &Claim, kept: KeptSince) -> Result<Claimed, StoreError>;

    /// False if the key was taken over: then the request must not be made any more.
    fn is_held(&self, claim: &Claim) -> Result<bool, StoreError>;

    /// Stores the outcome of a request, in whatever form the caller reads it. It replaces an earlier one, also of
    /// a process that has taken the key over: that one knows no more than the log.
    fn settle(&self, claim: &Claim, outcome: &[u8]) -> Result<(), StoreError>;

    /// Gives the key back, for whoever claims it next. It does nothing if the key was taken over.
    fn release(&self, claim: &Claim) -> Result<(), StoreError>;
}
