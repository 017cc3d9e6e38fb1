//! Views in the making, in tables of the same file: beside those in use, while another process may
//! read and write these.

use std::path::Path;

use crate::domain::Rule;
use crate::store::sqlite::engine;
use crate::store::sqlite::files::bounded_read;
use crate::store::sqlite::files::check;
use crate::store::sqlite::files::lock::Lock;
use crate::store::sqlite::migrate::VIEW_TABLES;
use crate::store::sqlite::views::read::Tables;
use crate::store::sqlite::views::table_set::SHADOW;
use crate::store::sqlite::views::views_file::SqliteViews;
use crate::store::{Damage, Rebuild, StoreError, Views};

/// How many rows of what is not in use any more are removed in one transaction: some 10 ms of work.
const ROWS_AT_ONCE: u32 = 1 << 14;

/// Behind the names of tables that were in use until a shadow took their place.
const REPLACED: &str = "_old";

/// Rebuild tables and the only right to have some.
pub struct SqliteRebuild {
    views: SqliteViews,
    _lock: Lock,
}

impl SqliteRebuild {
    /// Empty tables beside those in use. They take over the file, so its pages must be sound.
    pub fn beside(
        in_use: &SqliteViews,
        path: &Path,
        ledger: &Path,
        rule: Rule,
    ) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let pages = bounded_read::bounded(
            &in_use.writing(),
            bounded_read::BEHIND_A_CHECK_BYTES_MAX,
            check::pages,
        )?;
        if let Some(Damage::Engine { detail }) = pages.into_iter().flatten().next() {
            return Err(StoreError::DamagedViews { detail });
        }
        let views = in_use.begin_rebuild(ledger);
        remove_tables(&views)?;
        views.write("make the shadow tables", |tables| Ok(make_tables(tables)?))?;
        views.reset(rule)?;
        Ok(Self { views, _lock: lock })
    }
}

impl Rebuild for SqliteRebuild {
    fn views(&self) -> &dyn Views {
        &self.views
    }

    fn swap_in(&self) -> Result<bool, StoreError> {
        self.views.build_indexes()?;
        let reached = self.views.checkpoint()?.position;
        let taken_over = self.views.write("put the shadow tables in use", |shadow| {
            // Views that cannot tell how far they have read are good for nothing.
            let in_use = Tables { suffix: "", ..shadow }.checkpoint();
            if in_use.is_ok_and(|in_use| in_use.position > reached) {
                return Ok(false);
            }
            // To drop a large table takes seconds, in which nobody else could write.
            for table in VIEW_TABLES {
                shadow.connection.execute_batch(&format!(
                    "ALTER TABLE {table} RENAME TO {table}{REPLACED};
                     ALTER TABLE {table}{SHADOW} RENAME TO {table};"
                ))?;
            }
            Ok(true)
        })?;
        if taken_over && let Err(error) = remove_tables(&self.views) {
            tracing::warn!(%error, "the views are rebuilt; what they were goes at the next start");
        }
        Ok(taken_over)
    }
}

/// The right to make shadow tables, and to remove the file that they would be in.
pub fn lock(path: &Path) -> Result<Lock, StoreError> {
    Lock::soon(path)?.ok_or_else(|| StoreError::Replaying { path: path.to_owned() })
}

/// Removes what a replay left that did not come to its end, unless one is at work. It is in nobody's
/// way: whether it goes or not, the views can be used.
pub fn remove_leftovers(in_use: &SqliteViews, path: &Path) -> Result<(), StoreError> {
    let Some(_lock) = Lock::at_once(path)? else { return Ok(()) };
    if let Err(error) = remove_tables(in_use) {
        tracing::warn!(%error, "what an interrupted replay left is still there");
    }
    Ok(())
}

/// Removes whatever is not in use: bit by bit, or, where nobody else works on the ledger and could be
/// kept from it, at once, which takes a tenth of the time.
fn remove_tables(views: &SqliteViews) -> Result<(), StoreError> {
    let act = "remove tables that are not in use";
    let names = [SHADOW, REPLACED]
        .map(|suffix| VIEW_TABLES.map(|table| (format!("{table}{suffix}"), key_of(table))));
    for (name, key) in names.into_iter().flatten() {
        let is_there = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?1)";
        let is_there = views.writing().query_row(is_there, [&name], |row| row.get(0));
        if !is_there.map_err(engine(act))? {
            continue;
        }
        let some = format!(
            "DELETE FROM {name}
             WHERE ({key}) < (SELECT {key} FROM {name} ORDER BY {key} LIMIT 1 OFFSET {ROWS_AT_ONCE})"
        );
        while !views.is_alone()
            && views.write(act, |tables| Ok(tables.connection.execute(&some, [])?))? > 0
        {}
        let rest = format!("DROP TABLE {name}");
        views.write(act, |tables| Ok(tables.connection.execute_batch(&rest)?))?;
    }
    Ok(())
}

/// The columns of a table's key.
fn key_of(table: &str) -> &'static str {
    match table {
        "chain_marks" => "position",
        "sids" => "sid, account",
        "recipients" | "senders" | "marks" => "key, id",
        "cells" => "hour, account, channel, country, status, error_code",
        _ => "id",
    }
}

fn make_tables(tables: Tables<'_>) -> rusqlite::Result<()> {
    for table in VIEW_TABLES {
        let sql: String = tables.connection.query_row(
            "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1",
            [table],
            |row| row.get(0),
        )?;
        // The first mention in a table's own SQL is its name.
        let sql = sql.replacen(table, &format!("{table}{SHADOW}"), 1);
        tables.connection.execute_batch(&sql)?;
    }
    Ok(())
}
