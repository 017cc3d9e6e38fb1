//! Integrity checks of the log and the views by SQLite itself.

use rusqlite::{Connection, ErrorCode};

use crate::store::sqlite::engine;
use crate::store::sqlite::files::bounded_read;
use crate::store::sqlite::migrate;
use crate::store::sqlite::views::indexes;
use crate::store::{Checked, Damage, StoreError};

/// Tables that Litestream creates in a database that it replicates; they hold no events.
const LITESTREAM_TABLES: [&str; 2] = ["_litestream_seq", "_litestream_lock"];

/// Checks the log: that its guards exist and its pages are sound. It gives up on the pages if the WAL would
/// grow beyond these bytes.
pub fn log(connection: &Connection, wal_bytes_max: u64) -> Result<Checked, StoreError> {
    let guards = guards(connection)?;
    let pages = bounded_read::bounded(connection, wal_bytes_max, pages)?;
    let finished = pages.is_some();
    let damages = guards.into_iter().chain(pages.unwrap_or_default());
    Ok(Checked { damages: damages.collect(), finished })
}

/// Checks the whole log, however long that takes.
pub fn everything(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    Ok(guards(connection)?.into_iter().chain(pages(connection)?).collect())
}

/// Compares the log's schema, triggers included, with the one that the migrations create.
pub fn guards(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    let expected = migrate::schema_of_log(connection)?;
    let actual = migrate::schema(connection)?;
    let missing = expected.iter().filter(|object| !actual.contains(object));
    let is_foreign = |object: &&(String, String, String)| {
        let (kind, name, _) = object;
        let is_litestreams = kind == "table" && LITESTREAM_TABLES.contains(&name.as_str());
        !expected.contains(object) && !is_litestreams
    };
    let foreign = actual.iter().filter(is_foreign);
    let missing =
        missing.map(|(kind, name, _)| Damage::GuardMissing { name: format!("{kind} {name}") });
    let foreign = foreign.map(|(kind, name, _)| Damage::Foreign { name: format!("{kind} {name}") });
    let early = has_early_events(connection)?
        .then(|| Damage::Foreign { name: "an event before position 1".to_owned() });
    let whole = listed_but_whole(connection)?.map(|position| Damage::Foreign {
        name: format!(
            "an entry in the list of erased events for position {position}, which is whole,"
        ),
    });
    Ok(missing.chain(foreign).chain(early).chain(whole).collect())
}

/// The first position that is listed as erased although its event still has its content.
fn listed_but_whole(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let sql =
        "SELECT min(position) FROM erased JOIN events USING (position) WHERE salt IS NOT NULL";
    match crate::store::sqlite::query_value(connection, sql) {
        // The missing table is reported above.
        Err(error) if error.to_string().contains("no such table") => Ok(None),
        found => found.map_err(engine("read the erased events")),
    }
}

/// Whether there are events before position 1, which no read would ever find.
fn has_early_events(connection: &Connection) -> Result<bool, StoreError> {
    let first: Option<i64> =
        crate::store::sqlite::query_value(connection, "SELECT min(position) FROM events")
            .map_err(engine("read the first position"))?;
    Ok(first.is_some_and(|first| first < 1))
}

/// Checks the views: that their pages and indexes are sound, and that every account has messages.
/// Both checks are given up if the WAL grows beyond these bytes.
pub fn views(connection: &Connection, wal_bytes_max: u64) -> Result<Checked, StoreError> {
    let pages = bounded_read::bounded(connection, wal_bytes_max, pages_and_indexes)?;
    let damages = match pages {
        Some(damages) if damages.is_empty() => {
            bounded_read::bounded(connection, wal_bytes_max, accounts)?
        }
        unsound_or_unfinished => unsound_or_unfinished,
    };
    Ok(Checked { finished: damages.is_some(), damages: damages.unwrap_or_default() })
}

/// Accounts without messages.
fn accounts(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    let sql = "SELECT count(*) FROM accounts
               WHERE id NOT IN (SELECT account FROM messages)";
    let rows: u64 = crate::store::sqlite::query_value(connection, sql)
        .map_err(engine("look for accounts without messages"))?;
    let stray = Damage::Stray { table: "accounts", rows };
    Ok(Some(stray).filter(|_| rows > 0).into_iter().collect())
}

/// Checks pages and indexes of one state of the views. Only if anything is wrong, SQLite's integrity check says what.
fn pages_and_indexes(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    let act = "check the views";
    // Views that are being filled have a transaction already.
    let one_state = connection.is_autocommit().then(|| connection.unchecked_transaction());
    let _ended_at_the_end = one_state.transpose().map_err(engine(act))?;
    let mut is_sound = run(connection, "PRAGMA quick_check")?.is_empty();
    for small in tables_with_other_indexes(connection).map_err(engine(act))? {
        is_sound &= run(connection, &format!("PRAGMA integrity_check({small})"))?.is_empty();
    }
    match is_sound && indexes::are_complete(connection).unwrap_or(false) {
        true => Ok(Vec::new()),
        false => pages(connection),
    }
}

/// The tables with indexes that are not compared otherwise, which are small.
fn tables_with_other_indexes(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT DISTINCT tbl_name FROM sqlite_master
               WHERE type = 'index' AND tbl_name NOT IN ('messages', 'tags')";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// SQLite's integrity check.
pub fn pages(connection: &Connection) -> Result<Vec<Damage>, StoreError> {
    run(connection, "PRAGMA integrity_check")
}

fn run(connection: &Connection, check: &str) -> Result<Vec<Damage>, StoreError> {
    let act = "check the pages of a database";
    let mut statement = connection.prepare(check).map_err(engine(act))?;
    let lines = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>);
    let lines = match lines {
        // Some damage ends the check itself.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            vec![error.to_string()]
        }
        lines => lines.map_err(engine(act))?,
    };
    let wrong = lines.into_iter().filter(|line| line != "ok");
    Ok(wrong.map(|detail| Damage::Engine { detail }).collect())
}
