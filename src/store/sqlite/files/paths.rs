//! Paths of a ledger: links, sidecar files, other names, and the file system they are on.

use std::borrow::Cow;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::store::StoreError;

/// Suffixes of the files that SQLite keeps next to a database and reads into whatever has its name.
/// Readers leave empty ones, which hold nothing.
const SIDECARS: [&str; 2] = ["-wal", "-journal"];

/// Maximum links in a chain, as in the kernel.
const LINKS_MAX: usize = 40;

/// Follows links, so that the lock, the views and SQLite's files are the same whichever name the log is opened
/// by. The file need not exist.
pub fn behind_link(path: &Path) -> Cow<'_, Path> {
    if !path.is_symlink() {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.canonicalize().unwrap_or_else(|_not_there| followed(path)))
}

/// Follows links one by one. A cycle yields one of its links; opening that will fail.
fn followed(path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = at.read_link() else { break };
        // A link's target is relative to the folder of the link.
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

/// Fails if the log's path is a folder, or a parent of it is a file.
pub fn refuse_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Err(StoreError::IsFolder { path: path.to_owned() });
    }
    match path.ancestors().skip(1).find(|above| above.is_file()) {
        Some(file) => Err(StoreError::InFile { path: path.to_owned(), file: file.to_owned() }),
        None => Ok(()),
    }
}

/// Fails if the file has another name, which would have a lock and a WAL of its own.
pub fn refuse_other_names(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(metadata) if metadata.nlink() > 1 => {
            Err(StoreError::OtherName { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The path of a file next to a database, named after it with a suffix such as `-wal`.
pub fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Refuses the path of a new database if a file, or a sidecar of an earlier database, exists there.
pub fn refuse_taken(path: &Path) -> Result<(), StoreError> {
    if path.symlink_metadata().is_ok() {
        return Err(StoreError::AlreadyExists { path: path.to_owned() });
    }
    match SIDECARS.map(|suffix| sidecar(path, suffix)).into_iter().find(|file| bytes_in(file) > 0) {
        Some(path) => Err(StoreError::Leftover { path }),
        None => Ok(()),
    }
}

/// Refuses a missing or empty log next to a write-ahead log, which SQLite would delete.
pub fn refuse_orphaned_wal(path: &Path) -> Result<(), StoreError> {
    let wal = sidecar(path, "-wal");
    match bytes_in(path) == 0 && bytes_in(&wal) > 0 {
        true => Err(StoreError::Leftover { path: wal }),
        false => Ok(()),
    }
}

/// Whether the creation of a database was killed at its first step, the switch to WAL mode. That leaves
/// a journal which only a writer can roll back; later there never is a journal.
pub fn is_half_made(path: &Path) -> bool {
    bytes_in(&sidecar(path, "-journal")) > 0
}

pub fn bytes_in(file: &Path) -> u64 {
    file.metadata().map_or(0, |metadata| metadata.len())
}

/// The free space on the disk of a file, in bytes.
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

/// Logs a warning if the ledger is on a network file system, across which locks do not work.
pub fn warn_of_network(path: &Path) {
    if let Some(name) = network_of(path) {
        tracing::warn!(
            path = %path.display(),
            "the ledger is on {name}: SQLite's write-ahead log does not work across machines, and \
             what is synced may not be on a disk; keep the ledger on a local disk, and its backups there"
        );
    }
}

/// The network file system that a file, or otherwise its folder, is on; `None` if it is on a local one.
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
