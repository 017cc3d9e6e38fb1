//! Files that lie where a ledger is, or is to be, and do not belong to it.

use std::fmt::Write;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::{Uuid, Variant};

use crate::domain::Position;
use crate::store::StoreError;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::lock::WriterLock;
use crate::store::sqlite::query_value;

/// What SQLite keeps beside a file, and reads into whatever has the file's name.
/// Empty ones are what readers leave, and hold nothing.
const BESIDE: [&str; 2] = ["-wal", "-journal"];

/// How many of a log's last events are looked for once its write-ahead log is read with it.
const LOOKED_FOR: u32 = 8;

/// The name of a file beside the log.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses a place where a new file would meet others.
pub fn refuse_taken(path: &Path) -> Result<(), StoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::AlreadyExists { path: path.to_owned() });
    }
    match BESIDE.map(|suffix| beside(path, suffix)).into_iter().find(|file| bytes_in(file) > 0) {
        Some(path) => Err(StoreError::Leftover { path }),
        None => Ok(()),
    }
}

/// Refuses a new log beside another one's write-ahead log, which SQLite would throw away.
pub fn refuse_orphaned_wal(path: &Path) -> Result<(), StoreError> {
    let wal = beside(path, "-wal");
    match bytes_in(path) == 0 && bytes_in(&wal) > 0 {
        true => Err(StoreError::Leftover { path: wal }),
        false => Ok(()),
    }
}

/// Refuses a log whose write-ahead log is another's. SQLite cannot tell: nothing in the one names
/// the other. But a log that is only appended to goes on in its own: the last events in the file
/// alone are still there when both are read together, and lead up to the head without a gap.
///
/// A file in the middle of a WAL checkpoint may be unreadable alone, or half of a page be new and
/// half old; such a file accuses nobody.
pub fn refuse_foreign_wal(path: &Path) -> Result<(), StoreError> {
    let wal = beside(path, "-wal");
    if bytes_in(&wal) == 0 {
        return Ok(());
    }
    let Ok((ledger_id, last_events)) = alone(path).and_then(|file| last_events(&file)) else {
        return Ok(());
    };
    let foreign = |detail: &str| StoreError::ForeignWal {
        wal: wal.clone(),
        path: path.to_owned(),
        detail: detail.to_owned(),
    };
    let together = connect::for_reading(path)?;
    match goes_on(&together, &ledger_id, &last_events) {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err(foreign(&detail)),
        Err(error) if is_damage(&error) => Err(foreign(&error.to_string())),
        Err(error) => Err(connect::not_a_ledger(path, error)),
    }
}

/// The same before a read, which takes no lock. Where somebody holds it the write-ahead log is in use,
/// and was looked at by whoever does; where it was taken, or a file was changed, while we compared,
/// what was found accuses nobody. Whatever else is wrong is told by who opens the log.
pub fn refuse_foreign_wal_at_rest(path: &Path) -> Result<(), StoreError> {
    let wal = beside(path, "-wal");
    let may_be_held = || WriterLock::may_be_held(path);
    if bytes_in(&wal) == 0 || may_be_held() {
        return Ok(());
    }
    let files = || [path, &wal].map(|file| file.metadata().ok().map(as_it_is));
    let before = files();
    match refuse_foreign_wal(path) {
        Err(foreign @ StoreError::ForeignWal { .. }) if !may_be_held() && files() == before => {
            Err(foreign)
        }
        _ => Ok(()),
    }
}

/// What changes where a file is written to or replaced.
fn as_it_is(file: Metadata) -> (u64, u64, i64, i64) {
    (file.ino(), file.len(), file.mtime(), file.mtime_nsec())
}

/// Whether a file's making was cut off at its first step, that to a write-ahead log: a kill in it leaves
/// a journal that only a writer can roll back. Later there is never a journal beside our files.
pub fn is_half_made(path: &Path) -> bool {
    bytes_in(&beside(path, "-journal")) > 0
}

fn bytes_in(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// The file as it is without its write-ahead log. Nobody may write to it meanwhile.
pub fn alone(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = "file:".to_owned();
    for part in path.as_os_str().as_encoded_bytes().split_inclusive(|byte| *byte == b'/') {
        let (name, slash) = match part.strip_suffix(b"/") {
            Some(name) => (name, "/"),
            None => (part, ""),
        };
        let _infallible = write!(uri, "{}{slash}", percent_encode(name, NON_ALPHANUMERIC));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri + "?immutable=1", flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

type LastEvents = Vec<(Position, Uuid)>;

/// The ledger's id, and the last events that are beyond doubt.
fn last_events(file: &Connection) -> rusqlite::Result<(Value, LastEvents)> {
    let ledger_id = query_value(file, "SELECT ledger_id FROM ledger")?;
    let sql = "SELECT position, event_id FROM events ORDER BY position DESC LIMIT ?1";
    let mut statement = file.prepare(sql)?;
    let rows = statement.query_map([LOOKED_FOR], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(Value, Value)>>>()?;
    let certain = rows.into_iter().filter_map(|row| match row {
        (Value::Integer(position), Value::Blob(id)) => {
            Some((Position::try_from(position).ok()?, Uuid::from_slice(&id).ok()?))
        }
        _ => None,
    });
    // Where the rest of a page has not been written there are zeros.
    let is_whole = |id: &Uuid| id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122;
    Ok((ledger_id, certain.filter(|(_, id)| is_whole(id)).collect()))
}

/// What is wrong when both are read together, if anything is.
fn goes_on(
    together: &Connection,
    ledger_id: &Value,
    last_events: &[(Position, Uuid)],
) -> rusqlite::Result<Option<String>> {
    let found: Option<Value> =
        together.query_row("SELECT ledger_id FROM ledger", [], |row| row.get(0)).optional()?;
    if found.as_ref() != Some(ledger_id) {
        return Ok(Some("they are of two ledgers".to_owned()));
    }
    for (position, id) in last_events {
        let sql = "SELECT event_id FROM events WHERE position = ?1";
        let found: Option<Value> =
            together.query_row(sql, [position], |row| row.get(0)).optional()?;
        match found {
            None => return Ok(Some(format!("with it there is no event {position} any more"))),
            Some(Value::Blob(found)) if is_another(&found, id) => {
                return Ok(Some(format!("with it another event is at position {position}")));
            }
            Some(_) => {}
        }
    }
    let Some((last, _)) = last_events.first() else { return Ok(None) };
    let mut statement =
        together.prepare("SELECT position FROM events WHERE position > ?1 ORDER BY position")?;
    let positions = statement.query_map([last], |row| row.get::<_, Position>(0))?;
    for (position, due) in positions.zip(last + 1..) {
        if position? != due {
            return Ok(Some(format!("with it there is no event {due}")));
        }
    }
    Ok(None)
}

/// Whether two ids are of two events, not one of them half written.
fn is_another(found: &[u8], id: &Uuid) -> bool {
    let (head, tail) = id.as_bytes().split_at(8);
    found.len() == 16 && !found.starts_with(head) && !found.ends_with(tail)
}
