//! The store of rejected requests, those that are signed and those that lack a signature at a callback
//! path: a bounded file next to the ledger. It is not part of the log, and no evidence.

use uuid::Uuid;

use super::StoreError;
use crate::domain::event::Headers;
use crate::domain::{Position, Timestamp};

/// A rejected request, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRequest {
    /// A UUID of version 7. It becomes the event's id, should the request be appended after all.
    pub id: Uuid,
    /// The time of its arrival.
    pub received_at: Timestamp,
    /// The method of the request.
    pub method: String,
    /// Path and query as on the request line.
    pub target: String,
    /// All headers that an event would keep, and those in which proxies name the URL.
    pub headers: Headers,
    /// The body as received.
    pub body: Vec<u8>,
    /// Why it was rejected; see `quarantine::rejection`.
    pub reason: String,
    /// The likely cause as it was reported then; `None` if it was not searched for.
    pub cause: Option<String>,
    /// How likely the request is genuine; the lowest rank is evicted first.
    pub rank: Rank,
    /// True if the body is stored. Otherwise none of it is, because a part of it proves nothing.
    pub whole: bool,
}

/// How likely a request is an account's own: the lower, the sooner it is evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Its signature fits nothing that is configured, or it was sent too often.
    Other,
    /// It names a configured account, or none, and its signature has the right form. A forger can do
    /// that.
    Possible,
    /// Its signature fits, or would fit once the cause is fixed. Only the account can sign like that.
    Recognised,
}

impl Rank {
    /// Every rank, the lowest first; each is stored as its index.
    pub const ALL: [Rank; 3] = [Rank::Other, Rank::Possible, Rank::Recognised];
}

/// The maximum size of a quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The number of requests.
    pub requests: u64,
    /// Their bytes in the file.
    pub bytes: u64,
}

/// The current size of a quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuarantineSize {
    /// The number of requests.
    pub requests: u64,
    /// How many of them are recognised.
    pub recognised: u64,
    /// Their bytes in the file.
    pub bytes: u64,
}

/// The rejected requests of one ledger. Several processes may have it open.
pub trait Quarantine: Send {
    /// Stores these, all or none, and evicts others until the limits are kept: the lowest rank first, and of
    /// one rank the oldest. A crash may lose the last ones.
    fn keep(
        &mut self,
        requests: &[QuarantinedRequest],
        limits: &Limits,
    ) -> Result<QuarantineSize, StoreError>;

    /// The current size.
    fn size(&self) -> Result<QuarantineSize, StoreError>;

    /// Makes sure that its path still leads to the file that was opened.
    fn check_files_unmoved(&self) -> Result<(), StoreError>;

    /// The free space of its disk, in bytes; `None` if it is not known.
    fn disk_free(&self) -> Result<Option<u64>, StoreError>;

    /// At most `limit` requests after a number, in the order of arrival, each with its number; fewer
    /// if they are large, none only at the end.
    fn oldest(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError>;

    /// The same before a number, in the opposite order.
    fn newest(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, QuarantinedRequest)>, StoreError>;

    /// The paths of requests with this reason and how many each has, the most frequent first, at most
    /// `limit` of them.
    fn paths(&self, reason: &str, limit: usize) -> Result<Vec<(String, u64)>, StoreError>;

    /// The request with this id.
    fn find(&self, id: Uuid) -> Result<Option<QuarantinedRequest>, StoreError>;

    /// Records on disk that these may be in the log after a position.
    fn mark(&mut self, ids: &[Uuid], after: Position) -> Result<(), StoreError>;

    /// Every request that is marked, and the position it is marked with.
    fn marked(&self) -> Result<Vec<(Uuid, Position)>, StoreError>;

    /// Removes these; returns how many were there.
    fn remove(&mut self, ids: &[Uuid]) -> Result<u64, StoreError>;

    /// Removes these, and every trace of them and of those that were removed before; returns how many were there.
    fn erase(&mut self, ids: &[Uuid]) -> Result<u64, StoreError>;

    /// Removes those that arrived before a time, or all, and gives their room back; returns how many.
    fn purge(&mut self, before: Option<Timestamp>) -> Result<u64, StoreError>;
}
