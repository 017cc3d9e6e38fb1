//! The file of access records, or stdout. A file that was renamed or deleted, as log rotation does, is
//! replaced by a new one at the next record.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Destination;

/// The disk space that is left free: the ledger is usually on the same disk, and its callbacks matter more.
const DISK_FREE_BYTES_MIN: u64 = 64 << 20;

/// An open destination.
pub enum Output {
    Stdout,
    File {
        path: PathBuf,
        file: File,
        /// Whether the last write ended in the middle of a line.
        torn: bool,
    },
}

impl Output {
    /// Opens it, creating the file if it does not exist.
    pub fn open(destination: Destination) -> io::Result<Self> {
        Ok(match destination {
            Destination::Stdout => Output::Stdout,
            Destination::File(path) => {
                let file = open(&path)?;
                Output::File { path, file, torn: false }
            }
        })
    }

    /// Appends whole lines.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Output::File { path, file, torn } => {
                if !leads_to(path, file) {
                    (*file, *torn) = (open(path)?, false);
                }
                refuse_full_disk(file)?;
                if *torn {
                    file.write_all(b"\n")?;
                }
                // Until it has succeeded, a part of it may be in the file.
                *torn = true;
                file.write_all(lines)?;
                *torn = false;
                Ok(())
            }
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Stdout => f.write_str("stdout"),
            Output::File { path, .. } => write!(f, "{}", path.display()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

/// Whether the path still leads to the open file.
fn leads_to(path: &Path, file: &File) -> bool {
    match (path.metadata(), file.metadata()) {
        (Ok(named), Ok(opened)) => (named.dev(), named.ino()) == (opened.dev(), opened.ino()),
        _ => false,
    }
}

fn refuse_full_disk(file: &File) -> io::Result<()> {
    // A pipe or a device takes no space.
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    let found = rustix::fs::fstatvfs(file)?;
    match found.f_bavail.saturating_mul(found.f_frsize) < DISK_FREE_BYTES_MIN {
        true => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("less than {} MiB of the disk are free", DISK_FREE_BYTES_MIN >> 20),
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{Destination, Output};

    #[test]
    fn a_file_that_was_renamed_or_deleted_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("access"), folder.path().join("access.1"));
        let mut output = Output::open(Destination::File(path.clone())).unwrap();
        output.append(b"1\n").unwrap();
        std::fs::rename(&path, &aside).unwrap();

        output.append(b"2\n").unwrap();
        output.append(b"3\n").unwrap();

        assert_eq!(std::fs::read(&aside).unwrap(), b"1\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"2\n3\n");
        std::fs::remove_file(&path).unwrap();
        output.append(b"4\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"4\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_was_emptied_is_continued_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access");
        std::fs::write(&path, "0\n").unwrap();
        let mut output = Output::open(Destination::File(path.clone())).unwrap();
        output.append(b"1\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"0\n1\n");
        std::fs::write(&path, "").unwrap();
        output.append(b"2\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2\n");
    }
}
