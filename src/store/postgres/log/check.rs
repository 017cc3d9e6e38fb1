//! Compares what guards the log with what the migrations have created.

use std::collections::{HashMap, HashSet};

use crate::store::postgres::connect::connection::Connection;
use crate::store::postgres::connect::error::{Failure, engine};
use crate::store::postgres::migrate;
use crate::store::{Damage, StoreError};

/// The tables that triggers guard, apart from the partitions of `events`.
const GUARDED: [&str; 5] = ["events", "envelopes", "erased", "log_head", "seal_records"];

/// What a partition has as well: triggers on TRUNCATE are not inherited.
const OF_EACH_PARTITION: [&str; 3] =
    ["events_never_change", "events_are_never_removed", "events_are_never_emptied"];

/// A trigger as the database describes it.
struct Trigger {
    table: String,
    name: String,
    /// `A` if it always fires, even in a session that poses as a replica.
    enabled: String,
    definition: String,
    /// The body of its function.
    body: String,
    function: String,
}

/// Compares triggers, the text of their functions, and who has a right to the tables.
pub fn guards(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    let act = "read the triggers of the log";
    let triggers = triggers(connection).map_err(engine(act))?;
    let partitions = partitions(connection).map_err(engine(act))?;
    let sql = migrate::log_sql(connection).map_err(engine(act))?;
    let bodies = bodies(&sql);
    let mut damages: Vec<Damage> = expected(&sql, &partitions)
        .filter(|(table, name, definition)| {
            let found = triggers.iter().find(|found| found.table == *table && found.name == *name);
            !found.is_some_and(|found| found.is_intact(definition, &bodies))
        })
        .map(|(table, name, _)| Damage::GuardMissing { name: format!("trigger {name} on {table}") })
        .collect();
    let known: Vec<_> = expected(&sql, &partitions).map(|(table, name, _)| (table, name)).collect();
    let foreign = triggers
        .iter()
        .filter(|trigger| !known.contains(&(trigger.table.as_str(), trigger.name.as_str())));
    damages.extend(foreign.map(|trigger| Damage::Foreign {
        name: format!("trigger {} on {}", trigger.name, trigger.table),
    }));
    damages.extend(rules(connection).map_err(engine(act))?);
    damages.extend(rights(connection).map_err(engine(act))?);
    damages.extend(positions(connection).map_err(engine("read the positions of the log"))?);
    Ok(damages)
}

/// Table, name and definition of each trigger that has to exist.
fn expected<'a>(
    sql: &'a str,
    partitions: &'a [String],
) -> impl Iterator<Item = (&'a str, &'a str, String)> {
    let statements = sql.split(';').filter_map(|statement| {
        let statement = &statement[statement.find("CREATE TRIGGER")?..];
        let words: Vec<_> = statement.split_whitespace().collect();
        let on = words.iter().position(|word| *word == "ON")?;
        Some((words[on + 1], words[2], words.join(" ")))
    });
    let mut of_tables: Vec<_> = statements.filter(|(table, ..)| GUARDED.contains(table)).collect();
    // A later migration may have made a trigger anew.
    of_tables.reverse();
    let mut made = HashSet::new();
    of_tables.retain(|(table, name, _)| made.insert((*table, *name)));
    let inherited: Vec<_> =
        of_tables.iter().filter(|(_, name, _)| OF_EACH_PARTITION.contains(name)).cloned().collect();
    let of_partitions = partitions.iter().flat_map(move |partition| {
        let of_partition = |(_, name, definition): &(&str, &'a str, String)| {
            (
                partition.as_str(),
                *name,
                definition.replace(" ON events ", &format!(" ON {partition} ")),
            )
        };
        inherited.iter().map(of_partition).collect::<Vec<_>>()
    });
    of_tables.into_iter().chain(of_partitions)
}

impl Trigger {
    fn is_intact(&self, definition: &str, bodies: &HashMap<&str, &str>) -> bool {
        self.enabled == "A"
            && self.definition == definition
            && bodies.get(self.function.as_str()) == Some(&self.body.as_str())
    }
}

/// The bodies of the functions that the migrations create, by name.
fn bodies(sql: &str) -> HashMap<&str, &str> {
    let functions = sql.split("CREATE FUNCTION ").skip(1);
    functions
        .filter_map(|function| {
            let (name, rest) = function.split_once('(')?;
            Some((name, rest.split("$$").nth(1)?))
        })
        .collect()
}

fn triggers(connection: &Connection) -> Result<Vec<Trigger>, Failure> {
    let rows = connection.query(
        "SELECT relname::text, tgname::text, tgenabled::text,
                pg_get_triggerdef(t.oid, true), prosrc, proname::text
         FROM pg_trigger t
           JOIN pg_class c ON c.oid = tgrelid
           JOIN pg_proc p ON p.oid = tgfoid
         WHERE NOT tgisinternal
           AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('events'))
           AND (relname = ANY($1) OR relispartition)
         ORDER BY relname, tgname",
        &[&&GUARDED[..]],
    )?;
    let trigger = |row: &tokio_postgres::Row| {
        Ok(Trigger {
            table: row.try_get(0)?,
            name: row.try_get(1)?,
            enabled: row.try_get(2)?,
            definition: row.try_get(3)?,
            body: row.try_get(4)?,
            function: row.try_get(5)?,
        })
    };
    rows.iter().map(trigger).collect()
}

/// The names of the partitions.
fn partitions(connection: &Connection) -> Result<Vec<String>, Failure> {
    let rows = connection.query(
        "SELECT relname::text
         FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
         WHERE inhparent = to_regclass('events')
         ORDER BY relname",
        &[],
    )?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Rules, which could turn a statement into another one. The migrations create none.
fn rules(connection: &Connection) -> Result<Vec<Damage>, Failure> {
    let rows = connection.query(
        "SELECT rulename::text, tablename::text
         FROM pg_rules
         WHERE schemaname = current_schema() AND (tablename = ANY($1) OR tablename LIKE 'events%')",
        &[&&GUARDED[..]],
    )?;
    let rule = |row: &tokio_postgres::Row| {
        let (rule, table): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok(Damage::Foreign { name: format!("rule {rule} on {table}") })
    };
    rows.iter().map(rule).collect()
}

/// Rights to change what is only appended to, and to append to a partition, where no trigger looks for gaps.
/// Owners have them; nobody else is given any.
fn rights(connection: &Connection) -> Result<Vec<Damage>, Failure> {
    let rows = connection.query(
        "SELECT coalesce(pg_get_userbyid(nullif(grantee, 0)), 'everybody')::text, privilege_type, relname::text
         FROM pg_class CROSS JOIN aclexplode(relacl)
         WHERE relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('events'))
           AND (relname = ANY($1) OR relispartition)
           AND grantee <> relowner
           AND (privilege_type IN ('DELETE', 'TRUNCATE', 'TRIGGER')
             OR privilege_type = 'UPDATE' AND relname <> 'log_head'
             OR privilege_type = 'INSERT' AND relispartition)
         ORDER BY relname, grantee, privilege_type",
        &[&&GUARDED[..]],
    )?;
    let right = |row: &tokio_postgres::Row| {
        let (role, right): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let table: String = row.try_get(2)?;
        Ok(Damage::Foreign { name: format!("the right of {role} to {right} on {table}") })
    };
    rows.iter().map(right).collect()
}

/// Events that no read would find, and a head that has no event.
fn positions(connection: &Connection) -> Result<Vec<Damage>, Failure> {
    let row = connection.query_one(
        "SELECT (SELECT min(position) FROM events),
                (SELECT max(position) FROM events),
                (SELECT position FROM log_head),
                (SELECT min(position) FROM erased JOIN events USING (position) WHERE salt IS NOT NULL)",
        &[],
    )?;
    let (first, last): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    let (head, whole): (i64, Option<i64>) = (row.try_get(2)?, row.try_get(3)?);
    let mut damages = Vec::new();
    if first.is_some_and(|first| first < 1) {
        damages.push(Damage::Foreign { name: "an event before position 1".to_owned() });
    }
    let last = last.unwrap_or_default();
    if last != head {
        let detail = format!("the head is at position {head}, and the last event at {last}");
        damages.push(Damage::Engine { detail });
    }
    damages.extend(whole.map(|position| Damage::Foreign {
        name: format!(
            "an entry in the list of erased events for position {position}, which is whole,"
        ),
    }));
    Ok(damages)
}
