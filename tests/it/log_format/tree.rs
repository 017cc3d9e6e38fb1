//! The tree over the digests and its proofs, compared with values that a separate implementation made,
//! and with two libraries.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::LazyLock;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use delivery_ledger::domain::hash::Hash;
use delivery_ledger::domain::tree::proof::{
    consistency_ranges, inclusion_ranges, proves_consistency, proves_inclusion,
};
use delivery_ledger::domain::tree::{
    Node, RightEdge, empty_root, leaf_hash, parent_hash, range_hash,
};
use proptest::prelude::*;
use serde_json::Value;
use sha2::Sha256;
use tlog_tiles::tlog;

use super::vectors::{VECTORS, hash};

/// The largest size of the property tests.
const SIZE_MAX: u64 = 5000;

fn content(index: u64) -> [u8; 8] {
    index.to_be_bytes()
}

/// Every complete node of a tree of [`SIZE_MAX`] leaves, by level and index.
static NODES: LazyLock<Vec<Vec<Hash>>> = LazyLock::new(|| {
    let mut nodes = vec![Vec::new(); 14];
    let mut edge = RightEdge::default();
    for index in 0..SIZE_MAX {
        let leaf = leaf_hash(&content(index));
        nodes[0].push(leaf);
        edge.push(leaf, |node, hash| {
            let level = &mut nodes[usize::from(node.level)];
            assert_eq!(node.index, level.len() as u64, "nodes are completed in order");
            level.push(hash);
        });
    }
    nodes
});

fn node(Node { level, index }: Node) -> Hash {
    NODES[usize::from(level)][index as usize]
}

fn hash_of(range: Range<u64>) -> Hash {
    range_hash(range, &mut |wanted| Ok::<_, Infallible>(node(wanted))).unwrap()
}

fn root(size: u64) -> Hash {
    hash_of(0..size)
}

fn hashes(ranges: Vec<Range<u64>>) -> Vec<Hash> {
    ranges.into_iter().map(hash_of).collect()
}

fn inclusion(index: u64, size: u64) -> Vec<Hash> {
    hashes(inclusion_ranges(index, size).unwrap())
}

fn consistency(from: u64, to: u64) -> Vec<Hash> {
    hashes(consistency_ranges(from, to).unwrap())
}

/// The two roots of a consistency proof, and whether it holds between them.
fn is_consistent(from: u64, to: u64, proof: &[Hash]) -> bool {
    proves_consistency((from, &root(from)), (to, &root(to)), proof)
}

fn tlog_proof(proof: &[Hash]) -> Vec<tlog::Hash> {
    proof.iter().map(|hash| tlog::Hash(*hash)).collect()
}

fn field(vector: &Value, name: &str) -> Hash {
    hash(vector[name].as_str().unwrap())
}

fn number(vector: &Value, name: &str) -> u64 {
    vector[name].as_u64().unwrap()
}

fn proof(vector: &Value) -> Vec<Hash> {
    let proof = vector["proof"].as_array().unwrap().iter();
    proof.map(|hash_| hash(hash_.as_str().unwrap())).collect()
}

fn vectors(name: &str) -> &'static [Value] {
    VECTORS[name].as_array().unwrap()
}

/// The digests of the vectors' events, which are the leaves of their tree.
fn leaves() -> Vec<Hash> {
    vectors("digests").iter().map(|digest| field(digest, "digest")).collect()
}

#[test]
fn the_edge_has_the_root_of_the_vectors_at_every_size() {
    let mut edge = RightEdge::default();
    let roots: Vec<_> = vectors("roots").iter().map(|root| hash(root.as_str().unwrap())).collect();
    assert_eq!((edge.root(), roots[0]), (empty_root(), empty_root()));
    for (leaf, root) in leaves().into_iter().zip(&roots[1..]) {
        edge.push(leaf, |_, _| {});
        assert_eq!(edge.root(), *root, "of {} leaves", edge.size());
    }
    assert_eq!(edge.size(), 33);
}

#[test]
fn the_proofs_of_the_vectors_are_accepted_and_made() {
    let leaves = leaves();
    let mut node = |Node { level, index }: Node| {
        let mut edge = RightEdge::default();
        let range = Node { level, index }.leaves();
        leaves[range.start as usize..range.end as usize]
            .iter()
            .for_each(|leaf| edge.push(*leaf, |_, _| {}));
        Ok::<_, Infallible>(edge.root())
    };
    let mut made = |ranges: Vec<Range<u64>>| -> Vec<Hash> {
        ranges.into_iter().map(|range| range_hash(range, &mut node).unwrap()).collect()
    };
    for vector in vectors("inclusion") {
        let (index, size) = (number(vector, "index"), number(vector, "size"));
        let (leaf, root, proof) = (field(vector, "leaf"), field(vector, "root"), proof(vector));
        assert!(proves_inclusion(leaf, index, size, &proof, &root), "{index} of {size}");
        assert_eq!(made(inclusion_ranges(index, size).unwrap()), proof, "{index} of {size}");
    }
    for vector in vectors("consistency") {
        let (from, to) = (number(vector, "from"), number(vector, "to"));
        let (from_root, to_root) = (field(vector, "from_root"), field(vector, "to_root"));
        let proof = proof(vector);
        assert!(proves_consistency((from, &from_root), (to, &to_root), &proof), "{from} to {to}");
        assert_eq!(made(consistency_ranges(from, to).unwrap()), proof, "{from} to {to}");
    }
}

#[test]
fn the_broken_proofs_of_the_vectors_are_rejected() {
    for vector in vectors("broken_inclusion") {
        let (index, size) = (number(vector, "index"), number(vector, "size"));
        let (leaf, root, proof) = (field(vector, "leaf"), field(vector, "root"), proof(vector));
        assert!(!proves_inclusion(leaf, index, size, &proof, &root), "{vector}");
    }
    for vector in vectors("broken_consistency") {
        let (from, to) = (number(vector, "from"), number(vector, "to"));
        let (from_root, to_root) = (field(vector, "from_root"), field(vector, "to_root"));
        let proof = proof(vector);
        assert!(!proves_consistency((from, &from_root), (to, &to_root), &proof), "{vector}");
    }
}

#[test]
fn every_proof_among_small_trees_is_accepted_by_us_and_by_the_libraries() {
    for size in 0..=70 {
        let tree: MemoryBackedTree<Sha256, [u8; 8]> =
            (0..size).fold(MemoryBackedTree::new(), |mut tree, index| {
                tree.push(content(index));
                tree
            });
        assert_eq!(tree.root().as_bytes().as_slice(), root(size));
        for index in 0..size {
            let proof = inclusion(index, size);
            assert!(proves_inclusion(NODES[0][index as usize], index, size, &proof, &root(size)));
            assert_eq!(tree.prove_inclusion(index as usize).as_bytes(), proof.concat());
        }
        for from in 1..=size {
            let proof = consistency(from, size);
            assert!(is_consistent(from, size, &proof), "{from} to {size}");
            let added = (size - from) as usize;
            assert_eq!(tree.prove_consistency(added).as_bytes(), proof.concat());
        }
    }
}

#[test]
fn the_empty_tree_is_the_beginning_of_every_tree_and_has_no_leaf() {
    assert!(is_consistent(0, 0, &[]));
    assert!(is_consistent(0, 5, &consistency(0, 5)));
    assert!(!is_consistent(0, 5, &[root(5)]));
    assert!(!proves_consistency((0, &root(1)), (5, &root(5)), &[]));
    assert!(!proves_inclusion(root(1), 0, 0, &[], &empty_root()));
    assert_eq!(inclusion_ranges(0, 0), None);
    assert_eq!(consistency_ranges(6, 5), None);
    assert!(!is_consistent(6, 5, &[]));
}

#[test]
fn an_edge_needs_a_hash_for_each_bit_of_its_size() {
    let edge = |size, hashes| RightEdge::new(size, vec![[7; 32]; hashes]);
    assert!(edge(0, 0).is_some() && edge(4, 1).is_some() && edge(7, 3).is_some());
    assert!(edge(0, 1).is_none() && edge(4, 0).is_none() && edge(7, 2).is_none());
}

#[test]
fn the_children_of_a_node_cover_its_leaves() {
    let parent = Node { level: 3, index: 5 };
    assert_eq!(parent.leaves(), 40..48);
    let [left, right] = parent.children().unwrap();
    assert_eq!((left.leaves(), right.leaves()), (40..44, 44..48));
    let hashes = [left, right].map(node);
    assert_eq!(node(parent), parent_hash(&hashes[0], &hashes[1]));
    assert_eq!(Node { level: 0, index: 5 }.children(), None);
}

fn sizes() -> impl Strategy<Value = (u64, u64)> {
    (1..=SIZE_MAX).prop_flat_map(|to| (1..=to, Just(to)))
}

/// A change that makes every valid proof invalid.
#[derive(Debug, Clone)]
enum Fault {
    Bit(usize, u8),
    Missing(usize),
    Inserted(usize),
    Reversed,
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (any::<usize>(), 0..=255_u8).prop_map(|(place, bit)| Fault::Bit(place, bit)),
        any::<usize>().prop_map(Fault::Missing),
        any::<usize>().prop_map(Fault::Inserted),
        Just(Fault::Reversed),
    ]
}

impl Fault {
    /// The proof with the fault; `None` if it has no place for it.
    fn in_proof(&self, proof: &[Hash]) -> Option<Vec<Hash>> {
        let mut broken = proof.to_vec();
        match *self {
            Fault::Bit(_, _) | Fault::Missing(_) if proof.is_empty() => return None,
            Fault::Bit(place, bit) => {
                broken[place % proof.len()][usize::from(bit / 8)] ^= 1 << (bit % 8);
            }
            Fault::Missing(place) => drop(broken.remove(place % proof.len())),
            Fault::Inserted(place) => broken.insert(place % (proof.len() + 1), [7; 32]),
            Fault::Reversed => broken.reverse(),
        }
        (broken != proof).then_some(broken)
    }
}

proptest! {
    #[test]
    fn the_root_of_an_edge_is_that_of_its_leaves(size in 0..=SIZE_MAX) {
        let mut edge = RightEdge::default();
        (0..size).for_each(|index| edge.push(NODES[0][index as usize], |_, _| {}));
        prop_assert_eq!(edge.root(), root(size));
        for (node_, hash) in edge.nodes() {
            prop_assert_eq!(node(node_), hash);
        }
        prop_assert_eq!(RightEdge::new(size, edge.hashes().to_vec()), Some(edge));
    }

    #[test]
    fn an_inclusion_proof_is_accepted_by_us_and_by_the_libraries((index, size) in sizes()) {
        let index = index - 1;
        let (leaf, proof, root) = (NODES[0][index as usize], inclusion(index, size), root(size));
        prop_assert!(proves_inclusion(leaf, index, size, &proof, &root));
        let digests: Vec<_> = proof.iter().map(|hash| (*hash).into()).collect();
        let theirs = InclusionProof::<Sha256>::from_digests(&digests);
        prop_assert!(
            RootHash::<Sha256>::new(root.into(), size)
                .verify_inclusion(&content(index), index, &theirs)
                .is_ok()
        );
        let (root, leaf) = (tlog::Hash(root), tlog::Hash(leaf));
        prop_assert!(tlog::check_record(&tlog_proof(&proof), size, root, index, leaf).is_ok());
    }

    #[test]
    fn a_consistency_proof_is_accepted_by_us_and_by_the_libraries((from, to) in sizes()) {
        let proof = consistency(from, to);
        prop_assert!(is_consistent(from, to, &proof));
        let digests: Vec<_> = proof.iter().map(|hash| (*hash).into()).collect();
        let theirs = ConsistencyProof::<Sha256>::from_digests(&digests);
        let (older, newer) = (
            RootHash::<Sha256>::new(root(from).into(), from),
            RootHash::<Sha256>::new(root(to).into(), to),
        );
        prop_assert!(newer.verify_consistency(&older, &theirs).is_ok());
        let (older, newer) = (tlog::Hash(root(from)), tlog::Hash(root(to)));
        prop_assert!(tlog::check_tree(&tlog_proof(&proof), to, newer, from, older).is_ok());
    }

    #[test]
    fn a_broken_proof_is_rejected((from, to) in sizes(), fault in fault()) {
        let (index, size) = (from - 1, to);
        if let Some(broken) = fault.in_proof(&inclusion(index, size)) {
            let leaf = NODES[0][index as usize];
            prop_assert!(!proves_inclusion(leaf, index, size, &broken, &root(size)));
        }
        if let Some(broken) = fault.in_proof(&consistency(from, to)) {
            prop_assert!(!is_consistent(from, to, &broken));
        }
    }

    #[test]
    fn a_proof_does_not_hold_for_another_leaf_root_or_size(
        (from, to) in sizes(),
        other in 1..=SIZE_MAX,
    ) {
        let (index, leaf) = (from - 1, NODES[0][from as usize - 1]);
        let proof = inclusion(index, to);
        if other != from {
            prop_assert!(!proves_inclusion(NODES[0][other as usize - 1], index, to, &proof, &root(to)));
            prop_assert!(!proves_consistency((from, &root(other)), (to, &root(to)), &consistency(from, to)));
        }
        if other != to {
            prop_assert!(!proves_inclusion(leaf, index, to, &proof, &root(other)));
            prop_assert!(!proves_consistency((from, &root(from)), (to, &root(other)), &consistency(from, to)));
        }
    }
}
