//! The tree of a ledger: its nodes from the views, and what is below them from the log.

use std::ops::{ControlFlow, Range};

use super::findings::{FindingKind, Findings};
use crate::domain::Position;
use crate::domain::digest::Digester;
use crate::domain::hash::Hash;
use crate::domain::tree::{Node, RightEdge, parent_hash, range_hash};
use crate::projection::ProjectionError;
use crate::store::{Checkpoint, NODE_LEVELS, Store, StoreError, Views, for_each_event};
use crate::twilio::event_sids::EventSids;

/// The root of the tree up to a position that the views have read.
pub fn root_at(store: &dyn Store, position: Position) -> Result<Hash, ProjectionError> {
    hash_of(store, 0..position)
}

/// The hash of a range of leaves that RFC 6962 gives a hash to, which the views have read.
pub fn hash_of(store: &dyn Store, range: Range<u64>) -> Result<Hash, ProjectionError> {
    let all = range.end;
    range_hash(range, &mut |node| hash_after(store, node, all))
}

/// Like [`root_at`], but every event after another position is read again.
pub fn root_read_again(
    store: &dyn Store,
    position: Position,
    after: Position,
) -> Result<Hash, ProjectionError> {
    range_hash(0..position, &mut |node| hash_after(store, node, after))
}

/// The hash of a node: from the stored nodes up to a position, and from the log after it.
fn hash_after(store: &dyn Store, node: Node, after: Position) -> Result<Hash, ProjectionError> {
    let is_stored = node.level >= NODE_LEVELS && node.leaves().end <= after;
    match node.children() {
        _ if is_stored => Ok(from_views(store.views(), node)?),
        Some([left, right]) if node.level > NODE_LEVELS => {
            Ok(parent_hash(&hash_after(store, left, after)?, &hash_after(store, right, after)?))
        }
        _ => from_log(store, node),
    }
}

/// The hash of a node of level 8 or above, from the stored nodes.
pub fn from_views(views: &dyn Views, node: Node) -> Result<Hash, StoreError> {
    from_level(views, node, node.level - node.level % NODE_LEVELS)
}

/// The hash of a stored node from the stored nodes below it.
fn from_children(views: &dyn Views, node: Node) -> Result<Hash, StoreError> {
    from_level(views, node, node.level - NODE_LEVELS)
}

fn from_level(views: &dyn Views, node: Node, level: u8) -> Result<Hash, StoreError> {
    let stored = Node { level: node.level - level, index: node.index }.leaves();
    let nodes = views.tree_nodes(level, stored.clone())?;
    let mut tree = RightEdge::default();
    for index in stored {
        let missing = || StoreError::DamagedViews {
            detail: format!("node {index} of level {level} of the tree is missing"),
        };
        tree.push(*nodes.get(&index).ok_or_else(missing)?, |_, _| {});
    }
    Ok(tree.root())
}

/// Compares the stored nodes from level 16 up, and the complete blocks of the checkpoint's right edge, with
/// the nodes below them.
pub fn check_nodes(
    views: &dyn Views,
    checkpoint: &Checkpoint,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut differs = |node: Node| {
        let detail = format!("node {} of level {} of the tree differs", node.index, node.level);
        findings.add(FindingKind::ProjectionDiffers, None, detail);
    };
    for (node, hash) in checkpoint.tree.nodes().filter(|(node, _)| node.level >= NODE_LEVELS) {
        if from_views(views, node)? != hash {
            differs(node);
        }
    }
    for level in (2 * NODE_LEVELS..u64::BITS as u8).step_by(NODE_LEVELS.into()) {
        for index in 0..checkpoint.position >> level {
            let node = Node { level, index };
            if views.tree_nodes(level, index..index + 1)?.get(&index)
                != Some(&from_children(views, node)?)
            {
                differs(node);
            }
        }
    }
    Ok(())
}

/// The hash of a node from its events.
fn from_log(store: &dyn Store, node: Node) -> Result<Hash, ProjectionError> {
    let leaves = node.leaves();
    let (mut tree, mut digester) = (RightEdge::default(), Digester::default());
    let mut at = leaves.start;
    for_each_event(store, leaves.start + 1..=leaves.end, &mut |event| {
        if event.position != at + 1 {
            return ControlFlow::Break(());
        }
        let sids = EventSids::parse(event);
        tree.push(digester.digest(event, sids.as_sids()), |_, _| {});
        at = event.position;
        ControlFlow::Continue(())
    })?;
    match at == leaves.end {
        true => Ok(tree.root()),
        false => Err(ProjectionError::Gap(at + 1)),
    }
}
