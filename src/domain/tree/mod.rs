//! The Merkle tree over the digests of all events (RFC 6962, section 2.1). Its root identifies the log
//! up to a position, and short proofs show that one event, or an earlier log, is part of it.
//!
//! The event at position *p* is leaf *p* − 1. A node covers a complete subtree; what follows the last
//! complete subtrees is only known by the [`RightEdge`].

pub mod proof;

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::hash::Hash;

/// A complete subtree of 2 to the power of `level` leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// The height above the leaves; 0 is a leaf.
    pub level: u8,
    /// The number of subtrees of this level before it.
    pub index: u64,
}

impl Node {
    /// The leaves that the node covers.
    pub fn leaves(self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }

    /// The two nodes that this one is the parent of; `None` for a leaf.
    pub fn children(self) -> Option<[Node; 2]> {
        let level = self.level.checked_sub(1)?;
        Some([0, 1].map(|right| Node { level, index: 2 * self.index + right }))
    }
}

/// The root of a tree without leaves: the SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash of a leaf with this content.
pub fn leaf_hash(content: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(content).finalize().into()
}

/// The hash of the parent of two nodes.
pub fn parent_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// A tree of a certain size, reduced to the roots of its largest complete subtrees. That is enough to
/// add leaves and to compute the root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RightEdge {
    size: u64,
    /// From left to right, so from the largest subtree to the smallest: one for each bit of the size.
    hashes: Vec<Hash>,
}

impl RightEdge {
    /// The edge of a tree of this size; `None` if another number of hashes belongs to it.
    pub fn new(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from left to right.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The same roots with the nodes that they belong to.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, Hash)> {
        let levels = (0..u64::BITS as u8).rev().filter(|level| self.size >> level & 1 == 1);
        // The bits below the level's are of smaller subtrees, further to the right.
        let node = |level| Node { level, index: (self.size >> level) - 1 };
        levels.map(node).zip(self.hashes.iter().copied())
    }

    /// The tree whose leaves are the complete subtrees of a level, and the tree of the leaves after them.
    pub fn split(&self, level: u8) -> (RightEdge, RightEdge) {
        let size = self.size >> level;
        let (above, below) = self.hashes.split_at(size.count_ones() as usize);
        let below = RightEdge { size: self.size - (size << level), hashes: below.to_vec() };
        (RightEdge { size, hashes: above.to_vec() }, below)
    }

    /// Adds a leaf, and calls `completed` with each node above it that is complete now.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node, Hash)) {
        let (mut hash, mut level) = (leaf, 0);
        while self.size >> level & 1 == 1 {
            let left = self.hashes.pop().expect("there is a hash for each bit of the size");
            hash = parent_hash(&left, &hash);
            level += 1;
            completed(Node { level, index: self.size >> level }, hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let from_the_right = self.hashes.iter().rev().copied();
        from_the_right.reduce(|right, left| parent_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The hash of a range of leaves that RFC 6962 gives a hash to: one that begins at a multiple of the
/// smallest power of two that is not below its length. `node` returns the hash of a complete subtree.
///
/// # Errors
///
/// The first error of `node`.
pub fn range_hash<E>(
    range: Range<u64>,
    node: &mut dyn FnMut(Node) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let length = range.end - range.start;
    if length == 0 {
        return Ok(empty_root());
    }
    if length.is_power_of_two() {
        let level = length.trailing_zeros();
        return node(Node { level: level as u8, index: range.start >> level });
    }
    let middle = range.start + left_length(length);
    let left = range_hash(range.start..middle, node)?;
    let right = range_hash(middle..range.end, node)?;
    Ok(parent_hash(&left, &right))
}

/// The number of leaves to the left of the root, of a tree with at least two: the largest power of two
/// below its size.
fn left_length(size: u64) -> u64 {
    size.next_power_of_two() / 2
}
