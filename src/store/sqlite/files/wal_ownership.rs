//! Write-ahead logs that belong to another log, as after a careless restore.

use std::fmt::Write;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use uuid::{Uuid, Variant};

use crate::domain::Position;
use crate::store::StoreError;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::lock::WriterLock;
use crate::store::sqlite::files::paths::{bytes_in, sidecar};
use crate::store::sqlite::query_value;

/// How many of a log's last events must still exist when it is read together with its WAL.
const LOOKED_FOR: u32 = 8;

/// Fails if the WAL next to a log belongs to another one. SQLite cannot tell, but an append-only log can: the
/// last events of the file alone must exist when both are read together, and be followed without a gap.
///
/// During a WAL checkpoint the file alone may be unreadable, or a page half written; then it passes.
pub fn refuse_foreign_wal(path: &Path) -> Result<(), StoreError> {
    let wal = sidecar(path, "-wal");
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
    match mismatch(&together, ledger_id, &last_events) {
        Ok(None) => Ok(()),
        Ok(Some(detail)) => Err(foreign(&detail)),
        Err(error) if is_damage(&error) => Err(foreign(&error.to_string())),
        Err(error) => Err(connect::not_a_ledger(path, error)),
    }
}

/// Like [`refuse_foreign_wal`], before a read, which takes no lock. It passes if a process holds the ledger,
/// which has then checked the WAL itself, or if the files change meanwhile. Other errors are left to
/// opening the log.
pub fn refuse_foreign_wal_at_rest(path: &Path) -> Result<(), StoreError> {
    let wal = sidecar(path, "-wal");
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

/// Metadata that changes when a file is written or replaced.
fn as_it_is(file: Metadata) -> (u64, u64, i64, i64) {
    (file.ino(), file.len(), file.mtime(), file.mtime_nsec())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Opens the file without its write-ahead log. Nobody may write to it meanwhile.
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

/// The ledger's id, if it is complete, and the last events that are certainly complete.
fn last_events(file: &Connection) -> rusqlite::Result<(Option<Uuid>, LastEvents)> {
    let ledger_id = whole_id(&query_value(file, "SELECT ledger_id FROM ledger")?);
    let sql = "SELECT position, event_id FROM events ORDER BY position DESC LIMIT ?1";
    let mut statement = file.prepare(sql)?;
    let rows = statement.query_map([LOOKED_FOR], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<Vec<(Value, Value)>>>()?;
    let certain = rows.into_iter().filter_map(|(position, id)| match position {
        Value::Integer(position) => Some((Position::try_from(position).ok()?, whole_id(&id)?)),
        _ => None,
    });
    Ok((ledger_id, certain.collect()))
}

/// An id, unless it is incomplete: a part of a page that has not been written is zero.
fn whole_id(value: &Value) -> Option<Uuid> {
    let Value::Blob(bytes) = value else { return None };
    let id = Uuid::from_slice(bytes).ok()?;
    (id.get_version_num() == 7 && id.get_variant() == Variant::RFC4122).then_some(id)
}

/// The reason that a WAL does not continue a log, when both are read together; `None` if it does.
fn mismatch(
    together: &Connection,
    ledger_id: Option<Uuid>,
    last_events: &[(Position, Uuid)],
) -> rusqlite::Result<Option<String>> {
    let found: Option<Value> =
        together.query_row("SELECT ledger_id FROM ledger", [], |row| row.get(0)).optional()?;
    if ledger_id.is_some() && found.as_ref().and_then(whole_id) != ledger_id {
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

/// Whether two ids belong to different events, and neither is half written.
fn is_another(found: &[u8], id: &Uuid) -> bool {
    let (head, tail) = id.as_bytes().split_at(8);
    found.len() == 16 && !found.starts_with(head) && !found.ends_with(tail)
}
