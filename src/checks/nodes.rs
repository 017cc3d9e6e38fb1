//! Checks on the nodes of a ledger that several servers can share, and on its replication.

use super::context::CheckContext;
use super::finding::Finding;
use crate::store::nodes::{KnownNode, Standby};

/// More WAL than a standby misses while it is restarted.
const KEPT_WAL_BYTES_MAX: u64 = 1 << 30;

/// Checks that one of the running nodes leads.
pub fn running(context: &CheckContext) -> Vec<Finding> {
    let Some(nodes) = context.store().and_then(|store| store.nodes()) else { return Vec::new() };
    let running = match nodes.running() {
        Ok(running) => running,
        Err(error) => return vec![Finding::fail(error.to_string(), "look at the database's log")],
    };
    let named = |node: &KnownNode| match node.leads {
        true => format!("{} (leads)", node.name),
        false => node.name.clone(),
    };
    let names = running.iter().map(named).collect::<Vec<_>>().join(", ");
    vec![match running.iter().any(|node| node.leads) {
        _ if running.is_empty() => Finding::ok("none is running"),
        true => Finding::ok(names),
        false => Finding::warn(
            format!("{names}: none leads, so nothing is projected"),
            "one takes the lead within two seconds; if not, their logs say why",
        ),
    }]
}

/// Checks that commits wait for a standby, and that one is connected.
pub fn replication(context: &CheckContext) -> Vec<Finding> {
    let Some(nodes) = context.store().and_then(|store| store.nodes()) else { return Vec::new() };
    let replication = match nodes.replication() {
        Ok(replication) => replication,
        Err(error) => return vec![Finding::fail(error.to_string(), "look at the database's log")],
    };
    let named = |Standby { name, behind_bytes, .. }: &Standby| match behind_bytes {
        Some(bytes) => format!("{name} ({bytes} bytes behind)"),
        None => name.clone(),
    };
    let names = replication.standbys.iter().map(named).collect::<Vec<_>>().join(", ");
    let confirms = |standby: &Standby| standby.is_synchronous == Some(true);
    let is_unknown = |standby: &Standby| standby.is_synchronous.is_none();
    let kept = replication.kept_wal_bytes;
    if kept > KEPT_WAL_BYTES_MAX {
        return vec![Finding::warn(
            format!(
                "the database keeps {} MiB of WAL for a standby that is not connected",
                kept >> 20
            ),
            "start the standby, or drop its slot (pg_drop_replication_slot): the disk fills otherwise, up to \
             max_slot_wal_keep_size",
        )];
    }
    vec![match replication.is_synchronous {
        false => Finding::warn(
            "no commit waits for a standby: a 200 means that an event is on the disk of one machine",
            "set synchronous_standby_names and synchronous_commit on the primary, or keep backups elsewhere",
        ),
        true if replication.standbys.iter().any(confirms) => {
            Finding::ok(format!("synchronous: {names}"))
        }
        true if replication.standbys.iter().any(is_unknown) => Finding::ok(format!(
            "commits wait for a standby, and connected are {names}; which of them confirms is told only to members \
             of pg_read_all_stats"
        )),
        true => Finding::fail(
            "commits wait for a standby, and none is connected: callbacks get a 503",
            "start the standby, or name another one in synchronous_standby_names",
        ),
    }]
}
