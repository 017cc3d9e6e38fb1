//! The tree of a ledger as tiles (C2SP tlog-tiles): files of up to 256 hashes or entries, which anybody can keep
//! and check. They identify no person as long as message SIDs are Twilio's.

use std::ops::{ControlFlow, Range};

use crate::domain::Position;
use crate::domain::digest::Digester;
use crate::domain::tree::leaf_hash;
use crate::projection::ProjectionError;
use crate::store::{NODE_LEVELS, Store, for_each_event};
use crate::twilio::event_sids::EventSids;

/// How many hashes or entries a whole tile has.
pub const WIDTH_MAX: u64 = 256;

/// Which tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// What it has.
    pub kind: TileKind,
    /// Its place among the tiles of its kind, from 0.
    pub index: u64,
    /// How many hashes or entries it has: fewer than 256 at the right edge of the tree.
    pub width: u64,
}

/// What a tile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileKind {
    /// Hashes of the tree's level 8 times this.
    Hashes(u8),
    /// Entries, each after two bytes with its length.
    Entries,
}

impl Tile {
    /// Parses a path below `tile/`, such as `0/x001/234` or `entries/000.p/33`.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => {
                let number: u8 =
                    level.parse().ok().filter(|number: &u8| number.to_string() == level)?;
                TileKind::Hashes(
                    Some(number).filter(|number| *number < u64::BITS as u8 / NODE_LEVELS)?,
                )
            }
        };
        let (index, width) = match rest.split_once(".p/") {
            None => (rest, WIDTH_MAX),
            Some((index, width)) => {
                let number: u64 = width.parse().ok()?;
                let is_width = (1..WIDTH_MAX).contains(&number) && number.to_string() == width;
                (index, Some(number).filter(|_| is_width)?)
            }
        };
        let tile = Self { kind, index: parse_index(index)?, width };
        (tile.path() == format!("tile/{path}")).then_some(tile)
    }

    /// Its path, such as `tile/0/x001/234`.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            TileKind::Hashes(level) => level.to_string(),
            TileKind::Entries => "entries".to_owned(),
        };
        let partial = match self.width {
            WIDTH_MAX => String::new(),
            width => format!(".p/{width}"),
        };
        format!("tile/{kind}/{}{partial}", index_path(self.index))
    }

    /// Every tile of a tree of this size: whole ones, and those at the right edge.
    pub fn all(size: Position) -> impl Iterator<Item = Self> {
        let levels = (0..u64::BITS as u8 / NODE_LEVELS).map(TileKind::Hashes);
        levels.chain([TileKind::Entries]).flat_map(move |kind| {
            let count = count(kind, size);
            (0..count.div_ceil(WIDTH_MAX)).map(move |index| Self {
                kind,
                index,
                width: (count - index * WIDTH_MAX).min(WIDTH_MAX),
            })
        })
    }

    /// Whether a tree of this size has it.
    pub fn exists(&self, size: Position) -> bool {
        let end = self.index.checked_mul(WIDTH_MAX).and_then(|start| start.checked_add(self.width));
        end.is_some_and(|end| end <= count(self.kind, size))
    }

    /// Its bytes, of a tree that the views have read. `None` if they lack a hash.
    pub fn read(&self, store: &dyn Store) -> Result<Option<Vec<u8>>, ProjectionError> {
        let range = self.index * WIDTH_MAX..self.index * WIDTH_MAX + self.width;
        match self.kind {
            TileKind::Entries => entries(store, range, &mut |entry, bytes| {
                let length = u16::try_from(entry.len()).expect("an entry has some 150 bytes");
                bytes.extend(length.to_be_bytes());
                bytes.extend(entry);
            }),
            TileKind::Hashes(0) => {
                entries(store, range, &mut |entry, bytes| bytes.extend(leaf_hash(entry)))
            }
            TileKind::Hashes(level) => {
                let nodes = store.views().tree_nodes(level * NODE_LEVELS, range)?;
                let whole = nodes.len() as u64 == self.width;
                Ok(whole.then(|| nodes.into_values().flatten().collect()))
            }
        }
    }
}

/// How many hashes or entries of a kind a tree of this size has.
fn count(kind: TileKind, size: Position) -> u64 {
    match kind {
        TileKind::Entries => size,
        TileKind::Hashes(level) => size >> (level * NODE_LEVELS),
    }
}

/// Adds each entry of a range of leaves to the bytes of a tile.
fn entries(
    store: &dyn Store,
    range: Range<u64>,
    add: &mut dyn FnMut(&[u8], &mut Vec<u8>),
) -> Result<Option<Vec<u8>>, ProjectionError> {
    let (mut bytes, mut digester, mut at) = (Vec::new(), Digester::default(), range.start);
    for_each_event(store, range.start + 1..=range.end, &mut |event| {
        if event.position != at + 1 {
            return ControlFlow::Break(());
        }
        at = event.position;
        add(&digester.entry(event, EventSids::parse(event).as_sids()), &mut bytes);
        ControlFlow::Continue(())
    })?;
    match at == range.end {
        true => Ok(Some(bytes)),
        false => Err(ProjectionError::Gap(at + 1)),
    }
}

/// Groups of three digits, of which all but the last begin with an `x`.
pub fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn parse_index(path: &str) -> Option<u64> {
    path.split('/').try_fold(0_u64, |index, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let number: u64 = digits.parse().ok().filter(|_| digits.len() == 3)?;
        index.checked_mul(1000)?.checked_add(number)
    })
}

#[cfg(test)]
mod tests {
    use super::{Tile, TileKind};

    #[test]
    fn a_path_is_parsed_in_one_form_only() {
        let tile = |kind, index, width| Some(Tile { kind, index, width });
        assert_eq!(Tile::parse("0/000"), tile(TileKind::Hashes(0), 0, 256));
        assert_eq!(Tile::parse("1/x001/x234/067"), tile(TileKind::Hashes(1), 1_234_067, 256));
        assert_eq!(Tile::parse("entries/000.p/33"), tile(TileKind::Entries, 0, 33));
        for wrong in [
            "0/0",
            "00/000",
            "8/000",
            "0/x000/001",
            "0/000.p/256",
            "0/000.p/0",
            "0/000.p/01",
            "0/",
            "x/000",
        ] {
            assert_eq!(Tile::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_tree_has_whole_tiles_and_those_at_its_edge() {
        let paths: Vec<_> = Tile::all(300).map(|tile| tile.path()).collect();
        assert_eq!(
            paths,
            [
                "tile/0/000",
                "tile/0/001.p/44",
                "tile/1/000.p/1",
                "tile/entries/000",
                "tile/entries/001.p/44"
            ]
        );
        assert!(Tile::all(300).all(|tile| tile.exists(300)));
        assert!(!Tile::parse("0/001").unwrap().exists(300));
        assert!(Tile::parse("0/001.p/43").unwrap().exists(300));
    }
}
