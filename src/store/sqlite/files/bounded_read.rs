//! Long reads with a bound on the WAL: while a read is open, everything written meanwhile stays in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::sqlite::engine;

/// Maximum bytes of the WAL during a check that reads everything: five seconds of the busiest server on two
/// cores, and hours of usual traffic. It is half of the free space that a ledger's disk needs.
pub const BEHIND_A_CHECK_BYTES_MAX: u64 = 128 << 20;

/// Maximum attempts. Traffic comes in waves; if it does not, more attempts do not help.
const TRIES: u32 = 3;

/// How long the writer may take to empty a WAL without readers; it does so when it commits.
const EMPTYING_PATIENCE: Duration = Duration::from_secs(5);

/// SQLite's steps, or pages of its integrity check, between two looks at the WAL's length: 0.1 ms of work,
/// of which the look takes a hundredth.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

/// Runs a long read, and interrupts it if the WAL grows beyond these bytes. It is repeated a few times;
/// `None` if no attempt finished.
pub fn bounded<T>(
    connection: &Connection,
    bytes_max: u64,
    read: impl Fn(&Connection) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    for _ in 0..TRIES {
        wait_until_below(connection, bytes_max / 2);
        // The bound does not apply to what a killed process or another reader left there.
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

/// The length of a WAL in bytes; 0 if it does not exist.
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

    /// Runs a read alongside a writer that never rests; returns its result, and the greatest length of
    /// the WAL.
    fn alongside_a_writer<T>(
        read: impl Fn(&Connection) -> Result<T, StoreError>,
    ) -> (Option<T>, u64) {
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
        let (value, longest) = alongside_a_writer(endless);

        assert_eq!(value, None);
        // It had grown as far as it may, and was noticed soon.
        assert!((BOUND..2 * BOUND).contains(&longest), "{longest}");
    }

    #[test]
    fn a_read_that_ends_in_time_is_not_disturbed_by_the_writer() {
        let (value, longest) = alongside_a_writer(|reader| {
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
        // Waiting for a writer that may empty the WAL is tested above; here there is none.
        let value = super::once(&reader, length(&file_of(&reader)), sound).unwrap();

        assert_eq!(value.as_deref(), Some("ok"));
    }
}
