//! `export tree`: the tree of the ledger as files that anybody can keep and check (C2SP tlog-tiles).

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::atomic_file::{AtomicFile, OnExisting};
use crate::cli::Outcome;
use crate::cli::common::text::number;
use crate::cli::common::{ledger, progress};
use crate::cli::seal::read_seal;
use crate::config::Settings;
use crate::domain::statement::Statement;
use crate::projection::verify::tree::root_at;
use crate::seal::stored::last_seal;
use crate::seal::tiles::{Tile, WIDTH_MAX};
use crate::store::Store;
use crate::telemetry::eprint_line;

/// The file with the last seal.
const CHECKPOINT: &str = "checkpoint";

/// Writes the tiles up to the last seal into a folder. Whole tiles that are there already never change, and are left
/// as they are. The seal is written last, so that the tiles it is about are there.
pub fn run(folder: &Path, settings: &Settings) -> Result<Outcome> {
    let store = ledger::up_to_date_by_views_rule(settings)?;
    let Some(seal) = last_seal(&*store)? else {
        bail!("nothing was sealed yet, and the tree is exported up to a seal; `seal` makes one");
    };
    let size = seal.statement.size;
    let is_of_this_log = has_seal_of(folder, &*store, &seal.statement)?;
    let bar = progress::over_events(size, "export");
    let mut written = 0;
    for tile in Tile::all(size) {
        let path = folder.join(tile.path());
        let is_there = tile.width == WIDTH_MAX && path.exists();
        if is_there && is_of_this_log {
            continue;
        }
        let Some(bytes) = tile.read(&*store)? else {
            bail!("the views lack a hash of {}; run `replay`", tile.path());
        };
        if is_there {
            let other = std::fs::read(&path).is_ok_and(|other| other != bytes);
            if other {
                bail!("{} is a tile of another tree; export into another folder", path.display());
            }
            continue;
        }
        write(&path, &bytes)?;
        written += 1;
        bar.set_position((tile.index * WIDTH_MAX).min(size));
    }
    bar.finish_and_clear();
    write(&folder.join(CHECKPOINT), seal.attested(&*store)?.note.to_string().as_bytes())?;
    eprint_line(format_args!(
        "{} has the tree of {} events, as sealed; {} files were written",
        folder.display(),
        number(size),
        number(written + 1)
    ));
    Ok(Outcome::Done)
}

/// Whether the folder has the tree of an earlier seal of this log, so that its whole tiles need not be read again;
/// false if it has no seal.
fn has_seal_of(folder: &Path, store: &dyn Store, sealed: &Statement) -> Result<bool> {
    let path = folder.join(CHECKPOINT);
    if !path.exists() {
        return Ok(false);
    }
    let (_, earlier) = read_seal(&path)?;
    let is_of_it = earlier.origin == sealed.origin
        && earlier.size <= sealed.size
        && root_at(store, earlier.size)? == earlier.root;
    match is_of_it {
        true => Ok(true),
        false => bail!(
            "{} is a seal of {} and of another history than this ledger's; export into another folder",
            path.display(),
            earlier.origin
        ),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
        let mut file = AtomicFile::create(path, OnExisting::Replace)?;
        file.write_all(bytes)?;
        file.finish()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
