//! A file that appears under its name only once it is whole.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file in the making, beside the place it is meant for; dropped unfinished, it is gone.
/// It is readable by its owner alone, since exports hold addresses of persons.
pub struct WholeFile {
    writer: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl WholeFile {
    /// Begins a file that is to appear at this path, or where a link at this path leads.
    ///
    /// Nothing but a file is replaced: a device or a pipe of that name would be gone.
    pub fn create(path: &Path) -> io::Result<Self> {
        if std::fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other("there is something that is no file"));
        }
        let path = &path.canonicalize().unwrap_or(path.to_owned());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Self { writer: BufWriter::new(file), path: path.to_owned() })
    }

    /// Puts the file, complete and on disk, under its name.
    pub fn finish(self) -> io::Result<()> {
        let file = self.writer.into_inner().map_err(|error| error.into_error())?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{FileTypeExt, symlink};
    use std::os::unix::net::UnixListener;

    use super::WholeFile;

    #[test]
    fn a_link_leads_to_the_file_that_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        symlink("file", &link).unwrap();

        let mut whole = WholeFile::create(&link).unwrap();
        whole.write_all(b"after").unwrap();
        whole.finish().unwrap();

        assert_eq!(std::fs::read(&file).unwrap(), b"after");
        assert!(link.is_symlink());
    }

    #[test]
    fn what_is_no_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();

        assert!(WholeFile::create(&socket).is_err());
        assert!(WholeFile::create(folder.path()).is_err());

        assert!(std::fs::metadata(&socket).unwrap().file_type().is_socket());
    }
}
