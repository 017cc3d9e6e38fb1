//! Opening SQLite files, each with the settings its content needs.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;
use crate::store::open::WalCheckpoints;
use crate::store::sqlite::engine;
use crate::store::sqlite::files::wal_ownership;
use crate::store::sqlite::query_value;

/// How long a statement waits for a lock held by another connection.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often is looked meanwhile, where SQLite's own waiting does not do.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// The page cache of a connection that writes views, in KiB as SQLite has it.
const VIEWS_CACHE: i64 = -32 * 1024;

/// Room for a few hundred callbacks.
const ROOM_BYTES: usize = 256 << 10;

/// Makes the ledger's folder, for us alone, where there is none. A ledger that is not there yet
/// gets a way to it that is on disk: its folder's entry in the one above, and so on up. Whoever was
/// killed in the middle of it begins again, since the ledger is still not there.
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
            // Nobody who cannot read a folder has made another in it.
            Err(cause) if cause.kind() == ErrorKind::PermissionDenied => break,
            synced => synced.map_err(failed)?,
        }
    }
    Ok(())
}

/// Makes sure that the file is there, ours to write, and under its name on disk.
/// SQLite gives `-wal` and `-shm` its mode.
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

/// Waits until the names in a file's folder are on disk. A synced file without its name is lost.
pub fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    sync(&folder).map_err(|cause| StoreError::File { act: "sync the folder", path: folder, cause })
}

/// Makes sure that the disk takes as much as a busy commit. An empty WAL needs no room, so that on a
/// full disk opening the log would succeed, and the next commit fail.
pub fn find_room_beside(path: &Path) -> Result<(), StoreError> {
    let folder = folder_of(path);
    let find = || {
        let mut unnamed = tempfile::tempfile_in(&folder)?;
        unnamed.write_all(&[1; ROOM_BYTES])?;
        unnamed.sync_all()
    };
    find().map_err(|cause| StoreError::File { act: "find room in", path: folder.clone(), cause })
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The log's write connection. What a killed process left in the WAL, perhaps never synced,
/// is synced before anything can build on it.
pub fn log_for_writing(
    path: &Path,
    wal_checkpoints: WalCheckpoints,
) -> Result<Connection, StoreError> {
    let connection = log_set_up(path, wal_checkpoints)?;
    carry_over(&connection, path, wal_checkpoints)?;
    Ok(connection)
}

/// Has everything that was committed on disk: in the database, unless another program carries it over.
pub fn carry_over(
    connection: &Connection,
    path: &Path,
    wal_checkpoints: WalCheckpoints,
) -> Result<(), StoreError> {
    match wal_checkpoints {
        WalCheckpoints::Own => truncate_wal(connection, path),
        WalCheckpoints::External => sync_wal(path),
    }
}

/// A write connection to a log that another process may be writing to. The WAL is left to that one;
/// only where it has ended meanwhile, killed, is there anything unsynced to be found in it.
pub fn log_beside(path: &Path, wal_checkpoints: WalCheckpoints) -> Result<Connection, StoreError> {
    let connection = log_set_up(path, wal_checkpoints)?;
    sync_wal(path)?;
    Ok(connection)
}

fn log_set_up(path: &Path, wal_checkpoints: WalCheckpoints) -> Result<Connection, StoreError> {
    wal_ownership::refuse_orphaned_wal(path)?;
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_wal(&connection, path)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    set("synchronous", 2)?; // FULL: a commit returns after its fsync
    set("journal_size_limit", 16 << 20)?; // bytes that a WAL may keep once it is empty
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

/// A file that is not in use under this name: should its making fail, it is thrown away.
pub fn file_in_the_making(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    let mode: String = query_value(&connection, "PRAGMA journal_mode = OFF")
        .map_err(|error| not_a_ledger(path, error))?;
    if mode != "off" {
        return Err(setting_refused(path, "journal_mode", &mode));
    }
    set("synchronous", 0)?; // whoever finishes it syncs it once
    Ok(connection)
}

/// Syncs what a killed process may have left unsynced in a WAL that another program empties.
fn sync_wal(path: &Path) -> Result<(), StoreError> {
    let wal = wal_ownership::beside(path, "-wal");
    let synced = match File::open(&wal) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => Ok(()),
        opened => opened.and_then(|file| file.sync_all()),
    };
    synced.map_err(|cause| StoreError::File { act: "sync", path: wal, cause })
}

/// The views' write connection. Losing its last commits costs nothing: they are derived.
pub fn views_for_writing(path: &Path) -> Result<Connection, StoreError> {
    // Never created here: a replay may just have removed the file, having put another one in use.
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
pub fn views_in_the_making(path: &Path) -> Result<Connection, StoreError> {
    let connection = file_in_the_making(path)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    set("cache_size", VIEWS_CACHE)?; // also the memory of SQLite's sorter
    set("temp_store", 1)?; // file: in memory the sorter would take whatever it needs
    Ok(connection)
}

/// Has SQLite's temporary files of this process in a folder: that of the system may be small, or in
/// memory.
pub fn sort_in_folder(connection: &Connection, folder: &Path) -> Result<(), StoreError> {
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

/// The quarantine's write connection. Losing its last commits costs little: they were refused.
pub fn quarantine_for_writing(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let set = |name, value| set_and_read_back(&connection, path, name, value);
    let tables: i64 = query_value(&connection, "SELECT count(*) FROM sqlite_master")
        .map_err(|error| not_a_ledger(path, error))?;
    if tables == 0 {
        // INCREMENTAL, so that a purge gives its room back; it is only taken by an empty file.
        set("auto_vacuum", 2)?;
    }
    set_wal(&connection, path)?;
    set("synchronous", 1)?; // NORMAL
    set("wal_autocheckpoint", 1000)?; // pages; keeps the WAL near 4 MB
    set("journal_size_limit", 4 << 20)?; // bytes
    set("secure_delete", 1)?; // what is removed is overwritten: it may be about persons
    Ok(connection)
}

/// A connection that cannot write.
pub fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    // SQLite removes the WAL of an empty file, as a log is for a moment that is being written over.
    wal_ownership::refuse_orphaned_wal(path)?;
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Syncs the WAL into the file and empties it. A reader in another process may keep it from being
/// emptied; that all of it has been synced is what counts.
fn truncate_wal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let given_up_at = Instant::now() + BUSY_TIMEOUT;
    loop {
        let (busy, frames, synced): (bool, i64, i64) = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(|error| not_a_ledger(path, error))?;
        // While another process is at a WAL checkpoint SQLite does nothing, waits for nobody, and
        // knows of no frames.
        let nothing_done = busy && frames < 0;
        match nothing_done {
            false if synced >= frames => return Ok(()),
            true if Instant::now() < given_up_at => std::thread::sleep(BETWEEN_LOOKS),
            _ => {
                return Err(StoreError::Engine {
                    act: format!("empty the write-ahead log of {}", path.display()),
                    cause: "another process keeps reading it, or empties it and does not end; end \
                            that process, or, where it is Litestream, set \
                            DELIVERY_LEDGER_WAL_CHECKPOINTS to external"
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

/// The first statement on a file is where SQLite notices what it has been given.
pub fn not_a_ledger(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::NotALedger {
            path: path.to_owned(),
            detail: "SQLite does not know its format".to_owned(),
        },
        // A reader of a WAL database keeps its locks in files beside it.
        Some(rusqlite::ErrorCode::ReadOnly | rusqlite::ErrorCode::CannotOpen) => {
            StoreError::Engine {
                act: format!("open {}", path.display()),
                cause:
                    "reading it takes write access to its folder, where SQLite keeps its locks; \
                        copy the ledger to a folder of your own"
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
