//! Sets of views: making, indexing and removing their schemas.

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::Rule;
use crate::domain::hash::hex;
use crate::domain::message::tags::IndexedTags;
use crate::domain::tree::RightEdge;
use crate::store::Checkpoint;
use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::Failure;
use crate::store::postgres::views::tables::Tables;
use crate::store::postgres::views::tables::write;

const TABLES: &str = include_str!("../../../../migrations/postgres/views/0001_messages.sql");
const INDEXES: &str = include_str!("../../../../migrations/postgres/views/0001_indexes.sql");

/// What stands for the name of the schema in the statements.
const PLACEHOLDER: &str = "VIEWS";

/// The index by which messages are loaded, which a set has from the start.
const INDEX_OF_SIDS: &str = "messages_by_sid";

/// Sets of views are recognised by the beginning of their schema's name.
const PREFIX: &str = "views_";

/// How long the removal of a schema waits for its readers; the next replay tries again.
const REMOVAL_PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

/// The format of the sets that this version makes: a hash of the statements that make them.
pub fn format() -> String {
    hex(&Sha256::digest(format!("{TABLES}{INDEXES}")))
}

/// The checkpoint of a set that has read nothing.
pub fn start(ledger_id: Uuid, rule: Rule, indexed_tags: IndexedTags) -> Checkpoint {
    Checkpoint {
        ledger_id,
        generation: Uuid::now_v7(),
        rule,
        position: 0,
        event_id: None,
        tree: RightEdge::default(),
        first_real: 0,
        last_simulated: 0,
        indexed_tags,
    }
}

/// Makes an empty set, which is not in use, and returns the name of its schema. Only the index of SIDs is
/// built.
pub fn make(connection: &Connection, start: &Checkpoint) -> Result<String, Failure> {
    let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
    connection.transaction("BEGIN; SET LOCAL synchronous_commit = off", || {
        connection.batch_execute(&format!("CREATE SCHEMA {name}"))?;
        connection.batch_execute(&for_schema(TABLES, &name))?;
        for statement in indexes(&name).filter(|statement| statement.contains(INDEX_OF_SIDS)) {
            connection.batch_execute(&statement)?;
        }
        write::insert_checkpoint(Tables { connection, schema: &name }, start, &format())
    })?;
    Ok(name)
}

/// Builds the indexes that a set does not have yet.
pub fn build_indexes(connection: &Connection, name: &str) -> Result<(), Failure> {
    for statement in indexes(name).filter(|statement| !statement.contains(INDEX_OF_SIDS)) {
        connection.batch_execute_patiently(&statement)?;
    }
    // Without statistics the planner would read whole tables.
    connection.batch_execute_patiently(&format!("ANALYZE {name}.messages, {name}.rollups"))
}

/// Removes a set with its row.
pub fn remove(connection: &Connection, name: &str) -> Result<(), Failure> {
    connection.transaction("BEGIN", || {
        connection.batch_execute(REMOVAL_PATIENCE)?;
        connection.execute("DELETE FROM projections WHERE views = $1 AND NOT in_use", &[&name])?;
        connection.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE"))
    })
}

/// The names of the sets that are not in use.
pub fn unused(connection: &Connection) -> Result<Vec<String>, Failure> {
    let rows = connection.query(
        "SELECT nspname::text
         FROM pg_namespace LEFT JOIN projections ON views = nspname::text
         WHERE nspname ~ '^views_[0-9a-f]{32}$' AND in_use IS NOT TRUE",
        &[],
    )?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The name of the set in use, and its format; `None` if there is none.
pub fn in_use(connection: &Connection) -> Result<Option<(String, String)>, Failure> {
    let sql = "SELECT views, format FROM projections WHERE in_use";
    let row = connection.query_opt(sql, &[])?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Whether a set has every table.
pub fn is_complete(connection: &Connection, name: &str) -> Result<bool, Failure> {
    let wanted = TABLES.matches("CREATE TABLE ").count() as i64;
    let sql = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    Ok(connection.query_one(sql, &[&name])?.try_get::<_, i64>(0)? >= wanted)
}

fn indexes(name: &str) -> impl Iterator<Item = String> {
    let statements = for_schema(INDEXES, name);
    let statements: Vec<_> = statements
        .split(';')
        .filter(|statement| statement.contains("CREATE"))
        .map(str::to_owned)
        .collect();
    statements.into_iter()
}

fn for_schema(statements: &str, name: &str) -> String {
    statements.replace(&format!("{PLACEHOLDER}."), &format!("{name}."))
}
