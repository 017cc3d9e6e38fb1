//! A WAL's length, and reads that do not make it grow beyond bounds: as long as one is open, what
//! is written meanwhile stays in the WAL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::engine;

/// How long a WAL may get behind a check that reads everything at once. A server as busy as two
/// cores can make it writes some 24 MB a second, so this is about five seconds of that, and hours
/// of usual traffic; it is half of what the disk beside a ledger has to have free.
pub const BEHIND_A_CHECK_BYTES_MAX: u64 = 128 << 20;

/// How often a check is begun. Traffic comes in waves; where it does not, more tries do not help.
const TRIES: u32 = 3;

/// How long the writer may take to empty a WAL that nobody reads any more; it does so as it commits.
const EMPTYING_PATIENCE: Duration = Duration::from_secs(5);

/// How often the WAL's length is looked at: after so many of SQLite's steps, or pages of its
/// integrity check. Some 0.1 ms of work, of which the look is a hundredth.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

/// Runs a long read, and gives it up where the WAL grows beyond these bytes behind it. After a
/// while it is tried again, a few times in all; nothing where it never came to its end.
pub fn bounded<T>(
    connection: &Connection,
    bytes_max: u64,
    read: impl Fn(&Connection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    for _ in 0..TRIES {
        wait_until_below(connection, bytes_max / 2);
        // What a killed process or another reader left there is not ours to bound.
        let bytes_max = bytes_max.max(length(&file_of(connection)));
        if let Some(value) = once(connection, bytes_max, &read)? {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn once<T>(
    connection: &Connection,
    bytes_max: u64,
    read: impl Fn(&Connection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let (wal, given_up) = (file_of(connection), Arc::new(AtomicBool::new(false)));
    let tell = Arc::clone(&given_up);
    let look = move || {
        let too_long = length(&wal) > bytes_max;
        tell.fetch_or(too_long, Ordering::Relaxed);
        too_long
    };
    let act = "bound a long read";
    connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(look)).map_err(engine(act))?;
    let value = read(connection);
    connection.progress_handler(0, None::<fn() -> bool>).map_err(engine(act))?;
    match given_up.load(Ordering::Relaxed) {
        true => Ok(None),
        false => value.map(Some),
    }
}

fn wait_until_below(connection: &Connection, bytes: u64) {
    let (wal, deadline) = (file_of(connection), Instant::now() + EMPTYING_PATIENCE);
    while length(&wal) > bytes && Instant::now() < deadline {
        sleep(Duration::from_millis(50));
    }
}

fn file_of(connection: &Connection) -> PathBuf {
    PathBuf::from(format!("{}-wal", connection.path().unwrap_or_default()))
}

/// In bytes; 0 where there is none.
fn length(wal: &Path) -> u64 {
    std::fs::metadata(wal).map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use rusqlite::Connection;

    use super::{bounded, file_of, length};
    use crate::store::StoreError;
    use crate::store::WalCheckpoints;
    use crate::store::sqlite::files::connect;
    use crate::store::sqlite::query_value;

    /// The writer below empties its WAL at 4 MB; without a bound a read would make it grow for ever.
    const BOUND: u64 = 16 << 20;

    fn endless(connection: &Connection) -> Result<i64, StoreError> {
        let sql = "WITH RECURSIVE numbers(n) AS (SELECT count(*) FROM filler UNION ALL SELECT n + 1 FROM numbers)
                   SELECT count(*) FROM numbers";
        query_value(connection, sql).map_err(super::engine("read for ever"))
    }

    /// Runs a read beside a writer that never rests; returns what came of it, and the greatest
    /// length that the WAL had.
    fn beside_a_writer<T>(read: impl Fn(&Connection) -> Result<T, StoreError>) -> (Option<T>, u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("filled.db");
        connect::make_file(&path).unwrap();
        let writer = connect::log_for_writing(&path, WalCheckpoints::Own).unwrap();
        writer.pragma_update(None, "journal_size_limit", 4 << 20).unwrap();
        writer.execute_batch("CREATE TABLE filler(body)").unwrap();
        let reader = connect::for_reading(&path).unwrap();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let done = &done;
            let writing = scope.spawn(move || {
                let mut longest = 0;
                while !done.load(Ordering::Relaxed) {
                    writer.execute("INSERT INTO filler VALUES (zeroblob(100000))", []).unwrap();
                    longest = longest.max(length(&file_of(&writer)));
                }
                longest
            });
            let value = bounded(&reader, BOUND, read).unwrap();
            done.store(true, Ordering::Relaxed);
            (value, writing.join().unwrap())
        })
    }

    #[test]
    fn a_read_that_would_make_the_wal_grow_for_ever_is_given_up() {
        let (value, longest) = beside_a_writer(endless);

        assert_eq!(value, None);
        // It had grown as far as it may, and was noticed soon.
        assert!((BOUND..BOUND + (4 << 20)).contains(&longest), "{longest}");
    }

    #[test]
    fn a_read_that_ends_in_time_is_not_disturbed_by_the_writer() {
        let (value, longest) = beside_a_writer(|reader| {
            query_value::<i64>(reader, "SELECT 1 FROM sqlite_master").map_err(super::engine("read"))
        });

        assert_eq!(value, Some(1));
        assert!(longest < BOUND, "{longest}");
    }

    #[test]
    fn what_another_has_left_in_the_wal_gives_no_read_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("left.db");
        connect::make_file(&path).unwrap();
        let writer = connect::log_for_writing(&path, WalCheckpoints::Own).unwrap();
        writer.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        writer.execute_batch("CREATE TABLE filler(body)").unwrap();
        writer.execute("INSERT INTO filler VALUES (zeroblob(1000000))", []).unwrap();
        let reader = connect::for_reading(&path).unwrap();
        assert!(length(&file_of(&reader)) > 1_000_000);

        let sound = |reader: &Connection| {
            query_value::<String>(reader, "PRAGMA integrity_check").map_err(super::engine("check"))
        };
        // Patience with a writer that may empty it is tested above; here is none.
        let value = super::once(&reader, length(&file_of(&reader)), sound).unwrap();

        assert_eq!(value.as_deref(), Some("ok"));
    }
}
