//! The nodes of a ledger in PostgreSQL: a row for each, and one for the lead. Nothing here waits for a standby: a
//! lead that a failover forgets is taken again.

use std::sync::{Mutex, PoisonError};

use crate::store::StoreError;
use crate::store::codec::tag_index;
use crate::store::nodes::{KnownNode, LEASE, Node, Nodes, Replication, SEEN_MAX, Standby};
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::connect::url::PostgresUrl;
use crate::store::postgres::shared;

/// The nodes in a database.
pub struct PostgresNodes {
    url: PostgresUrl,
    reporting: Mutex<Option<Reporting>>,
}

/// A connection of its own, so that a report does not wait for readers; opened by the first report, and again after
/// an error.
struct Reporting {
    connection: Connection,
    /// Whether it holds the lock by which commands know that a server is running.
    is_locked: bool,
}

/// A frozen node would keep the lead's row locked.
const SESSION: &str =
    "SET synchronous_commit = off; SET idle_in_transaction_session_timeout = '500ms'";

impl PostgresNodes {
    /// The nodes in this database.
    pub fn new(url: &PostgresUrl) -> Self {
        Self { url: url.clone(), reporting: Mutex::default() }
    }

    fn report<T>(
        &self,
        act: &str,
        report: impl FnOnce(&mut Reporting) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let reporting = &mut *self.reporting.lock().unwrap_or_else(PoisonError::into_inner);
        if reporting.as_ref().is_none_or(|reporting| reporting.connection.is_closed()) {
            let open = || {
                let connection = Connection::open(&self.url)?;
                connection.batch_execute(SESSION)?;
                Ok::<_, Failure>(Reporting { connection, is_locked: false })
            };
            *reporting = Some(open().map_err(engine(act))?);
        }
        report(reporting.as_mut().expect("it was just opened")).map_err(engine(act))
    }
}

impl Nodes for PostgresNodes {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        self.report("enter this node", |Reporting { connection, .. }| {
            // The lead's row is locked, so that of two nodes that start at the same moment one sees the other.
            connection.transaction("BEGIN", || {
                connection.query("SELECT 1 FROM lead FOR UPDATE", &[])?;
                refuse_others(connection, node)?;
                enter(connection, node)
            })
        })
    }

    fn renew(&self, node: &Node) -> Result<bool, StoreError> {
        self.report("report that this node runs", |Reporting { connection, is_locked }| {
            // The store has the lock too, but only until its connection breaks. A command may hold it alone for
            // a moment.
            if !*is_locked {
                *is_locked = shared::try_lock_as_node(connection)?;
            }
            // A node that was silent for long has been removed.
            let sql = "UPDATE nodes SET seen_at = clock_timestamp() WHERE node = $1";
            if connection.execute(sql, &[&node.id])? == 0 {
                enter(connection, node)?;
            }
            let taken = connection.execute(
                // Should nodes with different rules run after all, because some were silent for long, those
                // that began first decide.
                "UPDATE lead SET node = $1, until = clock_timestamp() + $2 * interval '1 millisecond'
                 WHERE (node = $1 OR until IS NULL OR until < clock_timestamp())
                   AND NOT EXISTS (
                     SELECT 1 FROM nodes other JOIN nodes this ON this.node = $1
                     WHERE other.node < $1
                       AND other.seen_at > clock_timestamp() - $3 * interval '1 millisecond'
                       AND (other.rule <> this.rule OR other.indexed_tags IS DISTINCT FROM this.indexed_tags))",
                &[&node.id, &(LEASE.as_millis() as f64), &(SEEN_MAX.as_millis() as f64)],
            )?;
            Ok(taken == 1)
        })
    }

    fn leave(&self, node: &Node) -> Result<(), StoreError> {
        self.report("remove this node", |Reporting { connection, .. }| {
            connection.execute("UPDATE lead SET until = NULL WHERE node = $1", &[&node.id])?;
            connection.execute("DELETE FROM nodes WHERE node = $1", &[&node.id]).map(|_rows| ())
        })
    }

    fn running(&self) -> Result<Vec<KnownNode>, StoreError> {
        self.report("read the nodes", |reporting| running(&reporting.connection))
    }

    fn replication(&self) -> Result<Replication, StoreError> {
        self.report("read the state of replication", |reporting| replication(&reporting.connection))
    }
}

fn enter(connection: &Connection, node: &Node) -> Result<(), Failure> {
    let silent = "DELETE FROM nodes WHERE seen_at < clock_timestamp() - interval '1 day'";
    connection.execute(silent, &[])?;
    let tags = tag_index::to_column(&node.indexed_tags);
    connection.execute(
        "INSERT INTO nodes(node, name, version, rule, indexed_tags, seen_at)
         VALUES ($1, $2, $3, $4, $5, clock_timestamp())
         ON CONFLICT (node) DO UPDATE SET seen_at = excluded.seen_at",
        &[&node.id, &node.name, &env!("CARGO_PKG_VERSION"), &node.rule.name(), &tags],
    )?;
    Ok(())
}

/// Nodes with different rules would empty each other's views forever.
fn refuse_others(connection: &Connection, node: &Node) -> Result<(), Failure> {
    let tags = tag_index::to_column(&node.indexed_tags);
    let other = connection.query_opt(
        "SELECT name, rule, indexed_tags FROM nodes
         WHERE seen_at > clock_timestamp() - $1 * interval '1 millisecond'
           AND (rule <> $2 OR indexed_tags IS DISTINCT FROM $3)
         ORDER BY name LIMIT 1",
        &[&(SEEN_MAX.as_millis() as f64), &node.rule.name(), &tags],
    )?;
    let Some(other) = other else { return Ok(()) };
    let (name, rule, theirs): (String, String, Option<String>) =
        (other.try_get(0)?, other.try_get(1)?, other.try_get(2)?);
    let detail = match rule == node.rule.name() {
        false => format!("by the rule {rule}, and {} is configured here", node.rule.name()),
        true => {
            let text = |tags: Option<String>| tags.unwrap_or_else(|| "all".to_owned());
            format!(
                "with the indexed tags {}, and {} are configured here",
                text(theirs),
                text(tags)
            )
        }
    };
    Err(StoreError::OtherNode { name, detail }.into())
}

fn running(connection: &Connection) -> Result<Vec<KnownNode>, Failure> {
    let rows = connection.query(
        "SELECT n.node, name, version, lead.node IS NOT NULL,
                extract(epoch FROM clock_timestamp() - seen_at)::float8
         FROM nodes n LEFT JOIN lead ON lead.node = n.node AND until > clock_timestamp()
         WHERE seen_at > clock_timestamp() - $1 * interval '1 millisecond'
         ORDER BY name, n.node",
        &[&(SEEN_MAX.as_millis() as f64)],
    )?;
    let node = |row: &tokio_postgres::Row| {
        Ok(KnownNode {
            id: row.try_get(0)?,
            name: row.try_get(1)?,
            version: row.try_get(2)?,
            leads: row.try_get(3)?,
            seen_seconds_ago: row.try_get(4)?,
        })
    };
    rows.iter().map(node).collect()
}

/// Only superusers and members of pg_monitor see more of a standby than that it is connected.
fn replication(connection: &Connection) -> Result<Replication, Failure> {
    // What sessions have by default: this one does not wait.
    let is_synchronous = connection
        .query_one(
            "SELECT current_setting('synchronous_standby_names') <> ''
                AND (SELECT reset_val IN ('on', 'remote_apply') FROM pg_settings
                     WHERE name = 'synchronous_commit')",
            &[],
        )?
        .try_get(0)?;
    let rows = connection.query(
        "SELECT coalesce(application_name, ''), sync_state IN ('sync', 'quorum'),
                pg_wal_lsn_diff(pg_current_wal_insert_lsn(), flush_lsn)::bigint
         FROM pg_stat_replication
         WHERE state = 'streaming' OR state IS NULL
         ORDER BY application_name",
        &[],
    )?;
    let standby = |row: &tokio_postgres::Row| {
        let behind: Option<i64> = row.try_get(2)?;
        Ok(Standby {
            name: row.try_get(0)?,
            is_synchronous: row.try_get(1)?,
            behind_bytes: behind.map(|bytes| bytes.max(0) as u64),
        })
    };
    let standbys = rows.iter().map(standby).collect::<Result<_, Failure>>()?;
    let kept: i64 = connection
        .query_one(
            "SELECT coalesce(max(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)), 0)::bigint
             FROM pg_replication_slots
             WHERE NOT active",
            &[],
        )?
        .try_get(0)?;
    Ok(Replication { is_synchronous, standbys, kept_wal_bytes: kept.max(0) as u64 })
}
