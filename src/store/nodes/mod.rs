//! The nodes of a ledger: servers that share it. One of them leads: it does what must not be done twice, such as
//! projecting, forwarding, reconciling and verifying. The others receive, answer, and are ready to take over.

mod lead;

use std::time::Duration;

use uuid::Uuid;

pub use self::lead::{Lead, POLL_INTERVAL, Seen};
use super::StoreError;
use crate::domain::Rule;
use crate::domain::message::tags::IndexedTags;

/// How long a node leads without reporting that it still runs. Another node takes over afterwards, so it is the
/// greater part of the time for which nothing is projected when a node dies.
pub const LEASE: Duration = Duration::from_millis(1000);

/// How long a node counts as running after its last report.
pub const SEEN_MAX: Duration = Duration::from_secs(5);

/// One server, as it introduces itself.
#[derive(Debug, Clone)]
pub struct Node {
    /// A new one for each start.
    pub id: Uuid,
    /// The name that operators know it by: its host, and the address of its admin listener.
    pub name: String,
    /// The rule by which it projects; the same on all nodes.
    pub rule: Rule,
    /// The tags that it indexes; the same on all nodes.
    pub indexed_tags: IndexedTags,
}

/// A running node, as the others see it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownNode {
    /// See [`Node::id`].
    pub id: Uuid,
    /// See [`Node::name`].
    pub name: String,
    /// Its version of this program.
    pub version: String,
    /// Whether it leads.
    pub leads: bool,
    /// The time since its last report, in seconds.
    pub seen_seconds_ago: f64,
}

/// How the events of a ledger get to other machines.
#[derive(Debug, Clone, PartialEq)]
pub struct Replication {
    /// True if a commit waits for a standby: the server names synchronous standbys, and sessions wait for them.
    pub is_synchronous: bool,
    /// The standbys that are connected; what is not known about them is missing.
    pub standbys: Vec<Standby>,
    /// The bytes of WAL that the server keeps for standbys that are not connected.
    pub kept_wal_bytes: u64,
}

/// A connected standby.
#[derive(Debug, Clone, PartialEq)]
pub struct Standby {
    /// Its name.
    pub name: String,
    /// True if commits wait for it, or may.
    pub is_synchronous: Option<bool>,
    /// The bytes of WAL that it has not written to disk yet.
    pub behind_bytes: Option<u64>,
}

/// The nodes of a ledger on an engine that several servers can share. All times are by the engine's clock, because
/// those of the nodes differ.
pub trait Nodes: Send + Sync {
    /// Enters a node, unless a running one has another rule or other tags: [`StoreError::OtherNode`].
    fn join(&self, node: &Node) -> Result<(), StoreError>;

    /// Reports that a node runs, and gives it the lead for a [`LEASE`], unless another node has it. Returns whether
    /// it leads.
    fn renew(&self, node: &Node) -> Result<bool, StoreError>;

    /// Removes a node that ends, with its lead.
    fn leave(&self, node: &Node) -> Result<(), StoreError>;

    /// The running nodes, by name.
    fn running(&self) -> Result<Vec<KnownNode>, StoreError>;

    /// How the ledger is replicated.
    fn replication(&self) -> Result<Replication, StoreError>;
}
