//! Simulates power cuts. Synced data survives. Every other change may survive or be lost independently of
//! the others, a write may survive in only some of its sectors, and a file name is durable only once its
//! folder was synced.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use fastrand::Rng;

use super::trace::Step;

/// The unit that a disk writes atomically, in bytes.
const SECTOR: usize = 512;

/// The state of a simulated disk while a trace is replayed.
#[derive(Default)]
pub struct Cut {
    things: Vec<Thing>,
    inodes: HashMap<u64, usize>,
    /// Durable names.
    names: BTreeMap<String, usize>,
    /// Changes of names that are not durable yet.
    renamings: Vec<Renaming>,
}

/// A file, a folder or a symbolic link.
#[derive(Default)]
struct Thing {
    /// The target, if it is a link.
    target: Option<String>,
    /// The path, if it is a folder.
    folder: Option<String>,
    /// Durable content.
    bytes: Vec<u8>,
    /// Later changes, and whether they may still become durable.
    changes: Vec<(Change, Fate)>,
}

#[derive(Clone)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate { to: usize },
}

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Sure,
    /// The next sync makes it durable.
    Open,
    /// A sync of it failed, so it may be lost even after later syncs.
    Lost,
}

/// An atomic change of names; `None` removes a name.
#[derive(Clone)]
struct Renaming(Vec<(String, Option<usize>)>);

impl Cut {
    /// Applies a step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Folder { inode, name } if name == "." => {
                if !self.inodes.contains_key(inode) {
                    let root = self.make(*inode, Some(name.clone()));
                    self.names.insert(name.clone(), root);
                }
            }
            Step::Folder { inode, name } => {
                let folder = self.make(*inode, Some(name.clone()));
                self.renamings.push(Renaming(vec![(name.clone(), Some(folder))]));
            }
            Step::Create { inode, name } => {
                let file = self.make(*inode, None);
                self.renamings.push(Renaming(vec![(name.clone(), Some(file))]));
            }
            Step::Unlink { name } => self.renamings.push(Renaming(vec![(name.clone(), None)])),
            Step::Symlink { name, target } => {
                self.things.push(Thing { target: Some(target.clone()), ..Thing::default() });
                let link = self.things.len() - 1;
                self.renamings.push(Renaming(vec![(name.clone(), Some(link))]));
            }
            Step::Rename { from, to } => {
                let what = self.now().get(from).copied();
                self.renamings.push(Renaming(vec![(from.clone(), None), (to.clone(), what)]));
            }
            Step::Write { inode, at, bytes } => {
                self.change(*inode, Change::Write { at: *at, bytes: bytes.clone() });
            }
            Step::Truncate { inode, to } => self.change(*inode, Change::Truncate { to: *to }),
            Step::Sync { inode, .. } => self.sync(*inode),
            Step::LostSync { inode } => {
                if let Some(thing) = self.inodes.get(inode) {
                    let changes = self.things[*thing].changes.iter_mut();
                    changes
                        .filter(|(_, fate)| *fate == Fate::Open)
                        .for_each(|(_, fate)| *fate = Fate::Lost);
                }
            }
            Step::Arrived(_) | Step::Acknowledged(_) => {}
        }
    }

    fn make(&mut self, inode: u64, folder: Option<String>) -> usize {
        self.things.push(Thing { folder, ..Thing::default() });
        self.inodes.insert(inode, self.things.len() - 1);
        self.things.len() - 1
    }

    fn change(&mut self, inode: u64, change: Change) {
        if let Some(thing) = self.inodes.get(&inode) {
            self.things[*thing].changes.push((change, Fate::Open));
        }
    }

    fn sync(&mut self, inode: u64) {
        let Some(thing) = self.inodes.get(&inode) else { return };
        let Thing { folder, bytes, changes, .. } = &mut self.things[*thing];
        if let Some(folder) = folder.clone() {
            let (sure, open) = std::mem::take(&mut self.renamings)
                .into_iter()
                .partition(|Renaming(names)| folder_of(&names[0].0) == folder);
            self.renamings = open;
            rename(&mut self.names, sure);
            return;
        }
        for (_, fate) in changes.iter_mut().filter(|(_, fate)| *fate == Fate::Open) {
            *fate = Fate::Sure;
        }
        let sure = changes.iter().take_while(|(_, fate)| *fate == Fate::Sure).count();
        for (change, _) in changes.drain(..sure) {
            apply(bytes, &change, |_| true);
        }
    }

    /// The names as the running system sees them.
    fn now(&self) -> BTreeMap<String, usize> {
        let mut names = self.names.clone();
        rename(&mut names, self.renamings.clone());
        names
    }

    /// Writes a random state that a power cut at this point can leave.
    pub fn leave(&self, at: &Path, rng: &mut Rng) {
        // The fraction that survives varies from nearly nothing to nearly everything.
        let kept = [0.0, 0.1, 0.5, 0.9, 1.0][rng.usize(..5)];
        let mut names = self.names.clone();
        let mut uncertain = HashSet::new();
        for renaming in &self.renamings {
            let changed = renaming.0.iter().map(|(name, _)| name.clone());
            // Changes that depend on a lost change are lost as well.
            let follows_lost = renaming.0.iter().any(|(name, _)| uncertain.contains(name));
            match !follows_lost && rng.f64() < kept {
                true => rename(&mut names, vec![renaming.clone()]),
                false => uncertain.extend(changed),
            }
        }
        for (name, thing) in &names {
            let folder_is_there = folders_above(name).all(|folder| names.contains_key(folder));
            match &self.things[*thing] {
                _ if !folder_is_there => {}
                Thing { folder: Some(_), .. } => std::fs::create_dir_all(at.join(name)).unwrap(),
                Thing { target: Some(target), .. } => {
                    std::os::unix::fs::symlink(target, at.join(name)).unwrap();
                }
                file => std::fs::write(at.join(name), file.left(kept, rng)).unwrap(),
            }
        }
    }
}

impl Thing {
    fn left(&self, kept: f64, rng: &mut Rng) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (change, fate) in &self.changes {
            let whole = *fate == Fate::Sure || rng.f64() < kept;
            match whole {
                true => apply(&mut bytes, change, |_| true),
                // Torn write: each sector survives independently.
                false if kept > 0.0 && rng.bool() => {
                    apply(&mut bytes, change, |_| rng.f64() < kept);
                }
                false => {}
            }
        }
        bytes
    }
}

/// Applies a change to those sectors of a file that keep it.
fn apply(file: &mut Vec<u8>, change: &Change, mut has: impl FnMut(usize) -> bool) {
    match change {
        Change::Truncate { to } => {
            if has(0) {
                file.resize(*to, 0);
            }
        }
        Change::Write { at, bytes } => {
            let mut from = *at;
            while from < at + bytes.len() {
                let to = ((from / SECTOR + 1) * SECTOR).min(at + bytes.len());
                if has(from / SECTOR) {
                    file.resize(file.len().max(to), 0);
                    file[from..to].copy_from_slice(&bytes[from - at..to - at]);
                }
                from = to;
            }
        }
    }
}

fn rename(names: &mut BTreeMap<String, usize>, renamings: Vec<Renaming>) {
    for (name, thing) in renamings.into_iter().flat_map(|Renaming(names)| names) {
        match thing {
            Some(thing) => names.insert(name, thing),
            None => names.remove(&name),
        };
    }
}

fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn folders_above(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}
