//! A file that appears under its name only once it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How many links are followed one after the other: as many as Linux does.
const LINKS_MAX: usize = 40;

/// A file in the making, beside the place it is meant for; dropped unfinished, it is gone.
/// It is readable by its owner alone, since exports hold addresses of persons.
pub struct WholeFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
    if_there: IfThere,
}

/// What becomes of a file that has the name already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfThere {
    /// It stays, also where it appears while the new one is written.
    Keep,
    Replace,
}

impl WholeFile {
    /// Begins a file that is to appear at this path, or where a link at this path leads.
    ///
    /// Nothing but a file is replaced: a device or a pipe of that name would be gone.
    pub fn create(path: &Path, if_there: IfThere) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("there is something that is no file"));
        }
        let path = leads_to(path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Self { writer: BufWriter::new(file), path, if_there })
    }

    /// Puts the file, complete and on disk, under its name; `AlreadyExists` where one has the name
    /// and is kept.
    pub fn finish(self) -> io::Result<()> {
        let file = self.writer.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        let named = match self.if_there {
            IfThere::Keep => file.persist_noclobber(&self.path),
            IfThere::Replace => file.persist(&self.path),
        };
        named.map_err(|error| error.error)?;
        // The name is on disk once its folder is.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Where a link leads, also where nothing is there yet; any other path is its own.
fn leads_to(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match std::fs::read_link(&path) {
            // An absolute one takes the place of the whole path.
            Ok(link) => path = path.parent().unwrap_or(Path::new("")).join(link),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind::AlreadyExists;
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::{IfThere, WholeFile};

    #[test]
    fn a_link_leads_to_the_file_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        symlink("file", &link).unwrap();

        let mut whole = WholeFile::create(&link, IfThere::Replace).unwrap();
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

        let mut whole = WholeFile::create(&link, IfThere::Keep).unwrap();
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

        assert!(WholeFile::create(&link, IfThere::Replace).is_err());
        assert!(link.is_symlink());
    }

    #[test]
    fn a_file_that_appears_meanwhile_is_kept_unless_it_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for (if_there, kept) in [(IfThere::Keep, true), (IfThere::Replace, false)] {
            let _none = std::fs::remove_file(&file);
            let mut whole = WholeFile::create(&file, if_there).unwrap();
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

        assert!(WholeFile::create(&socket, IfThere::Replace).is_err());
        assert!(WholeFile::create(folder.path(), IfThere::Replace).is_err());

        assert!(std::fs::metadata(&socket).unwrap().file_type().is_socket());
    }
}
