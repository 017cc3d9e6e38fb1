//! Checks whether a bundle has every event of its message, by the entries of the whole log (C2SP tlog-tiles).

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::findings::{FindingKind, Findings};
use crate::domain::Position;
use crate::domain::statement::Statement;
use crate::domain::tree::{RightEdge, leaf_hash};
use crate::evidence::bundle::Bundle;
use crate::seal::tiles::{WIDTH_MAX, index_path};

/// The bytes at the end of an entry that are the hash of its message and that of its content.
const HASHES_BYTES: usize = 64;

/// Whether the bundle has every event of its message; `None`, with a finding, if the entries are not those that were
/// sealed.
pub fn check_complete(
    path: &Path,
    statement: &Statement,
    bundle: &Bundle,
    findings: &mut Findings,
) -> Option<bool> {
    let message = bundle.message_hash();
    let (mut tree, mut of_message) = (RightEdge::default(), Vec::new());
    let read = for_each_entry(path, statement.size, &mut |position, entry| {
        tree.push(leaf_hash(entry), |_, _| {});
        let hashes = entry.len().checked_sub(HASHES_BYTES).map(|at| &entry[at..]);
        if hashes.is_some_and(|hashes| hashes[..message.len()] == message) {
            of_message.push(position);
        }
    });
    if let Err(error) = read {
        findings.add(FindingKind::BadEntries, format!("{}: {error}", path.display()));
        return None;
    }
    if tree.root() != statement.root {
        let detail = "the entries do not have the root that was sealed";
        findings.add(FindingKind::BadEntries, detail);
        return None;
    }
    let has =
        |position: &Position| bundle.events.iter().any(|event| event.event.position == *position);
    let missing: Vec<_> = of_message.into_iter().filter(|position| !has(position)).collect();
    for position in &missing {
        let detail = "the log has an event of this message there, which the bundle lacks";
        findings.at(FindingKind::Incomplete, *position, detail);
    }
    Some(missing.is_empty())
}

/// Passes the first `size` entries to `each`: of a file, or of a folder of tiles.
fn for_each_entry(path: &Path, size: u64, each: &mut dyn FnMut(Position, &[u8])) -> io::Result<()> {
    let mut at = 0;
    if !path.is_dir() {
        read_entries(File::open(path)?, size, &mut at, each)?;
    }
    while path.is_dir() && at < size {
        let tile = tile_file(path, at / WIDTH_MAX)?;
        let end = size.min(at + WIDTH_MAX);
        read_entries(File::open(&tile)?, end, &mut at, each).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", tile.display()))
        })?;
        if at < end {
            return Err(ended(at, size));
        }
    }
    if at < size { Err(ended(at, size)) } else { Ok(()) }
}

fn ended(at: u64, size: u64) -> io::Error {
    io::Error::other(format!("there are entries up to position {at} of {size} that were sealed"))
}

/// The file of a tile: a complete one, or the widest incomplete one.
fn tile_file(folder: &Path, index: u64) -> io::Result<PathBuf> {
    let whole = folder.join("tile/entries").join(index_path(index));
    if whole.exists() {
        return Ok(whole);
    }
    let mut partial = whole.into_os_string();
    partial.push(".p");
    let mut widest = None;
    for file in std::fs::read_dir(&partial).map_err(|error| {
        io::Error::new(error.kind(), format!("{}: {error}", Path::new(&partial).display()))
    })? {
        let file = file?;
        let width = file.file_name().to_str().and_then(|name| name.parse::<u64>().ok());
        widest = widest.max(width.map(|width| (width, file.path())));
    }
    widest.map(|(_, path)| path).ok_or_else(|| io::Error::from(ErrorKind::NotFound))
}

/// Reads entries, each after two bytes with its length, up to a position or the end of the file.
fn read_entries(
    file: File,
    to: u64,
    at: &mut u64,
    each: &mut dyn FnMut(Position, &[u8]),
) -> io::Result<()> {
    let (mut file, mut entry) = (BufReader::new(file), Vec::new());
    while *at < to {
        let mut length = [0; 2];
        match file.read_exact(&mut length) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        entry.resize(u16::from_be_bytes(length).into(), 0);
        file.read_exact(&mut entry)?;
        *at += 1;
        each(*at, &entry);
    }
    Ok(())
}
