//! Detects changes to the log's files that bypass SQLite, such as a restore under a running server, after
//! which acknowledged callbacks could be lost.
//!
//! Around each commit a glance of a few microseconds compares what SQLite keeps consistent: the WAL's length,
//! header, last frame and index, and the times of both files. If anything is unexpected, the whole WAL is
//! read and compared with its checksums and its index.

use std::fs::File;
use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use crate::store::StoreError;
use crate::store::sqlite::files::descriptor::Descriptor;
use crate::store::sqlite::files::paths::sidecar;
use crate::store::sqlite::files::wal_format::{
    Checksum, FRAME_HEADER_BYTES, INDEX_HEAD_BYTES, INDEX_HEADER_BYTES, IndexHead,
    WAL_HEADER_BYTES, header_checksum, is_indexed, read_frames, word,
};

/// How often the whole WAL is read although nothing is suspicious: 4 MB take some 4 ms, so this is a
/// thousandth of a core. It bounds how long a change can hide behind a commit of ours that was
/// writing at the same moment, on a system that neither reports who opens files nor has times
/// finer than a tick.
const WHOLE_EVERY: Duration = Duration::from_secs(4);

/// The smallest index there is: one block.
const INDEX_BYTES_MIN: u64 = 32 << 10;

/// Room for a few notifications; the others are read next time.
const NOTICES_BYTES: usize = 1024;

/// An inconsistency, and whether it concerns only the WAL and its index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub detail: String,
    /// The database itself may have been changed, so that its pages have to be checked.
    pub in_database: bool,
}

/// Watches the files of one log that this process writes to.
pub struct Watch {
    log: PathBuf,
    database: Arc<Descriptor>,
    index: Arc<Descriptor>,
    wal: File,
    /// Reports that another process had one of the files open for writing; `None` if the system has no such
    /// reports.
    notices: Option<OwnedFd>,
    /// Whether that has happened since the whole WAL was last read.
    opened: bool,
    seen: Glance,
    /// The last frame up to which the WAL was found intact.
    whole: Option<(Vec<u8>, u32, Checksum)>,
    whole_at: Instant,
}

/// The state of the files that a glance reads.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Glance {
    database: Stat,
    index: IndexHead,
    wal: Stat,
    header: [u8; WAL_HEADER_BYTES],
    last_frame: [u8; FRAME_HEADER_BYTES],
}

/// Length and time of the last change.
type Stat = (u64, i64, i64);

impl Watch {
    /// Watches a log that is open for writing and whose files are intact.
    pub fn new(log: &Path, database: Arc<Descriptor>) -> Result<Self, StoreError> {
        let (wal_path, index_path) = (sidecar(log, "-wal"), sidecar(log, "-shm"));
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| StoreError::File { act: "look at", path, cause }
        };
        let index = Descriptor::open(&index_path).map_err(failed(&index_path))?;
        let wal = File::open(&wal_path).map_err(failed(&wal_path))?;
        let seen = Glance::at(&database, &index, &wal).map_err(failed(log))?;
        Ok(Self {
            notices: notices([log, &wal_path, &index_path]),
            log: log.to_owned(),
            database,
            index,
            wal,
            opened: false,
            seen,
            whole: None,
            whole_at: Instant::now(),
        })
    }

    /// A glance while idle, without SQLite's lock; false if anything has changed. That may be another process
    /// that writes: [`examine`](Self::examine) tells.
    pub fn glance(&mut self) -> bool {
        self.is_undisturbed() && self.read_glance().is_ok_and(|now| now == self.seen)
    }

    /// The same right after a commit of ours, whose last frame must be in the WAL.
    pub fn glance_after_commit(&mut self) -> bool {
        let now = match self.is_undisturbed() {
            true => self.read_glance(),
            false => return false,
        };
        let Some(now) = now.ok().filter(|now| self.may_follow(now) && now.fault().is_none()) else {
            return false;
        };
        let Glance { index, .. } = &now;
        self.whole = Some((index.salts().to_vec(), index.last_frame(), index.frame_checksum()));
        self.seen = now;
        true
    }

    fn is_undisturbed(&mut self) -> bool {
        self.read_notices();
        self.database.damage().is_none() && !self.opened
    }

    /// Whether the files are as SQLite has made them. The caller holds SQLite's write lock, so that no
    /// other process is writing.
    pub fn examine(&mut self) -> Result<(), StoreError> {
        self.find_damage().map_err(|damage| self.damaged(damage))
    }

    /// The error that callers get.
    pub fn damaged(&self, Damage { detail, in_database }: Damage) -> StoreError {
        StoreError::DamagedLog { path: self.log.clone(), detail, in_database }
    }

    fn find_damage(&mut self) -> Result<(), Damage> {
        if let Some(detail) = self.database.damage() {
            return Err(Damage { detail, in_database: true });
        }
        self.read_notices();
        let now = self.read_glance()?;
        if let Some(detail) = now.fault() {
            return Err(self.in_wal(&detail));
        }
        if !self.may_follow(&now) {
            let detail = "it was written to, and by no WAL checkpoint".to_owned();
            return Err(Damage { detail, in_database: true });
        }
        let has_more = now.index.header() != self.seen.index.header();
        let is_due = self.opened || self.whole_at.elapsed() > WHOLE_EVERY;
        // Written to without a commit: not by SQLite, or by a process that did not finish.
        let is_odd = !has_more && now.wal != self.seen.wal;
        if is_due || is_odd || has_more {
            self.read_wal(&now, is_due || is_odd)?;
        }
        self.seen = now;
        Ok(())
    }

    /// Accepts the current state of the files as the expected one.
    pub fn trust(&mut self) -> Result<(), StoreError> {
        self.read_notices();
        self.opened = false;
        self.database.clear_damage();
        self.seen = self.read_glance().map_err(|damage| self.damaged(damage))?;
        self.whole = None;
        Ok(())
    }

    /// Whether everything in the WAL is in the database too.
    pub fn is_wal_checkpointed(&self) -> bool {
        self.seen.index.safe_without_wal() == self.seen.index.last_frame()
    }

    /// Lengths and times of both files, which change if somebody repairs them.
    pub fn stats(&self) -> Option<(u64, i64, i64, u64, i64, i64)> {
        let (a, b, c) = stat(self.database.file()).ok()?;
        let (d, e, f) = stat(&self.wal).ok()?;
        Some((a, b, c, d, e, f))
    }

    /// Invalidates the WAL's index, so that SQLite rebuilds it from the WAL, whose frames have checksums. A
    /// truncated index gets its length back first, because SQLite has it mapped.
    pub fn forget_index(&self) -> Result<(), StoreError> {
        let file = self.index.file();
        let forget = || {
            if file.metadata()?.len() < INDEX_BYTES_MIN {
                file.set_len(INDEX_BYTES_MIN)?;
            }
            file.write_all_at(&[0; 2 * INDEX_HEADER_BYTES], 0)
        };
        let path = sidecar(&self.log, "-shm");
        forget().map_err(|cause| StoreError::File { act: "reset", path, cause })
    }

    fn read_wal(&mut self, now: &Glance, from_start: bool) -> Result<(), Damage> {
        let index = &now.index;
        let known = self.whole.take().filter(|(salts, frame, _)| {
            !from_start && salts == index.salts() && *frame <= index.last_frame()
        });
        let (after, sum) = match known {
            Some((_, frame, sum)) => (frame, sum),
            None => (0, header_checksum(&now.header)),
        };
        let unreadable = |cause: std::io::Error| self.in_wal(&format!("cannot be read: {cause}"));
        if index.last_frame() > 0 {
            let pages = read_frames(&self.wal, &now.header, index, (after, sum))
                .map_err(unreadable)?
                .map_err(|frame| self.in_wal(&format!("frame {frame} has another content")))?;
            if !is_indexed(self.index.file(), after, &pages).map_err(unreadable)? {
                return Err(self.in_wal("its index (-shm) does not lead to its pages"));
            }
        }
        // An empty WAL has no checksum to go on from: the index still has that of the frames before.
        self.whole = (index.last_frame() > 0)
            .then(|| (index.salts().to_vec(), index.last_frame(), index.frame_checksum()));
        if from_start {
            (self.opened, self.whole_at) = (false, Instant::now());
        }
        Ok(())
    }

    /// Whether the database is as it was, or a WAL checkpoint may have written to it since.
    fn may_follow(&self, now: &Glance) -> bool {
        let (before, after) = (&self.seen.index, &now.index);
        let is_at_work = |index: &IndexHead| index.safe_without_wal() < index.attempted();
        now.database == self.seen.database
            || before.salts() != after.salts()
            || before.attempted() != after.attempted()
            || before.safe_without_wal() != after.safe_without_wal()
            || is_at_work(before)
            || is_at_work(after)
    }

    fn read_glance(&self) -> Result<Glance, Damage> {
        Glance::at(&self.database, &self.index, &self.wal).map_err(|cause| match cause.kind() {
            ErrorKind::UnexpectedEof => self.in_wal("it or its index (-shm) was cut off"),
            _ => self.in_wal(&format!("cannot be read: {cause}")),
        })
    }

    fn read_notices(&mut self) {
        let Some(notices) = &self.notices else { return };
        let mut buffer = [MaybeUninit::uninit(); NOTICES_BYTES];
        let read = rustix::io::read(notices, &mut buffer[..]);
        self.opened |= read.is_ok_and(|(notices, _)| !notices.is_empty());
    }

    fn in_wal(&self, detail: &str) -> Damage {
        let detail = format!("its write-ahead log: {detail}");
        Damage { detail, in_database: false }
    }
}

impl Glance {
    fn at(database: &Descriptor, index: &Descriptor, wal: &File) -> std::io::Result<Self> {
        // The database comes first: a checkpoint says in the index that it begins before it writes.
        let database = stat(database.file())?;
        let mut head = [0; INDEX_HEAD_BYTES];
        index.file().read_exact_at(&mut head, 0)?;
        let index = IndexHead(head);
        let (mut header, mut last_frame) = ([0; _], [0; _]);
        if index.last_frame() > 0 {
            wal.read_exact_at(&mut header, 0)?;
            wal.read_exact_at(&mut last_frame, index.offset_of(index.last_frame()))?;
        }
        Ok(Self { database, index, wal: stat(wal)?, header, last_frame })
    }

    /// What is inconsistent, whichever process wrote last.
    fn fault(&self) -> Option<String> {
        let Self { index, header, last_frame, .. } = self;
        if !index.is_sound() {
            return Some("its index (-shm) is damaged".to_owned());
        }
        let frames = index.last_frame();
        if frames == 0 {
            return None;
        }
        let (bytes, due) = (self.wal.0, index.offset_of(frames + 1));
        if bytes < due {
            return Some(format!("it has {bytes} bytes and should have {due}"));
        }
        if header[16..24] != *index.salts()
            || header_checksum(header) != [word(header, 24), word(header, 28)]
        {
            return Some("its header is not the one that was written".to_owned());
        }
        let is_last = last_frame[8..16] == *index.salts()
            && [word(last_frame, 16), word(last_frame, 20)] == index.frame_checksum()
            && word(last_frame, 4) == index.pages();
        (!is_last).then(|| format!("frame {frames}, the last, is not the one that was written"))
    }
}

fn stat(file: &File) -> std::io::Result<Stat> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

/// Reports of processes that close one of these files after having it open for writing.
fn notices(files: [&Path; 3]) -> Option<OwnedFd> {
    let notices = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
    for file in files {
        inotify::add_watch(&notices, file, WatchFlags::CLOSE_WRITE).ok()?;
    }
    Some(notices)
}
