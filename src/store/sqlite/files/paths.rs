//! Where a log lies: under which names, and on what kind of file system.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;
use crate::store::sqlite::files::inspect::engine_of;

/// How many links may lead to one another; the kernel follows as many.
const LINKS_MAX: usize = 40;

/// The file that a link leads to, so that the lock, the views and SQLite's own files
/// are the same ones whichever name the log is opened by. The file need not be there yet.
pub fn behind_link(path: &Path) -> Cow<'_, Path> {
    if !path.is_symlink() {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.canonicalize().unwrap_or_else(|_not_there| followed(path)))
}

/// Where links lead, one after the other. In a circle, some link of it: whoever opens it is told.
fn followed(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = at.read_link() else { break };
        // What a link says is meant from the folder it lies in, not from the one we are in.
        at = at.parent().unwrap_or(Path::new("")).join(target);
    }
    at
}

/// A file next to the log that is named after it.
pub fn sibling(log: &Path, what: &str) -> PathBuf {
    match log.extension() {
        Some(extension) => {
            let mut name = OsString::from(format!("{what}."));
            name.push(extension);
            log.with_extension(name)
        }
        None => log.with_extension(what),
    }
}

/// Refuses a folder in the place of the log's file, and a file in the place of its folder.
pub fn refuse_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::IsFolder { path: path.to_owned() });
    }
    match path.ancestors().skip(1).find(|above| above.is_file()) {
        Some(file) => Err(StoreError::InFile { path: path.to_owned(), file: file.to_owned() }),
        None => Ok(()),
    }
}

/// Refuses a file that has another name: under it there would be another lock and another WAL.
pub fn refuse_other_names(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(metadata) if metadata.nlink() > 1 => {
            Err(StoreError::OtherName { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The same before a read. A backup may have many names, as tools that keep snapshots give it: only
/// what was opened as a ledger since can have a WAL under another one.
pub fn refuse_other_names_in_use(path: &Path) -> Result<(), StoreError> {
    let Err(refused) = refuse_other_names(path) else { return Ok(()) };
    match engine_of(path) {
        Ok(engine) if engine.journal_mode != "wal" => Ok(()),
        _ => Err(refused),
    }
}

/// How many bytes we may still write beside a file.
pub fn disk_free(path: &Path) -> Result<u64, StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let found = rustix::fs::statvfs(folder).map_err(|cause| StoreError::File {
        act: "ask for the free space of",
        path: folder.to_owned(),
        cause: cause.into(),
    })?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Warns of a file system whose locks and shared memory do not reach across machines.
pub fn warn_of_network(path: &Path) {
    if let Some(name) = network_of(path) {
        tracing::warn!(
            path = %path.display(),
            "the ledger lies on {name}: SQLite's write-ahead log does not work across machines, and \
             what is synced may not be on a disk; keep the ledger on a local disk, and its backups there"
        );
    }
}

/// What kind of file system a file, or else its folder, lies on, where other machines may share it.
pub fn network_of(path: &Path) -> Option<&'static str> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let found =
        rustix::fs::statfs(path).or_else(|_| rustix::fs::statfs(folder.unwrap_or(Path::new("."))));
    network_file_system(found.ok()?.f_type as u64)
}

/// File systems that other machines may share, by the number that `statfs` gives them
/// (statfs(2), linux/magic.h).
fn network_file_system(kind: u64) -> Option<&'static str> {
    match kind & 0xffff_ffff {
        0x6969 => Some("NFS"),
        0x517b => Some("SMB"),
        0xff53_4d42 => Some("CIFS"),
        0xfe53_4d42 => Some("SMB2"),
        0x5346_414f | 0x6b41_4653 => Some("AFS"),
        0x7375_7245 => Some("Coda"),
        0x00c3_6400 => Some("Ceph"),
        0x0102_1997 => Some("9P, as shared folders of virtual machines are"),
        0x0bd0_0bd0 => Some("Lustre"),
        0x0116_1970 => Some("GFS2"),
        0x7461_636f => Some("OCFS2"),
        0x6573_5546 => Some("FUSE, which may be a network file system"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::{behind_link, network_file_system};

    #[test]
    fn links_are_followed_also_to_a_file_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("aside")).unwrap();
        symlink("aside/second.db", at("first.db")).unwrap();
        symlink("ledger.db", at("aside/second.db")).unwrap();
        assert_eq!(behind_link(&at("first.db")), at("aside/ledger.db"));
        assert_eq!(behind_link(&at("ledger.db")), at("ledger.db"));
        std::fs::write(at("aside/ledger.db"), "").unwrap();
        let there = at("aside/ledger.db").canonicalize().unwrap();
        assert_eq!(behind_link(&at("first.db")), there);

        symlink("circle.db", at("circle.db")).unwrap();
        assert_eq!(behind_link(&at("circle.db")), at("circle.db"));
    }

    #[test]
    fn network_file_systems_are_known_by_their_number_and_local_ones_are_not_among_them() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        // Some machines give the number with its sign extended.
        assert_eq!(network_file_system(0xffff_ffff_ff53_4d42), Some("CIFS"));
        let local = [
            ("ext4", 0xef53),
            ("XFS", 0x5846_5342),
            ("btrfs", 0x9123_683e),
            ("tmpfs", 0x0102_1994),
        ];
        let local = local.into_iter().chain([("overlay", 0x794c_7630), ("ZFS", 0x2fc1_2fc1)]);
        for (name, number) in local {
            assert_eq!(network_file_system(number), None, "{name}");
        }
    }
}
