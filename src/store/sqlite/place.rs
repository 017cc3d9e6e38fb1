//! Where a log lies: under which names, and on what kind of file system.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::store::StoreError;

/// The file that a link leads to, so that the lock, the views and SQLite's own files
/// are the same ones whichever name the log is opened by.
pub fn behind_link(path: &Path) -> Cow<'_, Path> {
    match path.is_symlink().then(|| path.canonicalize()) {
        Some(Ok(target)) => Cow::Owned(target),
        _ => Cow::Borrowed(path),
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
    use super::network_file_system;

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
