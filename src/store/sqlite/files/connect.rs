//! Opens SQLite files, each with the settings that its content needs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::WalCheckpoints;
use crate::store::sqlite::files::paths;
use crate::store::sqlite::{engine, place, query_value};

/// How long a statement waits for a lock held by another connection.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The interval between attempts if SQLite's own waiting is not enough.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The page cache of a connection that writes views, in KiB as SQLite has it.
const VIEWS_CACHE: i64 = -32 * 1024;

/// The page cache of views that are being filled, in KiB, and the memory of the sorter that builds their indexes: a
/// larger one made replays of three million events no faster.
const UNFINISHED_VIEWS_CACHE: i64 = -12 * 1024;

/// The free space that a few hundred callbacks need.
const ROOM_BYTES: usize = 256 << 10;

/// Creates the folder of a new ledger, readable only by its owner, and syncs every folder above it, so that
/// the path survives a power failure. If the process is killed meanwhile, the next one starts over.
pub fn make_folder(ledger: &Path) -> Result<(), StoreError> {
    if ledger.exists() {
        return Ok(());
    }
    let folder = folder_of(ledger);
    let failed = |cause| StoreError::File { act: "make the folder", path: folder.clone(), cause };
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let above = folder.canonicalize().map_err(failed)?;
    for folder in above.ancestors().skip(1) {
        match sync(folder) {
            // Whoever cannot read a folder has created nothing in it that would have to be synced.
            Err(cause) if cause.kind() == ErrorKind::PermissionDenied => break,
            synced => synced.map_err(failed)?,
        }
    }
    Ok(())
}

/// Creates the file if it does not exist, writable for us, and syncs its name. SQLite gives `-wal` and
/// `-shm` the same mode.
pub fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    match options.open(path) {
        Ok(_file) => sync_folder_of(path),
        Err(cause) => {
            Err(StoreError::File { act: "open for writing", path: path.to_owned(), cause })
        }
    }
}

/// Syncs the folder of a file. A synced file whose name is not on disk is lost.
pub fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    sync(&folder).map_err(|cause| StoreError::File { act: "sync the folder", path: folder, cause })
}

/// Fails if the disk has no space for a busy commit. On a full disk, opening a log with an empty WAL would
/// succeed and the next commit would fail.
pub fn check_free_space(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let find = || {
        let mut unnamed = tempfile::tempfile_in(&folder)?;
        unnamed.write_all(&[1; ROOM_BYTES])?;
        unnamed.sync_all()
    };
    find().map_err(|cause| StoreError::File { act: "find room in", path: folder.clone(), cause })
}

/// The folder of a file.
pub fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens the log for writing. What a killed process left in the WAL, perhaps unsynced, is synced first.
pub fn log_for_writing(
    path: &Path,
    wal_checkpoints: WalCheckpoints,
) -> Result<Connection, StoreError> {
    let connection = log_set_up(path, wal_checkpoints)?;
    sync_committed(&connection, path, wal_checkpoints)?;
    Ok(connection)
}

/// Syncs everything that was committed: into the database, or in the WAL if another program checkpoints it.
pub fn sync_committed(
    connection: &Connection,
    path: &Path,
    wal_checkpoints: WalCheckpoints,
) -> Result<(), StoreError> {
    match wal_checkpoints {
        WalCheckpoints::Own => truncate_wal(connection, path),
        WalCheckpoints::External => sync_wal(path),
    }
}

/// Opens the log for writing alongside another process, which keeps its WAL. It is synced in case that
/// process was killed.
pub fn log_for_appending(
    path: &Path,
    wal_checkpoints: WalCheckpoints,
) -> Result<Connection, StoreError> {
    let connection = log_set_up(path, wal_checkpoints)?;
    sync_wal(path)?;
    Ok(connection)
}

fn log_set_up(path: &Path, wal_checkpoints: WalCheckpoints) -> Result<Connection, StoreError> {
    paths::refuse_orphaned_wal(path)?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_wal(&connection, path)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    set("synchronous", 2)?; // FULL: a commit returns after its fsync
    set("journal_size_limit", 16 << 20)?; // bytes that a WAL may keep once it is empty
    set("secure_delete", 1)?; // no page keeps what was moved or erased; costs nothing while appending
    match wal_checkpoints {
        WalCheckpoints::Own => set("wal_autocheckpoint", 1000)?, // pages; keeps the WAL near 4 MB
        WalCheckpoints::External => {
            set("wal_autocheckpoint", 0)?;
            let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            connection.set_db_config(no_checkpoint, true).map_err(engine("open the log"))?;
        }
    }
    Ok(connection)
}

/// Opens a file to examine it before anything is set in it: closing this connection leaves the WAL as it is.
/// It may write, because SQLite has to roll back what a killed process left in a journal.
pub fn for_examination(path: &Path) -> Result<Connection, StoreError> {
    paths::refuse_orphaned_wal(path)?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(no_checkpoint, true).map_err(engine("examine a file"))?;
    Ok(connection)
}

/// Opens a file that is being created, and is discarded if that fails: without a journal.
pub fn unjournaled(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    let mode: String = query_value(&connection, "PRAGMA journal_mode = OFF")
        .map_err(|error| not_a_ledger(path, error))?;
    if mode != "off" {
        return Err(setting_refused(path, "journal_mode", &mode));
    }
    set("synchronous", 0)?; // it is synced once, at the end
    set("secure_delete", 1)?; // as for every log
    Ok(connection)
}

/// Syncs the WAL, which a killed process may have left unsynced.
fn sync_wal(path: &Path) -> Result<(), StoreError> {
    let wal = paths::sidecar(path, "-wal");
    let synced = match File::open(&wal) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        opened => opened.and_then(|file| file.sync_all()),
    };
    synced.map_err(|cause| StoreError::File { act: "sync", path: wal, cause })
}

/// Opens the views for writing. Their last commits may be lost: they are derived.
pub fn views_for_writing(path: &Path) -> Result<Connection, StoreError> {
    // Never created here: a replay may just have replaced and removed the file.
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_wal(&connection, path)?;
    set_up_views(&connection, path)?;
    Ok(connection)
}

fn set_up_views(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let set = |name, value| set_and_read_back(connection, path, name, value);
    set("synchronous", 1)?; // NORMAL
    set("wal_autocheckpoint", 4000)?; // pages, 16 MB: fewer rewrites of the same pages
    set("journal_size_limit", 64 << 20)?; // bytes
    set("cache_size", VIEWS_CACHE)?;
    set("temp_store", 2) // memory
}

/// New views that are filled before anybody else opens them.
pub fn unfinished_views(path: &Path) -> Result<Connection, StoreError> {
    let connection = unjournaled(path)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    set("cache_size", UNFINISHED_VIEWS_CACHE)?;
    set("temp_store", 1)?; // file: in memory the sorter would take whatever it needs
    Ok(connection)
}

/// Makes SQLite put the temporary files of this process into a folder: the system's may be small, or in
/// memory.
pub fn set_temp_folder(connection: &Connection, folder: &Path) -> Result<(), StoreError> {
    let Some(folder) = folder.to_str() else { return Ok(()) };
    let act = "choose a folder for temporary files";
    connection.pragma_update(None, "temp_store_directory", folder).map_err(engine(act))
}

/// Puts views on disk that were filled without a journal, or changed since. They have a WAL then.
pub fn finish_views(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String =
        query_value(connection, "PRAGMA journal_mode").map_err(engine("finish new views"))?;
    if mode != "wal" {
        // The change to a WAL is a commit, which syncs the whole file.
        set_and_read_back(connection, path, "synchronous", 2)?;
        set_wal(connection, path)?;
        return set_up_views(connection, path);
    }
    truncate_wal(connection, path)
}

/// Opens the quarantine for writing. Its last commits may be lost: they are rejected requests.
pub fn quarantine_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    let tables: i64 = query_value(&connection, "SELECT count(*) FROM sqlite_master")
        .map_err(|error| not_a_ledger(path, error))?;
    if tables == 0 {
        // INCREMENTAL, so that a purge shrinks the file; only an empty file accepts it.
        set("auto_vacuum", 2)?;
    }
    set_wal(&connection, path)?;
    set("synchronous", 1)?; // NORMAL
    set("wal_autocheckpoint", 1000)?; // pages; keeps the WAL near 4 MB
    set("journal_size_limit", 4 << 20)?; // bytes
    set("secure_delete", 1)?; // deleted content is overwritten: it may be personal data
    Ok(connection)
}

/// Opens the store of forwarding for writing. Its last commits may be lost: those events are sent again.
pub fn forward_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_wal(&connection, path)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    set("synchronous", 1)?; // NORMAL
    set("wal_autocheckpoint", 4000)?; // pages, 16 MB: fewer rewrites of the same pages
    set("journal_size_limit", 16 << 20)?; // bytes
    set("foreign_keys", 1)?; // a target's rows are removed with it
    Ok(connection)
}

/// Opens a file that other processes may be making at the same moment: while one of them sets it up, SQLite
/// refuses the others at once.
pub fn beside_others<T>(open: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let given_up_at = Instant::now() + BUSY_TIMEOUT;
    loop {
        match open() {
            Err(error) if is_busy(&error) && Instant::now() < given_up_at => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened,
        }
    }
}

fn is_busy(error: &StoreError) -> bool {
    let StoreError::Engine { cause, .. } = error else { return false };
    let error = cause.downcast_ref::<rusqlite::Error>();
    error.and_then(rusqlite::Error::sqlite_error_code) == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// Opens a file read-only.
pub fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    // SQLite removes the WAL of an empty file, as a log is for a moment that is being written over.
    paths::refuse_orphaned_wal(path)?;
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Moves the WAL into the file and truncates it. A reader in another process may prevent the truncation,
/// which is no error once everything is synced.
fn truncate_wal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let given_up_at = Instant::now() + BUSY_TIMEOUT;
    loop {
        let (busy, frames, synced): (bool, i64, i64) = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|error| not_a_ledger(path, error))?;
        // During a WAL checkpoint of another process SQLite does nothing, does not wait, and reports
        // no frames.
        let nothing_done = busy && frames < 0;
        match nothing_done {
            false if synced >= frames => return Ok(()),
            true if Instant::now() < given_up_at => std::thread::sleep(BETWEEN_LOOKS),
            _ => {
                return Err(StoreError::Engine {
                    act: format!("empty the write-ahead log of {}", path.display()),
                    cause: "another process keeps reading or checkpointing it; stop that process \
                            or, if it is Litestream, set DELIVERY_LEDGER_WAL_CHECKPOINTS to \
                            external"
                        .into(),
                });
            }
        }
    }
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let act = format!("open {}", path.display());
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(engine(&act))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(engine(&act))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn set_wal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = query_value(connection, "PRAGMA journal_mode = WAL")
        .map_err(|error| not_a_ledger(path, error))?;
    match mode.as_str() {
        "wal" => Ok(()),
        other => Err(setting_refused(path, "journal_mode", other)),
    }
}

fn set_and_read_back(
    connection: &Connection,
    path: &Path,
    name: &str,
    value: i64,
) -> Result<(), StoreError> {
    let act = format!("set {name} of {}", path.display());
    connection.pragma_update(None, name, value).map_err(engine(&act))?;
    let got: i64 = query_value(connection, &format!("PRAGMA {name}")).map_err(engine(&act))?;
    match got == value {
        true => Ok(()),
        false => Err(setting_refused(path, name, &got.to_string())),
    }
}

fn setting_refused(path: &Path, name: &str, got: &str) -> StoreError {
    StoreError::Engine {
        act: format!("set {name} of {}", path.display()),
        cause: format!("SQLite keeps it at {got}").into(),
    }
}

/// Describes an error of the first statement on a file, where SQLite notices what kind of file it is.
pub fn not_a_ledger(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::NotALedger {
            place: place(path),
            detail: "SQLite does not know its format".to_owned(),
        },
        // A reader of a WAL database keeps its locks in files next to it.
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            StoreError::Engine {
                act: format!("open {}", path.display()),
                cause:
                    "reading it requires write access to its folder, where SQLite keeps its locks; \
                        copy the ledger to a folder that you can write to"
                        .into(),
            }
        }
        _ => engine(&format!("open {}", path.display()))(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{WalCheckpoints, for_reading, log_for_writing, make_file};
    use crate::store::sqlite::query_value;

    #[test]
    fn the_log_is_written_with_full_synchronisation_and_read_without_any_right_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        make_file(&path).unwrap();

        let writer = log_for_writing(&path, WalCheckpoints::Own).unwrap();
        let setting = |name| query_value::<i64>(&writer, &format!("PRAGMA {name}")).unwrap();
        assert_eq!(setting("synchronous"), 2);
        assert_eq!(setting("wal_autocheckpoint"), 1000);
        let mode: String = query_value(&writer, "PRAGMA journal_mode").unwrap();
        assert_eq!(mode, "wal");

        let reader = for_reading(&path).unwrap();
        assert!(reader.execute_batch("CREATE TABLE t(x)").is_err());
    }
}
