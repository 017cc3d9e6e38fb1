//! The nodes of the ledger and the state of replication, as `/readyz` and the pages show them.

use serde::Serialize;

use crate::store::nodes::{KnownNode, Lead, Replication, Seen, Standby};

/// This server among the nodes of the ledger.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NodesJson {
    /// Whether this server leads: it projects, forwards, reconciles and verifies for all nodes.
    pub leads: bool,
    /// The running nodes, by name; empty if they cannot be read now.
    pub running: Vec<NodeJson>,
    /// How the ledger is replicated; missing if that cannot be read now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationJson>,
}

/// A running node.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NodeJson {
    /// Its host, and the port of its admin listener.
    pub name: String,
    /// Its version of this program.
    pub version: String,
    /// Whether it leads.
    pub leads: bool,
}

/// How the events of the ledger get to other machines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ReplicationJson {
    /// True if an event is on a standby, too, before its callback is answered with 200.
    pub synchronous: bool,
    /// The bytes of WAL that the database keeps for standbys that are not connected.
    pub kept_wal_bytes: u64,
    /// The standbys that are connected.
    pub standbys: Vec<StandbyJson>,
}

/// A connected standby. What the database does not tell the server's role is missing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StandbyJson {
    /// Its name.
    pub name: String,
    /// True if commits wait for it, or may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synchronous: Option<bool>,
    /// Bytes that are not on its disk yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind_bytes: Option<u64>,
}

impl NodesJson {
    /// The state some moments ago; `None` if the ledger has one server.
    pub fn new(lead: &Lead) -> Option<Self> {
        let (running, replication) = match lead.seen() {
            Some(Seen { running, replication }) => (running, Some(replication)),
            None => (Vec::new(), None),
        };
        lead.is_shared().then(|| Self {
            leads: lead.is_held(),
            running: running.into_iter().map(NodeJson::from).collect(),
            replication: replication.map(ReplicationJson::from),
        })
    }
}

impl From<KnownNode> for NodeJson {
    fn from(KnownNode { name, version, leads, .. }: KnownNode) -> Self {
        Self { name, version, leads }
    }
}

impl From<Replication> for ReplicationJson {
    fn from(Replication { is_synchronous, standbys, kept_wal_bytes }: Replication) -> Self {
        let standby = |Standby { name, is_synchronous, behind_bytes }| StandbyJson {
            name,
            synchronous: is_synchronous,
            behind_bytes,
        };
        let standbys = standbys.into_iter().map(standby).collect();
        Self { synchronous: is_synchronous, kept_wal_bytes, standbys }
    }
}
