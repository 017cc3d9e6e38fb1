//! The symbolic link to the views in use, and the files that it may lead to.
//!
//! Each set of views, a generation, is a SQLite file of its own, `ledger.views.<generation>.db`.
//! `ledger.views.db` is a link to the one in use, and is replaced atomically. In the ledger of an older
//! version a plain file has that name: it is simply the first generation.

use std::ffi::OsStr;
use std::fs::{read_dir, read_link, remove_file, rename};
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::store::StoreError;
use crate::store::sqlite::files::connect;
use crate::store::sqlite::files::lock::Lock;
use crate::store::sqlite::files::paths::{sibling, sidecar};
use crate::store::sqlite::place;

/// A database and what SQLite may keep next to it.
const FILES_OF_A_DATABASE: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// The length of a generation in a file's name: a UUID without hyphens.
const GENERATION_LENGTH: usize = 32;

/// The link to the views of one log.
#[derive(Debug, Clone)]
pub struct ViewsLink {
    log: PathBuf,
    path: PathBuf,
}

impl ViewsLink {
    /// `ledger.db` has its views behind `ledger.views.db`.
    pub fn of_log(log: &Path) -> Self {
        Self { log: log.to_owned(), path: sibling(log, "views") }
    }

    /// The link itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that it leads to, or itself if it is a plain file. That file need not exist.
    pub fn file(&self) -> PathBuf {
        match read_link(&self.path) {
            Ok(target) => connect::folder_of(&self.path).join(target),
            Err(_) => self.path.clone(),
        }
    }

    /// The file of a new generation, which does not exist yet.
    pub fn new_file(&self) -> PathBuf {
        sibling(&self.log, &format!("views.{}", Uuid::now_v7().simple()))
    }

    /// The right to replace the link and to remove generations that are not in use.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        Lock::soon(&self.path)?.ok_or_else(|| StoreError::Replaying { place: place(&self.path) })
    }

    /// The same; `None` if another process has it.
    pub fn try_lock(&self) -> Result<Option<Lock>, StoreError> {
        Lock::at_once(&self.path)
    }

    /// Puts a file in use, which must be on disk with its name.
    pub fn point_to(&self, file: &Path) -> Result<(), StoreError> {
        let next = self.next();
        remove(&next)?;
        let failed = |cause| StoreError::File { act: "replace", path: self.path.clone(), cause };
        symlink(file.file_name().unwrap_or_default(), &next).map_err(failed)?;
        rename(&next, &self.path).map_err(failed)?;
        connect::sync_folder_of(&self.path)
    }

    /// Removes the views in use, whatever they are. The caller has the lock.
    pub fn remove_views(&self) -> Result<(), StoreError> {
        let file = self.file();
        remove(&self.path)?;
        remove_database(&file)?;
        // SQLite would read an old WAL into new views of the same name.
        connect::sync_folder_of(&self.path)
    }

    /// Removes what an interrupted replay left: generations that the link does not lead to. The caller
    /// has the lock. They do no harm, so a failure is only logged.
    pub fn remove_leftovers(&self) {
        if let Err(error) = self.try_to_remove_leftovers() {
            tracing::warn!(%error, "what an interrupted replay left cannot be removed");
        }
    }

    /// The same, for callers to whom a failure matters.
    pub fn try_to_remove_leftovers(&self) -> Result<(), StoreError> {
        remove(&self.next())?;
        let in_use = self.file();
        if in_use != self.path {
            remove_database_but_its_file(&self.path)?;
        }
        let folder = connect::folder_of(&self.path);
        let failed = |cause| StoreError::File { act: "list", path: folder.clone(), cause };
        for entry in read_dir(&folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let is_in_use =
                |database: &[u8]| in_use.file_name().map(OsStr::as_encoded_bytes) == Some(database);
            if self.generation(&name).is_some_and(|database| !is_in_use(database)) {
                remove(&folder.join(name))?;
            }
        }
        Ok(())
    }

    /// The database that a name belongs to, if it is one of ours: a generation, or a file that SQLite
    /// keeps next to one.
    fn generation<'n>(&self, name: &'n OsStr) -> Option<&'n [u8]> {
        let name = name.as_encoded_bytes();
        let rest = name.strip_prefix(self.log.file_stem()?.as_encoded_bytes())?;
        let (generation, rest) =
            rest.strip_prefix(b".views.")?.split_at_checked(GENERATION_LENGTH)?;
        let suffix = match self.log.extension() {
            Some(extension) => {
                rest.strip_prefix(b".")?.strip_prefix(extension.as_encoded_bytes())?
            }
            None => rest,
        };
        let is_ours = generation.iter().all(u8::is_ascii_hexdigit)
            && FILES_OF_A_DATABASE.iter().any(|known| known.as_bytes() == suffix);
        is_ours.then(|| &name[..name.len() - suffix.len()])
    }

    /// The link that is about to be renamed to [`ViewsLink::path`].
    fn next(&self) -> PathBuf {
        sidecar(&self.path, ".next")
    }
}

/// Removes a generation that is not in use any more. If the link has taken its name, only the files
/// next to it are left.
pub fn remove_replaced(file: &Path, link: &ViewsLink) -> Result<(), StoreError> {
    match file == link.path() {
        true => remove_database_but_its_file(file),
        false => remove_database(file),
    }
}

/// Removes a database with the files that SQLite keeps next to it.
pub fn remove_database(file: &Path) -> Result<(), StoreError> {
    FILES_OF_A_DATABASE.iter().try_for_each(|suffix| remove(&sidecar(file, suffix)))
}

fn remove_database_but_its_file(file: &Path) -> Result<(), StoreError> {
    FILES_OF_A_DATABASE[1..].iter().try_for_each(|suffix| remove(&sidecar(file, suffix)))
}

fn remove(file: &Path) -> Result<(), StoreError> {
    match remove_file(file) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            Err(StoreError::File { act: "remove", path: file.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::path::Path;

    use super::ViewsLink;

    #[test]
    fn generations_are_told_from_all_other_files() {
        for log in ["ledger.db", "my-ledger.of.2026.sqlite", "ledger"] {
            let link = ViewsLink::of_log(Path::new(log));
            let file = link.new_file();
            let name = file.to_str().unwrap();
            for suffix in ["", "-wal", "-shm", "-journal"] {
                let found = format!("{name}{suffix}");
                assert_eq!(link.generation(OsStr::new(&found)), Some(name.as_bytes()), "{found}");
            }
            let short = name.replacen("views.0", "views.", 1);
            let no_hex = name.replacen("views.0", "views.x", 1);
            let others = [log, link.path().to_str().unwrap(), &short, &no_hex, "ledger.db-wal"];
            let others = others.map(str::to_owned).into_iter();
            for other in others.chain([format!("{name}.lock"), format!("a{name}")]) {
                assert_eq!(link.generation(OsStr::new(&other)), None, "{other}");
            }
        }
    }
}
