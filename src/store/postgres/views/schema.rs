//! Sets of views: making, indexing and removing their schemas.

use std::collections::HashSet;
use std::sync::LazyLock;

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

/// How long the removal of a schema waits for the readers of each table; the next replay tries again. It is
/// shorter than `deadlock_timeout`, because a reader may wait for another table of the same schema meanwhile:
/// then the removal gives up, and not the reader.
const REMOVAL_PATIENCE: &str = "SET LOCAL lock_timeout = '500ms'";

/// How often to look for the set in use. A look that locks its row finds none if it had to wait for a swap: the
/// row that it waited for is no longer in use, and the other one is not in its snapshot.
const LOOKS_MAX: usize = 3;

/// The format of the sets that this version makes: a hash of the statements that make them.
fn format() -> &'static str {
    static FORMAT: LazyLock<String> =
        LazyLock::new(|| hex(&Sha256::digest(format!("{TABLES}{INDEXES}"))));
    &FORMAT
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
/// built. It runs in a transaction that the caller holds.
pub fn make(connection: &Connection, start: &Checkpoint) -> Result<String, Failure> {
    let name = format!("{PREFIX}{}", Uuid::now_v7().simple());
    connection.batch_execute(&format!("CREATE SCHEMA {name}"))?;
    connection.batch_execute(&for_schema(TABLES, &name))?;
    for statement in indexes(&name).filter(|statement| statement.contains(INDEX_OF_SIDS)) {
        connection.batch_execute(&statement)?;
    }
    write::insert_checkpoint(Tables { connection, schema: &name, shared: false }, start, format())?;
    Ok(name)
}

/// Makes an empty set with its indexes, and puts it in use instead of another one if there is one. It runs in a
/// transaction that the caller holds.
pub fn make_in_use(connection: &Connection, start: &Checkpoint) -> Result<(), Failure> {
    let name = make(connection, start)?;
    build_indexes(connection, &name)?;
    put_in_use(connection, &name)
}

/// Puts a set in use, instead of another one if there is one, in a transaction that the caller holds.
pub fn put_in_use(connection: &Connection, name: &str) -> Result<(), Failure> {
    connection.execute("UPDATE projections SET in_use = false WHERE in_use", &[])?;
    let sql = "UPDATE projections SET in_use = true WHERE views = $1";
    match connection.execute(sql, &[&name])? {
        1 => Ok(()),
        _ => Err(Failure::NotA("a set of views")),
    }
}

/// Builds the indexes that a set does not have yet.
pub fn build_indexes(connection: &Connection, name: &str) -> Result<(), Failure> {
    for statement in indexes(name).filter(|statement| !statement.contains(INDEX_OF_SIDS)) {
        connection.batch_execute_patiently(&statement)?;
    }
    // Without statistics the planner would read whole tables.
    connection.batch_execute_patiently(&format!("ANALYZE {name}.messages, {name}.rollups"))
}

/// Removes the sets that are not in use, unless a replay may be filling one. Those that cannot be removed yet,
/// because they are still read, are left for the next time.
pub fn remove_unused(connection: &Connection) -> Result<(), Failure> {
    for name in unused(connection)? {
        if let Err(error) = remove(connection, &name) {
            tracing::warn!(%error, %name, "old views are removed by the next replay");
        }
    }
    Ok(())
}

/// Removes a set with its row.
pub fn remove(connection: &Connection, name: &str) -> Result<(), Failure> {
    connection.transaction("BEGIN", || {
        connection.batch_execute(REMOVAL_PATIENCE)?;
        connection.execute("DELETE FROM projections WHERE views = $1 AND NOT in_use", &[&name])?;
        connection.batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE"))
    })
}

/// The names of the sets that are not in use, and that this role may remove. A schema and its row are made and
/// removed together, and schemas without a row may be those of another ledger in the same database.
fn unused(connection: &Connection) -> Result<Vec<String>, Failure> {
    let rows = connection.query(
        "SELECT views
         FROM projections LEFT JOIN pg_namespace ON nspname = views
         WHERE NOT in_use AND pg_has_role(nspowner, 'USAGE') IS NOT FALSE",
        &[],
    )?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What a role wants to do with the tables of a set.
#[derive(Debug, Clone, Copy)]
pub enum Right {
    Read,
    Write,
}

/// Whether the set in use was made by this version, and this role has the right to its tables: an owner of the
/// log may have made it before the server had a role of its own.
pub fn is_usable(connection: &Connection, right: Right) -> Result<bool, Failure> {
    match in_use(connection, "")? {
        Some((name, written_as)) if written_as == format() => is_complete(connection, &name, right),
        _ => Ok(false),
    }
}

/// Whether any set is in use, of whatever version.
pub fn in_use_exists(connection: &Connection) -> Result<bool, Failure> {
    Ok(in_use(connection, "")?.is_some())
}

/// The name of the set in use, if it can be read by this version, in a transaction that the caller holds.
pub fn name_in_use(connection: &Connection, lock: &str) -> Result<String, Failure> {
    match in_use(connection, lock)? {
        Some((name, written_as)) if written_as == format() => Ok(name),
        Some(_) => Err(Failure::NotA("a set of views of this version")),
        None => Err(Failure::NotA("a ledger with views")),
    }
}

/// The name of the set in use, and its format; `None` if there is none.
fn in_use(connection: &Connection, lock: &str) -> Result<Option<(String, String)>, Failure> {
    let sql = format!("SELECT views, format FROM projections WHERE in_use {lock}");
    for _look in 0..LOOKS_MAX {
        if let Some(row) = connection.query_opt(&sql, &[])? {
            return Ok(Some((row.try_get(0)?, row.try_get(1)?)));
        }
    }
    Ok(None)
}

/// The statement that empties a set.
pub fn truncate(name: &str) -> String {
    let tables: Vec<_> = tables().map(|table| format!("{name}.{table}")).collect();
    format!("TRUNCATE {} RESTART IDENTITY", tables.join(", "))
}

/// Whether a set has every table, and this role the right to them.
fn is_complete(connection: &Connection, name: &str, right: Right) -> Result<bool, Failure> {
    let right = match right {
        Right::Read => "SELECT",
        Right::Write => "TRUNCATE",
    };
    let sql = format!(
        "SELECT relname::text FROM pg_class
         WHERE relkind = 'r' AND relnamespace = to_regnamespace($1::text)
           AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, '{right}')"
    );
    let found = names(connection, &sql, name)?;
    Ok(tables().all(|table| found.contains(table)))
}

/// The tables and indexes that a set should have, and does not.
pub fn missing(connection: &Connection, name: &str) -> Result<Vec<&'static str>, Failure> {
    let found = names(
        connection,
        "SELECT relname::text
         FROM pg_class LEFT JOIN pg_index ON indexrelid = pg_class.oid
         WHERE relnamespace = $1::text::regnamespace AND indisvalid IS NOT FALSE",
        name,
    )?;
    Ok(tables().chain(index_names()).filter(|wanted| !found.contains(*wanted)).collect())
}

fn names(connection: &Connection, sql: &str, schema: &str) -> Result<HashSet<String>, Failure> {
    connection.query(sql, &[&schema])?.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The names of the tables.
fn tables() -> impl Iterator<Item = &'static str> {
    words_after(TABLES, "CREATE TABLE VIEWS.")
}

/// The names of the indexes.
fn index_names() -> impl Iterator<Item = &'static str> {
    words_after(INDEXES, "INDEX ")
}

/// The name after each of these words.
fn words_after(
    statements: &'static str,
    words: &'static str,
) -> impl Iterator<Item = &'static str> {
    let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    statements.split(words).skip(1).filter_map(move |rest| rest.split(is_end).next())
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
