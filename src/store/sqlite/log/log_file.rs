//! The open log: one connection that appends, a pool of readers, and reopening after an error.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use rusqlite::Connection;
use uuid::Uuid;

use crate::domain::event::Erased;
use crate::domain::{NewEvent, Position, RecordedEvent};
use crate::store::sqlite::engine;
use crate::store::sqlite::files::check;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::descriptor::Descriptor;
use crate::store::sqlite::files::identity::FileIdentity;
use crate::store::sqlite::files::readers::Readers;
use crate::store::sqlite::files::watch::Watch;
use crate::store::sqlite::log::append::{Appender, Last, read_id, read_last};
use crate::store::sqlite::log::missing::{self, missing};
use crate::store::sqlite::log::opening::{descriptor_of, open_as_it_is, refuse_other};
use crate::store::sqlite::log::read::LogReader;
use crate::store::sqlite::migrate;
use crate::store::sqlite::views::error::{again, is_damage, is_lasting, is_sqlite_damage};
use crate::store::{RecentAppends, StoreError, WalCheckpoints};

/// Maximum events that are appended again in one transaction.
const AGAIN_EVENTS: usize = 1024;

/// How long a changed file must stay unchanged before it is examined.
const AT_REST: Duration = Duration::from_millis(100);

/// An open log.
pub struct Log {
    path: PathBuf,
    ledger_id: Uuid,
    /// Closed before the write connection, which can empty the WAL only if it is the last.
    reader: LogReader,
    writing: Mutex<Writing>,
    pub(super) files: FileIdentity,
    pub(super) wal_checkpoints: WalCheckpoints,
    /// See [`crate::store::Store::set_path_prefixes`].
    path_prefixes: RwLock<Vec<String>>,
    /// See [`crate::store::Store::safe_without_wal`].
    safe_without_wal: AtomicU64,
    /// Closed after the last connection, because closing it would release SQLite's locks.
    _descriptor: Arc<Descriptor>,
}

/// The state of the write connection.
enum Writing {
    Open(Box<Appender>, Box<Watch>),
    /// Closed after an error, until the log is reopened.
    Closed(Box<Known>),
    /// Never opened: the ledger is open read-only.
    Never,
}

/// The state of a log that was closed after an error.
struct Known {
    /// The last event that was acknowledged.
    last: Last,
    /// The last event when the log was opened.
    base: Last,
    /// The damage that was found in the files.
    damage: Option<Found>,
    watch: Box<Watch>,
}

/// Damage that could not be repaired, and the state of the files then.
struct Found {
    in_database: bool,
    given_up: Option<(FileStats, StoreError)>,
}

type FileStats = (u64, i64, i64, u64, i64, i64);

impl Log {
    /// Opens the log for writing, and migrates it to this version. A new one gets this id, or one of its own.
    pub fn open(
        path: &Path,
        new_id: Option<Uuid>,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        let descriptor = descriptor_of(path)?;
        migrate::refuse_newer_untouched(path)?;
        let mut connection = connect::log_for_writing(path, wal_checkpoints)?;
        migrate::log(&mut connection, path)?;
        let ledger_id = migrate::ledger_id_or(&connection, path, new_id)?;
        // Tables and id have to be in the file itself, so that a damaged WAL cannot lose them.
        connect::sync_committed(&connection, path, wal_checkpoints)?;
        let writing = watched(path, connection, &descriptor)?;
        let log = Self::with(path, ledger_id, writing, wal_checkpoints, descriptor)?;
        // One reader is open from the start, because `reopen` relies on it.
        log.reader.head()?;
        Ok(log)
    }

    /// Opens the log read-only, also while another process writes to it.
    pub fn open_for_reading(path: &Path) -> Result<Self, StoreError> {
        let descriptor = descriptor_of(path)?;
        let (_, ledger_id) = open_as_it_is(path, connect::for_reading)?;
        Self::with(path, ledger_id, Writing::Never, WalCheckpoints::External, descriptor)
    }

    /// Opens the log to append alongside the process that writes to it.
    pub fn open_for_appending(
        path: &Path,
        wal_checkpoints: WalCheckpoints,
    ) -> Result<Self, StoreError> {
        let descriptor = descriptor_of(path)?;
        migrate::refuse_newer_untouched(path)?;
        let open = |path: &Path| connect::log_for_appending(path, wal_checkpoints);
        let (connection, ledger_id) = open_as_it_is(path, open)?;
        let writing = watched(path, connection, &descriptor)?;
        Self::with(path, ledger_id, writing, wal_checkpoints, descriptor)
    }

    fn with(
        path: &Path,
        ledger_id: Uuid,
        writing: Writing,
        wal_checkpoints: WalCheckpoints,
        descriptor: Arc<Descriptor>,
    ) -> Result<Self, StoreError> {
        let log = Self {
            path: path.to_owned(),
            ledger_id,
            reader: LogReader::new(Readers::new(path)?, Arc::clone(&descriptor)),
            writing: Mutex::new(writing),
            files: FileIdentity::new(path),
            wal_checkpoints,
            path_prefixes: RwLock::default(),
            safe_without_wal: AtomicU64::new(0),
            _descriptor: descriptor,
        };
        if let Writing::Open(appender, watch) = &*log.writing() {
            log.note_wal_checkpointed(appender.last().position, watch);
        }
        Ok(log)
    }

    /// The path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ledger's id.
    pub fn ledger_id(&self) -> Uuid {
        self.ledger_id
    }

    /// The readers, for short reads.
    pub fn reader(&self) -> &LogReader {
        &self.reader
    }

    /// See [`crate::store::Store::set_path_prefixes`].
    pub fn set_path_prefixes(&self, prefixes: Vec<String>) {
        *self.path_prefixes.write().unwrap_or_else(PoisonError::into_inner) = prefixes;
    }

    fn path_prefixes(&self) -> RwLockReadGuard<'_, Vec<String>> {
        self.path_prefixes.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`crate::store::Store::append`].
    pub fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.write("cannot append", |appender, watch| {
            let head = appender.append(events, &self.path_prefixes(), watch)?;
            // Being on disk is not enough: the path has to lead to this file.
            self.files.check()?;
            self.note_wal_checkpointed(head, watch);
            Ok(head)
        })
    }

    /// See [`crate::store::Store::append_copies`].
    pub fn append_copies(
        &self,
        (position, id): (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.write("cannot append", |appender, watch| {
            let after = Last { position, id };
            appender.append_copies(after, events, &self.path_prefixes(), watch)
        })
    }

    /// See [`crate::store::Store::add_erased`].
    pub fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.write("cannot append", |appender, _| appender.add_erased(erased))
    }

    /// See [`crate::store::Store::check_files_unmoved`].
    pub fn check_files_unmoved(&self) -> Result<(), StoreError> {
        if let Writing::Never = *self.writing() {
            return self.files.check();
        }
        self.write("cannot check the files", |appender, watch| {
            self.files.check()?;
            match watch.glance() {
                true => Ok(()),
                // Another process writes; the files are checked again at the next pause.
                false => match appender.examine(watch) {
                    Err(StoreError::Busy) => Ok(()),
                    examined => examined,
                },
            }
        })
    }

    /// See [`crate::store::Store::checkpoint_wal`].
    pub fn checkpoint_wal(&self) -> Result<(), StoreError> {
        match self.wal_checkpoints {
            WalCheckpoints::Own => self.write("cannot checkpoint the WAL", |appender, watch| {
                // A damaged WAL must not be copied into the database.
                appender.examine(watch)?;
                appender.checkpoint_wal()?;
                appender.examine(watch)?;
                self.note_wal_checkpointed(appender.last().position, watch);
                Ok(())
            }),
            WalCheckpoints::External => Ok(()),
        }
    }

    /// See [`crate::store::Store::safe_without_wal`].
    pub fn safe_without_wal(&self) -> Position {
        self.safe_without_wal.load(Ordering::Relaxed)
    }

    /// See [`crate::store::Store::reopen`] and [`crate::store::Store::reopen_and_restore`].
    ///
    /// The readers stay open: they see only synced events, and on a full disk they could not be reopened,
    /// because the WAL's index is removed with the last connection.
    pub fn reopen(&self, recent: &RecentAppends) -> Result<Position, StoreError> {
        let mut writing = self.writing();
        if let Writing::Never = *writing {
            return Err(StoreError::ReadOnly("cannot open the log again"));
        }
        close(&mut writing, None);
        let Writing::Closed(known) = &mut *writing else { unreachable!("it was just closed") };
        self.files.check()?;
        if let Some(damage) = &mut known.damage {
            self.mend(damage, &known.watch, (known.base, known.last), recent)?;
        }
        connect::check_free_space(&self.path)?;
        let connection = connect::log_for_writing(&self.path, self.wal_checkpoints)?;
        refuse_other(&connection, &self.path, self.ledger_id)?;
        known.watch.trust()?;
        let mut appender = Appender::new(connection)?;
        let missing = missing(&self.path, appender.last(), (known.base, known.last), recent)?;
        for events in missing.chunks(AGAIN_EVENTS) {
            appender.append(events, &self.path_prefixes(), &mut known.watch)?;
        }
        let Writing::Closed(known) = std::mem::replace(&mut *writing, Writing::Never) else {
            unreachable!("it is still closed")
        };
        let last = appender.last();
        *writing = Writing::Open(Box::new(appender), known.watch);
        missing::report_appended_again(missing.len(), last.position);
        Ok(last.position)
    }

    /// Finds out whether a damaged log can be used again. It writes nothing to the log: SQLite's reading of a
    /// damaged WAL would overwrite what is left of it.
    fn mend(
        &self,
        damage: &mut Found,
        watch: &Watch,
        known: (Last, Last),
        recent: &RecentAppends,
    ) -> Result<(), StoreError> {
        let stats = watch.stats();
        if damage.in_database {
            // The program that is overwriting it may not have finished.
            std::thread::sleep(AT_REST);
            if watch.stats() != stats {
                return Err(StoreError::Busy);
            }
        }
        if let Some((at, error)) = &damage.given_up
            && Some(*at) == stats
        {
            return Err(again(error));
        }
        watch.forget_index()?;
        let examined = self.examine_file(damage.in_database, known, recent);
        damage.given_up = match (&examined, watch.stats()) {
            (Err(error), Some(stats)) if is_lasting(error) => Some((stats, again(error))),
            _ => None,
        };
        examined
    }

    fn examine_file(
        &self,
        in_database: bool,
        (base, last): (Last, Last),
        recent: &RecentAppends,
    ) -> Result<(), StoreError> {
        let connection = connect::for_reading(&self.path)?;
        let examine = || {
            refuse_other(&connection, &self.path, self.ledger_id)?;
            let found = read_last(&connection).map_err(engine("read the log"))?;
            if found.position >= last.position {
                let id = read_id(&connection, last.position).map_err(engine("read the log"))?;
                if id != last.id {
                    return Err(missing::lost(&self.path, found, last));
                }
            } else {
                missing(&self.path, found, (base, last), recent)?;
            }
            let damages = match in_database {
                true => check::everything(&connection)?,
                false => Vec::new(),
            };
            match damages.first() {
                None => Ok(()),
                Some(damage) => Err(self.damaged(format!("{damage:?}"))),
            }
        };
        examine().map_err(|error| match is_sqlite_damage(&error) {
            true => self.damaged(error.to_string()),
            false => error,
        })
    }

    fn damaged(&self, detail: String) -> StoreError {
        StoreError::DamagedLog { path: self.path.clone(), detail, in_database: true }
    }

    fn note_wal_checkpointed(&self, head: Position, watch: &Watch) {
        if watch.is_wal_checkpointed() {
            self.safe_without_wal.store(head, Ordering::Relaxed);
        }
    }

    /// Runs an operation on the connection for writing. An error closes the appender: the kernel may have marked pages clean that never reached
    /// the disk, and later commits must not build on them.
    pub fn write<T>(
        &self,
        act: &'static str,
        write: impl FnOnce(&mut Appender, &mut Watch) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writing = self.writing();
        let (appender, watch) = match &mut *writing {
            Writing::Open(appender, watch) => (appender, watch),
            Writing::Closed(_) => return Err(StoreError::NeedsReopen),
            Writing::Never => return Err(StoreError::ReadOnly(act)),
        };
        let outcome = write(appender, watch);
        match &outcome {
            Ok(_) | Err(StoreError::Busy | StoreError::OtherEnd { .. }) => {}
            Err(error) => close(&mut writing, is_damage(error)),
        }
        outcome
    }

    fn writing(&self) -> MutexGuard<'_, Writing> {
        // A panic in the middle of a transaction leaves it open; SQLite refuses the next BEGIN.
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the write connection and keeps its state.
fn close(writing: &mut Writing, in_database: Option<bool>) {
    if let Writing::Open(..) = writing {
        let Writing::Open(appender, watch) = std::mem::replace(writing, Writing::Never) else {
            unreachable!("it was just open")
        };
        let damage = in_database.map(|in_database| Found { in_database, given_up: None });
        let (last, base) = (appender.last(), appender.base());
        appender.close_as_it_is();
        *writing = Writing::Closed(Box::new(Known { last, base, damage, watch }));
    }
}

fn watched(
    path: &Path,
    connection: Connection,
    descriptor: &Arc<Descriptor>,
) -> Result<Writing, StoreError> {
    let appender = Appender::new(connection)?;
    let watch = Watch::new(path, Arc::clone(descriptor))?;
    Ok(Writing::Open(Box::new(appender), Box::new(watch)))
}
