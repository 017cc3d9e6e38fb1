//! A file that gets its name once it is whole and on disk, and never takes another's.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;

use tempfile::TempPath;

/// A file in the making, for its owner alone; dropped, it is gone.
/// What a kill leaves of it says by its name that it is unfinished.
pub struct Unfinished {
    path: TempPath,
}

impl Unfinished {
    /// In the folder of the file that it is to become, so that a new name is all it takes.
    pub fn beside(finished: &Path) -> io::Result<Self> {
        let mut name = OsString::from(".");
        name.push(finished.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
        name.push(".unfinished-");
        let file = tempfile::Builder::new().prefix(&name).tempfile_in(folder_of(finished))?;
        Ok(Self { path: file.into_temp_path() })
    }

    /// Where it is for now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Syncs it and gives it its name, unless that has been taken meanwhile.
    pub fn finish(self, finished: &Path) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        self.path.persist_noclobber(finished).map_err(|error| error.error)?;
        File::open(folder_of(finished))?.sync_all()
    }
}

fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::Unfinished;

    #[test]
    fn a_name_that_was_taken_meanwhile_stays_with_who_took_it() {
        let folder = tempfile::tempdir().unwrap();
        let finished = folder.path().join("backup.db");
        let unfinished = Unfinished::beside(&finished).unwrap();
        std::fs::write(&finished, "another's").unwrap();

        assert!(unfinished.finish(&finished).is_err());

        assert_eq!(std::fs::read_to_string(&finished).unwrap(), "another's");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }
}
