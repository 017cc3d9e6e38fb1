//! Proofs about the tree of events, of a few hundred bytes each: that a leaf is part of a tree, and that
//! a tree is the beginning of a larger one. They are made as in RFC 6962, sections 2.1.1 and 2.1.2, and
//! checked as in RFC 9162, sections 2.1.3.2 and 2.1.4.2.

use std::ops::Range;

use super::{empty_root, left_length, parent_hash};
use crate::domain::hash::Hash;

/// The ranges of leaves whose hashes prove that leaf `index` is part of a tree of `size` leaves, from the
/// leaf's sibling up to the root's child; see [`range_hash`](super::range_hash). `None` if the tree
/// has no such leaf.
pub fn inclusion_ranges(index: u64, size: u64) -> Option<Vec<Range<u64>>> {
    (index < size).then(|| {
        let mut ranges = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + left_length(end - start);
            match index < middle {
                true => {
                    ranges.push(middle..end);
                    end = middle;
                }
                false => {
                    ranges.push(start..middle);
                    start = middle;
                }
            }
        }
        ranges.reverse();
        ranges
    })
}

/// The ranges of leaves whose hashes prove that a tree of `from` leaves is the beginning of one of `to`
/// leaves. `None` if `from` is larger. Nothing has to be proven about the empty tree, or about equal sizes.
pub fn consistency_ranges(from: u64, to: u64) -> Option<Vec<Range<u64>>> {
    if from > to {
        return None;
    }
    let mut ranges = Vec::new();
    if from == 0 || from == to {
        return Some(ranges);
    }
    let (mut start, mut end) = (0, to);
    while from < end {
        let middle = start + left_length(end - start);
        match from <= middle {
            true => {
                ranges.push(middle..end);
                end = middle;
            }
            false => {
                ranges.push(start..middle);
                start = middle;
            }
        }
    }
    // The verifier knows the root of the smaller tree, if that is a node of the larger one.
    if start > 0 {
        ranges.push(start..end);
    }
    ranges.reverse();
    Some(ranges)
}

/// Whether the proof shows that `leaf` is the leaf `index` of a tree of `size` leaves with this root.
pub fn proves_inclusion(leaf: Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = parent_hash(sibling, &hash);
            // A subtree at the right edge has no sibling on the levels where it stays as it is.
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = parent_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that a tree of `from` leaves with one root is the beginning of a tree of `to`
/// leaves with the other.
pub fn proves_consistency(
    (from, from_root): (u64, &Hash),
    (to, to_root): (u64, &Hash),
    proof: &[Hash],
) -> bool {
    if from > to {
        return false;
    }
    if from == to {
        return proof.is_empty() && from_root == to_root;
    }
    if from == 0 {
        return proof.is_empty() && *from_root == empty_root();
    }
    let mut hashes = proof.iter();
    // A complete tree is a node of the larger one, and its root is not repeated in the proof.
    let first = if from.is_power_of_two() { Some(from_root) } else { hashes.next() };
    let Some(first) = first else { return false };
    let (mut smaller, mut larger) = (*first, *first);
    let skipped = (from - 1).trailing_ones();
    let (mut at, mut last) = ((from - 1) >> skipped, (to - 1) >> skipped);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            smaller = parent_hash(hash, &smaller);
            larger = parent_hash(hash, &larger);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            larger = parent_hash(&larger, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && smaller == *from_root && larger == *to_root
}
