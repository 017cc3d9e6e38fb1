//! Checks on the ledger's files and their folder.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Access as Wish;

use super::context::CheckContext;
use super::finding::Finding;
use crate::store::inspect::{self, Files};

/// The part of the name that marks an unfinished file.
const UNFINISHED: &str = ".unfinished-";

/// Checks that no other user can read or write the ledger.
pub fn permissions(context: &CheckContext) -> Vec<Finding> {
    let Some(Files { log, views, sidecars }) = context.files() else { return Vec::new() };
    let files = [log.clone(), views].into_iter().chain(sidecars);
    let open: Vec<_> = files.filter(|file| mode(file) & 0o077 != 0).collect();
    let folder = folder_of(&log);
    if mode(&folder) & 0o022 != 0 {
        return vec![Finding::warn(
            format!("other users can write to the folder {}", folder.display()),
            "they can delete the ledger's files: chmod 700, or move the ledger to a folder of its own",
        )];
    }
    vec![match &open[..] {
        [] => Finding::ok("only their owner can access the files"),
        open => Finding::warn(
            format!("other users can read or write {}", names_of(open)),
            "the files contain people's addresses: chmod 600",
        ),
    }]
}

/// Checks that this user has the access that `serve` needs.
pub fn access(context: &CheckContext) -> Vec<Finding> {
    let Some(Files { log, views, .. }) = context.files() else { return Vec::new() };
    let (both, folder) = (Wish::READ_OK | Wish::WRITE_OK, folder_of(&log));
    let files = [log.clone(), views].into_iter().filter(|file| file.exists());
    let wanted = files.map(|file| (file, both)).chain([(folder, both | Wish::EXEC_OK)]);
    let refused: Vec<_> = wanted
        .filter(|(path, wish)| rustix::fs::access(path, *wish).is_err())
        .map(|(path, _)| path)
        .collect();
    vec![match &refused[..] {
        [] => Finding::ok("this user can read and write the files"),
        refused => Finding::fail(
            format!("this user cannot read and write {}", names_of(refused)),
            format!(
                "run as the user that serve runs as; {} belongs to user {}",
                log.display(),
                log.metadata().map_or("unknown".to_owned(), |metadata| metadata.uid().to_string())
            ),
        ),
    }]
}

/// Checks that the ledger is on a local disk.
pub fn file_system(context: &CheckContext) -> Vec<Finding> {
    let files = context.database.as_ref().and_then(Files::of);
    files.map(|files| of_file_system(files.network_file_system())).into_iter().collect()
}

fn of_file_system(network: Option<&str>) -> Finding {
    match network {
        None => Finding::ok("local"),
        Some(name) if name.starts_with("FUSE") => Finding::warn(
            format!("the ledger is on {name}"),
            "if other machines share it, move the ledger to a local disk",
        ),
        Some(name) => Finding::fail(
            format!("the ledger is on {name}"),
            "SQLite's write-ahead log does not work across machines: move the ledger to a local disk",
        ),
    }
}

/// Checks that the log has no second name, such as a hard link.
pub fn names(context: &CheckContext) -> Vec<Finding> {
    let Some(files) = context.files() else { return Vec::new() };
    vec![match files.refuse_other_names() {
        Ok(()) => Finding::ok("the log has one name"),
        Err(error) => Finding::fail(
            error.to_string(),
            "remove the other name; serve does not start under either",
        ),
    }]
}

/// Checks for files that do not belong there: a WAL of another log, and unfinished copies.
pub fn leftovers(context: &CheckContext) -> Vec<Finding> {
    let Some(database) = &context.database else { return Vec::new() };
    let Some(files) = Files::of(database) else { return Vec::new() };
    if let Err(error) = files.refuse_orphaned_wal() {
        return vec![Finding::fail(error.to_string(), "serve does not start with it")];
    }
    // A writer would change both files during the comparison.
    let is_idle = matches!(inspect::is_held(database), Ok(false));
    if context.ledger().is_some()
        && is_idle
        && let Err(error) = files.refuse_foreign_wal()
    {
        return vec![Finding::fail(error.to_string(), "serve does not start with it")];
    }
    let folder = folder_of(&files.log);
    let unfinished = unfinished_in(&folder);
    vec![match &unfinished[..] {
        [] => Finding::ok("none"),
        unfinished => Finding::warn(
            format!("an interrupted copy left {}", names_of(unfinished)),
            "if no backup or export is running, delete it",
        ),
    }]
}

fn unfinished_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let unfinished =
        entries.filter(|entry| entry.file_name().to_string_lossy().contains(UNFINISHED));
    unfinished.map(|entry| entry.path()).collect()
}

/// The folder of a file.
pub fn folder_of(file: &Path) -> PathBuf {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

/// The permissions of a file; none if it does not exist.
fn mode(path: &Path) -> u32 {
    path.metadata().map_or(0, |metadata: Metadata| metadata.permissions().mode())
}

fn names_of(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::of_file_system;

    #[test]
    fn a_ledger_belongs_on_a_local_disk() {
        assert_eq!(of_file_system(None).outcome, Outcome::Ok);
        let fuse = of_file_system(Some("FUSE, which may be a network file system"));
        assert_eq!(fuse.outcome, Outcome::Warn);
        assert_eq!(of_file_system(Some("NFS")).outcome, Outcome::Fail);
    }
}
