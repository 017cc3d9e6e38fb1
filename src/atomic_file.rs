//! A file that appears under its name only when it is complete and on disk.
//!
//! It is written next to its destination under a temporary name, synced, and then renamed or linked.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

/// The maximum number of symbolic links that are followed: as many as Linux follows.
const LINKS_MAX: usize = 40;

/// An incomplete file, readable by its owner alone; it is removed if it is dropped unfinished.
///
/// The temporary name says that the file is unfinished, in case the process is killed.
pub struct AtomicFile {
    writer: BufWriter<File>,
    temporary: TempPath,
    path: PathBuf,
    on_existing: OnExisting,
}

/// What happens to an existing file of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnExisting {
    /// It is kept, even if it appears while the new one is written.
    Keep,
    /// It is replaced at once.
    Replace,
}

impl AtomicFile {
    /// Creates a file that will appear at this path, or at the target of a link at this path.
    ///
    /// Only regular files are replaced, so that a device or a pipe of that name is not lost.
    pub fn create(path: &Path, on_existing: OnExisting) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|existing| !existing.is_file()) {
            return Err(io::Error::other("it exists, and is not a regular file"));
        }
        let path = link_target(path)?;
        let mut prefix = OsString::from(".");
        prefix.push(path.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        prefix.push(".unfinished-");
        let file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder_of(&path))?;
        let (file, temporary) = file.into_parts();
        Ok(Self { writer: BufWriter::new(file), temporary, path, on_existing })
    }

    /// The temporary path, for writers that open the file themselves.
    pub fn temporary_path(&self) -> &Path {
        &self.temporary
    }

    /// Syncs the file and gives it its name. Fails with `AlreadyExists` if the name is taken and
    /// the existing file is to be kept.
    pub fn finish(mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        let named = match self.on_existing {
            OnExisting::Keep => self.temporary.persist_noclobber(&self.path),
            OnExisting::Replace => self.temporary.persist(&self.path),
        };
        named.map_err(|error| error.error)?;
        // The name is on disk once its folder is.
        File::open(folder_of(&self.path))?.sync_all()
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The target of a link, which need not exist yet; any other path is returned as it is.
fn link_target(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&path) {
            // An absolute one takes the place of the whole path.
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links, perhaps a loop"))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::AlreadyExists;
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::{AtomicFile, OnExisting};

    #[test]
    fn a_link_leads_to_the_file_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        symlink("file", &link).unwrap();

        let mut whole = AtomicFile::create(&link, OnExisting::Replace).unwrap();
        whole.write_all(b"after").unwrap();
        whole.finish().unwrap();

        assert_eq!(std::fs::read(&file).unwrap(), b"after");
        assert!(link.is_symlink());
    }

    /// A link that led nowhere was once replaced by the file.
    #[test]
    fn a_link_to_no_file_yet_leads_to_where_it_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("elsewhere/file"), folder.path().join("link"));
        std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
        symlink("elsewhere/link", &link).unwrap();
        symlink("file", folder.path().join("elsewhere/link")).unwrap();

        let mut whole = AtomicFile::create(&link, OnExisting::Keep).unwrap();
        whole.write_all(b"new").unwrap();
        whole.finish().unwrap();

        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert!(link.is_symlink());
    }

    #[test]
    fn links_in_a_circle_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("link", &link).unwrap();

        assert!(AtomicFile::create(&link, OnExisting::Replace).is_err());
        assert!(link.is_symlink());
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_kept_unless_it_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for (on_existing, kept) in [(OnExisting::Keep, true), (OnExisting::Replace, false)] {
            let _none = std::fs::remove_file(&file);
            let mut whole = AtomicFile::create(&file, on_existing).unwrap();
            whole.write_all(b"ours").unwrap();
            std::fs::write(&file, "theirs").unwrap();

            let finished = whole.finish();

            assert_eq!(finished.map_err(|e| e.kind()).err(), kept.then_some(AlreadyExists));
            assert_eq!(std::fs::read(&file).unwrap(), if kept { &b"theirs"[..] } else { b"ours" });
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no half file");
        }
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();

        assert!(AtomicFile::create(&socket, OnExisting::Replace).is_err());
        assert!(AtomicFile::create(folder.path(), OnExisting::Replace).is_err());

        assert!(std::fs::metadata(&socket).unwrap().file_type().is_socket());
    }
}
