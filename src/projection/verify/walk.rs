//! The pass over the log that verifies it, event by event.

use std::ops::ControlFlow;

use super::erasures::Erasures;
use super::findings::{FindingKind, Findings};
use super::roots::Roots;
use crate::domain::digest::Digester;
use crate::domain::hash::Hash;
use crate::domain::tree::{Node, RightEdge};
use crate::domain::{Position, RecordedEvent};
use crate::store::{Checkpoint, EventPages, NODE_LEVELS, Store, StoreError};
use crate::twilio::event_sids::EventSids;

/// The number of events below a node of the first level that is stored.
const BLOCK_EVENTS: u64 = 1 << NODE_LEVELS;

/// The state of a walk: how far the log was read, and its tree so far.
pub struct Walk {
    pub head: Position,
    pub events: u64,
    pub imported: u64,
    /// The last position read.
    pub at: Position,
    /// The tree over the complete blocks; `None` after a gap.
    tree: Option<RightEdge>,
    /// The tree over the current block, which is incomplete; `None` if one of its events is missing.
    block: Option<RightEdge>,
    /// The complete blocks of the current page, by their number.
    blocks: Vec<(u64, Hash)>,
    /// The tree as the views have it; `None` if they are not compared.
    projected: Option<RightEdge>,
    roots: Roots,
    digester: Digester,
    erasures: Erasures,
    /// Events read between two calls of `progress`.
    page_events: u64,
}

impl Walk {
    /// A walk that has read nothing. The log is compared with views that have this checkpoint.
    pub fn new(
        checkpoint: Option<&Checkpoint>,
        roots: Roots,
        page_events: u64,
        findings: &mut Findings,
    ) -> Self {
        let mut walk = Self {
            head: 0,
            events: 0,
            imported: 0,
            at: 0,
            tree: Some(RightEdge::default()),
            block: Some(RightEdge::default()),
            blocks: Vec::new(),
            projected: checkpoint.map(|checkpoint| checkpoint.tree.clone()),
            roots,
            digester: Digester::default(),
            erasures: Erasures::default(),
            page_events,
        };
        walk.compare_roots(findings);
        walk
    }

    /// The root of the tree up to the last position read; `None` if the log has gaps or unreadable events.
    pub fn root(&self) -> Option<Hash> {
        let (tree, block) = (self.tree.as_ref()?, self.block.as_ref()?);
        let size = tree.size() * BLOCK_EVENTS + block.size();
        RightEdge::new(size, [tree.hashes(), block.hashes()].concat()).map(|edge| edge.root())
    }

    /// Forgets the tree: the events that were read are not those that were written.
    pub fn forget_tree(&mut self) {
        (self.tree, self.block) = (None, None);
    }

    /// Continues reading, at least up to a position. `progress` can stop it, with [`StoreError::Cancelled`].
    pub fn through(
        &mut self,
        store: &dyn Store,
        to: Position,
        findings: &mut Findings,
        progress: &mut dyn FnMut(Position, &Findings) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.head = self.head.max(to);
        loop {
            let pages = EventPages::new(store, self.at + 1..=self.head);
            let page = pages.lending_at_most(self.page_events).lend_next(&mut |event| {
                self.pass(event, findings);
                ControlFlow::Continue(())
            });
            self.compare_blocks(store, findings)?;
            match page {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => {}
                Err(StoreError::Unreadable { position, detail }) => {
                    self.pass_unreadable(position, detail, findings);
                }
                Err(error) => return Err(error),
            }
            if progress(self.at, findings).is_break() {
                return Err(StoreError::Cancelled);
            }
        }
    }

    /// Adds the findings that are only known at the end.
    pub fn finish(&mut self, findings: &mut Findings) {
        self.erasures.finish(self.at, findings);
        self.compare_roots(findings);
        self.roots.finish(findings);
    }

    fn pass(&mut self, event: &RecordedEvent, findings: &mut Findings) {
        self.pass_gap(event.position, findings);
        let sids = EventSids::parse(event);
        let digest = self.digester.digest(event, sids.as_sids());
        if (event.position - 1).is_multiple_of(BLOCK_EVENTS) {
            self.block = Some(RightEdge::default());
        }
        if let Some(block) = &mut self.block {
            block.push(digest, |_, _| {});
        }
        self.events += 1;
        self.imported += u64::from(event.is_imported());
        self.at = event.position;
        self.erasures.pass(event, findings);
        if let Some(block) = self.block.take_if(|block| block.size() == BLOCK_EVENTS) {
            self.complete_block(block.root());
        }
        self.compare_last_block(findings);
        self.compare_roots(findings);
    }

    /// Passes on to the next block.
    fn complete_block(&mut self, root: Hash) {
        self.blocks.push((self.at / BLOCK_EVENTS - 1, root));
        if let Some(tree) = &mut self.tree {
            tree.push(root, |_, _| {});
        }
        self.block = Some(RightEdge::default());
    }

    fn pass_unreadable(&mut self, position: Position, detail: String, findings: &mut Findings) {
        self.pass_gap(position, findings);
        findings.add(FindingKind::UnreadableEvent, Some(position), detail);
        self.forget_tree();
        self.at = position;
    }

    /// Records the positions between the last one read and the next.
    pub fn pass_gap(&mut self, next: Position, findings: &mut Findings) {
        let (first, last) = (self.at + 1, next - 1);
        if first > last {
            return;
        }
        let detail = match first == last {
            true => format!("there is no event at position {first}"),
            false => format!("there are no events at positions {first} to {last}"),
        };
        findings.add(FindingKind::MissingPosition, Some(first), detail);
        self.forget_tree();
    }

    /// Compares the complete blocks of a page with the views, which have their hashes from an earlier read.
    fn compare_blocks(
        &mut self,
        store: &dyn Store,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        let blocks = std::mem::take(&mut self.blocks);
        let projected = self.projected.as_ref().map_or(0, RightEdge::size) / BLOCK_EVENTS;
        let (Some((first, _)), Some((last, _))) = (blocks.first(), blocks.last()) else {
            return Ok(());
        };
        let nodes = store.views().tree_nodes(NODE_LEVELS, *first..(*last + 1).min(projected));
        let Some(nodes) = findings.of_views(nodes)? else {
            self.projected = None;
            return Ok(());
        };
        for (index, hash) in blocks {
            if nodes.get(&index).is_some_and(|node| *node != hash) {
                let last = Node { level: NODE_LEVELS, index }.leaves().end;
                add_changed(last + 1 - BLOCK_EVENTS, last, findings);
            }
        }
        Ok(())
    }

    /// Compares the block that is incomplete at the checkpoint of the views.
    fn compare_last_block(&mut self, findings: &mut Findings) {
        let here = self.projected.as_ref().filter(|tree| tree.size() == self.at);
        let (Some(projected), Some(block)) = (here, &self.block) else { return };
        let incomplete = projected.nodes().filter(|(node, _)| node.level < NODE_LEVELS);
        if !incomplete.map(|(_, hash)| hash).eq(block.hashes().iter().copied()) {
            add_changed(self.at + 1 - block.size(), self.at, findings);
        }
    }

    fn compare_roots(&mut self, findings: &mut Findings) {
        // A root takes several hashes, so it is computed where one is compared.
        if self.roots.are_due(self.at) {
            let root = self.root();
            self.roots.compare(self.at, root, findings);
        }
    }
}

fn add_changed(first: Position, last: Position, findings: &mut Findings) {
    let detail = format!("positions {first} to {last} are not what was read there before");
    findings.add(FindingKind::ChangedEvents, Some(first), detail);
}
