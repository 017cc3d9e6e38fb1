//! Entries that are written in one go, in the order of their tables, however many there are: what
//! memory has no room for lies in a file without a name, in runs that are each put in order when all
//! are wanted.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::StoreError;
use crate::store::sqlite::views::index::{self, Entry, Key, Way};

/// How many entries are gathered in memory: some 25 MB where addresses are usual ones.
const GATHERED_MAX: usize = 1 << 19;

/// How much of each run is read at a time, in bytes. There are some fifty runs at most: before there are more, all is written.
const READ_BYTES: usize = 1 << 16;

/// How long an entry's way, id and length of key are, in bytes.
const HEAD_BYTES: usize = 1 + 8 + 4;

/// Entries as they come.
#[derive(Debug)]
pub struct ExternalSorter {
    gathered: Vec<Entry>,
    /// Where the file lies; it is removed already.
    folder: PathBuf,
    file: Option<Arc<File>>,
    /// Where each run lies in the file, oldest first.
    runs: Vec<Range<u64>>,
}

impl ExternalSorter {
    /// None yet; their file will be in this folder.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { gathered: Vec::new(), folder, file: None, runs: Vec::new() }
    }

    /// Takes in some more, which are later than those before.
    pub fn extend(&mut self, entries: Vec<Entry>) {
        self.gathered.extend(entries);
    }

    /// Makes room in memory where there is none for many more.
    pub fn make_room(&mut self) -> Result<(), StoreError> {
        if self.gathered.len() < GATHERED_MAX { Ok(()) } else { self.spill() }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::in_folder(std::mem::take(&mut self.folder));
    }

    /// All of them in the order of their tables, and what concerns the same row in the order it came.
    /// None are left here.
    pub fn take(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<Entry, StoreError>> + use<>, StoreError> {
        let folder = self.folder.clone();
        let failed = move |cause| failed("read index entries from", &folder, cause);
        if self.file.is_some() {
            self.spill()?;
            self.gathered = Vec::new();
        }
        let merged = self.merged().map_err(&failed)?;
        let mut in_memory = std::mem::take(&mut self.gathered);
        index::put_in_order(&mut in_memory);
        self.clear();
        let merged = merged.into_iter().flatten().map(move |entry| entry.map_err(&failed));
        Ok(in_memory.into_iter().map(Ok).chain(merged))
    }

    /// What lies in the file, in order.
    fn merged(&self) -> io::Result<Option<Merged>> {
        let Some(file) = &self.file else { return Ok(None) };
        put_in_order(file, &self.runs)?;
        Merged::of(file, &self.runs).map(Some)
    }

    /// Writes what is gathered to the file, as a run.
    fn spill(&mut self) -> Result<(), StoreError> {
        self.write_run().map_err(|cause| failed("lay index entries aside in", &self.folder, cause))
    }

    fn write_run(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(Arc::new(tempfile::tempfile_in(&self.folder)?)),
        };
        let begin = self.runs.last().map_or(0, |run| run.end);
        let end = write_all(file, begin, &self.gathered)?;
        self.runs.push(begin..end);
        self.gathered.clear();
        Ok(())
    }
}

fn failed(act: &'static str, folder: &Path, cause: io::Error) -> StoreError {
    StoreError::File { act, path: folder.to_owned(), cause }
}

/// Puts the entries of each run in order, in its place.
fn put_in_order(file: &Arc<File>, runs: &[Range<u64>]) -> io::Result<()> {
    let mut entries = Vec::new();
    for run in runs {
        let mut section = Section::buffered(file, run);
        while let Some(entry) = read(&mut section)? {
            entries.push(entry);
        }
        index::put_in_order(&mut entries);
        write_all(file, run.start, &entries)?;
        entries.clear();
    }
    Ok(())
}

/// ExternalSorter read side by side.
struct Merged {
    runs: Vec<BufReader<Section>>,
    next: BinaryHeap<Next>,
}

/// The next entry of a run.
struct Next {
    entry: Entry,
    run: usize,
}

impl Merged {
    fn of(file: &Arc<File>, runs: &[Range<u64>]) -> io::Result<Self> {
        let open = |run| Section::buffered(file, run);
        let mut merged = Self {
            runs: runs.iter().map(open).collect(),
            next: BinaryHeap::with_capacity(runs.len()),
        };
        (0..runs.len()).try_for_each(|run| merged.read_on(run))?;
        Ok(merged)
    }

    fn read_on(&mut self, run: usize) -> io::Result<()> {
        let entry = read(&mut self.runs[run])?;
        self.next.extend(entry.map(|entry| Next { entry, run }));
        Ok(())
    }
}

impl Iterator for Merged {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        let Next { entry, run } = self.next.pop()?;
        Some(self.read_on(run).map(|()| entry))
    }
}

impl Ord for Next {
    /// A heap gives its greatest first: that is the entry that comes first, and of the same the one of
    /// the older run.
    fn cmp(&self, other: &Self) -> Ordering {
        other.entry.place().cmp(&self.entry.place()).then(other.run.cmp(&self.run))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Next {}

/// A part of a file that is read apart from its other parts.
struct Section {
    file: Arc<File>,
    rest: Range<u64>,
}

impl Section {
    fn buffered(file: &Arc<File>, part: &Range<u64>) -> BufReader<Self> {
        let section = Self { file: Arc::clone(file), rest: part.clone() };
        BufReader::with_capacity(READ_BYTES, section)
    }
}

impl Read for Section {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.rest.end - self.rest.start).unwrap_or(usize::MAX);
        let length = bytes.len().min(left);
        let count = self.file.read_at(&mut bytes[..length], self.rest.start)?;
        self.rest.start += count as u64;
        Ok(count)
    }
}

/// Writes entries to a place in the file, and returns where they end.
fn write_all(file: &File, mut at: u64, entries: &[Entry]) -> io::Result<u64> {
    let mut bytes = Vec::with_capacity(2 * READ_BYTES);
    for entry in entries {
        push(&mut bytes, entry);
        if bytes.len() >= READ_BYTES {
            file.write_all_at(&bytes, at)?;
            at += bytes.len() as u64;
            bytes.clear();
        }
    }
    file.write_all_at(&bytes, at)?;
    Ok(at + bytes.len() as u64)
}

fn push(bytes: &mut Vec<u8>, Entry { way, key, id, gained }: &Entry) {
    let length = u32::try_from(key.len()).expect("an address is no longer than a body");
    bytes.push((*way as u8) << 1 | u8::from(*gained));
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(key);
}

/// The next entry; nothing at the end.
fn read(run: &mut impl BufRead) -> io::Result<Option<Entry>> {
    if run.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    run.read_exact(&mut head)?;
    let [way, head @ ..] = head;
    let (id, length) = head.split_first_chunk().expect("an id is in it");
    let length = u32::from_be_bytes(length.try_into().expect("a length is behind it"));
    let mut key = Key::from_elem(0, length as usize);
    run.read_exact(&mut key)?;
    let id = u64::from_be_bytes(*id);
    Ok(Some(Entry { way: Way::ALL[usize::from(way >> 1)], key, id, gained: way & 1 == 1 }))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn any_entry() -> impl Strategy<Value = Entry> {
        // Few different ones, so that many concern the same row.
        let key = prop_oneof!["[ab]{0,2}", ".{20,60}"];
        (select(&Way::ALL[..]), key, 0..3_u64, any::<bool>()).prop_map(|(way, key, id, gained)| {
            Entry { way, key: Key::from_slice(key.as_bytes()), id, gained }
        })
    }

    proptest! {
        #[test]
        fn runs_come_as_if_all_had_been_in_memory(batches in vec(vec(any_entry(), 0..20), 0..8)) {
            let mut in_memory = batches.concat();
            index::put_in_order(&mut in_memory);
            let mut runs = ExternalSorter::in_folder(std::env::temp_dir());
            for (number, batch) in batches.into_iter().enumerate() {
                runs.extend(batch);
                if number % 2 == 1 {
                    runs.spill().unwrap();
                }
            }

            let merged: Result<Vec<_>, _> = runs.take().unwrap().collect();

            prop_assert_eq!(merged.unwrap(), in_memory);
            prop_assert_eq!(runs.take().unwrap().count(), 0);
        }
    }
}
