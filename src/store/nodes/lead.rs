//! The lead: the right to do what only one node of a ledger does, and the thread that keeps it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{KnownNode, LEASE, Node, Replication};
use crate::background::{Background, Stop};
use crate::store::{Store, StoreError};

/// How often a node looks at what other nodes have done. Four of these, and what an event waits to be projected,
/// may pass before one node shows what another has received.
pub const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// How often a node reports that it runs: several times in a lease, so that one report may fail.
const RENEWAL_INTERVAL: Duration = Duration::from_millis(250);

/// The nodes and the replication are read once a second.
const RENEWALS_PER_LOOK: u32 = 4;

/// Whether this process leads. Clones share it.
#[derive(Clone)]
pub struct Lead(Arc<Shared>);

struct Shared {
    /// `None` if the ledger has one server, which always leads.
    lease: Option<Mutex<Lease>>,
    /// What the thread has read last; `None` if it cannot be read now.
    seen: Mutex<Option<Seen>>,
}

/// The nodes and the replication, as they were some moments ago.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The running nodes, by name.
    pub running: Vec<KnownNode>,
    /// How the ledger is replicated.
    pub replication: Replication,
}

#[derive(Default)]
struct Lease {
    until: Option<Instant>,
    /// Why it could not be renewed; logged once.
    failed: Option<String>,
}

impl Lead {
    /// That of a ledger's only server.
    pub fn alone() -> Self {
        Self(Arc::new(Shared { lease: None, seen: Mutex::default() }))
    }

    /// Starts the thread that reports a node which has joined, and takes the lead whenever it is free.
    pub fn start(store: Arc<dyn Store>, node: Node) -> (Self, Background) {
        let lead = Self(Arc::new(Shared { lease: Some(Mutex::default()), seen: Mutex::default() }));
        // At once, so that an only node does not begin by following others.
        lead.renew(&*store, &node);
        let kept = lead.clone();
        let thread = Background::spawn("lead", move |stop| kept.keep(&*store, &node, stop));
        (lead, thread)
    }

    /// Whether other nodes may share the ledger.
    pub fn is_shared(&self) -> bool {
        self.0.lease.is_some()
    }

    /// The nodes and the replication; `None` if the ledger has one server, or they cannot be read now. It does not
    /// ask the engine, which may be slow to answer.
    pub fn seen(&self) -> Option<Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this process leads at this moment. It may end at any time: what a node does because it leads must
    /// stay correct if another one has begun to do the same.
    pub fn is_held(&self) -> bool {
        match &self.0.lease {
            None => true,
            Some(lease) => lock(lease).until.is_some_and(|until| Instant::now() < until),
        }
    }

    /// Completes when this process no longer leads; never, if it is the ledger's only server.
    pub async fn lost(&self) {
        if !self.is_shared() {
            std::future::pending::<()>().await;
        }
        while self.is_held() {
            tokio::time::sleep(RENEWAL_INTERVAL).await;
        }
    }

    fn keep(&self, store: &dyn Store, node: &Node, stop: &Stop) {
        for renewal in 0.. {
            if renewal % RENEWALS_PER_LOOK == 0 {
                self.look(store);
            }
            if stop.sleep(RENEWAL_INTERVAL).is_break() {
                break;
            }
            self.renew(store, node);
        }
        let (Some(nodes), Some(lease)) = (store.nodes(), &self.0.lease) else { return };
        lock(lease).until = None;
        if let Err(error) = nodes.leave(node) {
            tracing::info!(%error, "other nodes notice the end of this one by its silence");
        }
    }

    fn renew(&self, store: &dyn Store, node: &Node) {
        let (Some(nodes), Some(lease)) = (store.nodes(), &self.0.lease) else { return };
        // Before the request: the lease begins when the engine has it.
        let begun = Instant::now();
        let renewed = nodes.renew(node);
        lock(lease).note(begun, renewed, node);
    }

    fn look(&self, store: &dyn Store) {
        let Some(nodes) = store.nodes() else { return };
        let seen = nodes
            .running()
            .and_then(|running| Ok(Seen { running, replication: nodes.replication()? }));
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen.ok();
    }
}

impl Lease {
    fn note(&mut self, begun: Instant, renewed: Result<bool, StoreError>, node: &Node) {
        let led = self.until.is_some();
        match renewed {
            Ok(leads) => {
                self.until = leads.then(|| begun + LEASE);
                self.failed = None;
            }
            Err(error) => {
                let error = error.to_string();
                if self.failed.as_ref() != Some(&error) {
                    tracing::warn!(%error, "the lead cannot be renewed");
                }
                self.failed = Some(error);
                // It is kept to its end: nobody else gets it before.
                self.until = self.until.filter(|until| Instant::now() < *until);
            }
        }
        match (led, self.until.is_some()) {
            (false, true) => tracing::info!(node = node.name, "this node leads"),
            (true, false) => tracing::info!(node = node.name, "this node no longer leads"),
            _ => {}
        }
    }
}

fn lock(lease: &Mutex<Lease>) -> MutexGuard<'_, Lease> {
    // A panic of another thread cannot have left it half changed.
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}
