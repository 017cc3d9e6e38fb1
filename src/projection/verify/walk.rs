//! The pass over the log that verifies it, event by event.

use std::ops::ControlFlow;
use std::thread;

use super::erasures::Erasures;
use super::findings::{FindingKind, Findings};
use super::roots::Roots;
use crate::domain::Position;
use crate::domain::digest::Digester;
use crate::domain::hash::Hash;
use crate::domain::tree::{Node, RightEdge};
use crate::projection::batch::noted::Noted;
use crate::projection::batch::prefetch::Prefetcher;
use crate::projection::batch::prepare::{BATCH_EVENTS_MAX, BatchBuffers};
use crate::store::{Batch, Checkpoint, EventPages, NODE_LEVELS, Store, StoreError};
use crate::twilio::event_sids::EventSids;

/// Called with the last position read and the findings so far; may stop the walk, with [`StoreError::Cancelled`].
pub type WalkProgress<'a> = &'a mut dyn FnMut(Position, &Findings) -> ControlFlow<()>;

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
    /// What differs from the views, which is void if their pages are damaged.
    differing: Findings,
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
            differing: Findings::default(),
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

    /// Continues reading, at least up to a position, past whatever is wrong.
    pub fn through(
        &mut self,
        store: &dyn Store,
        to: Position,
        findings: &mut Findings,
        progress: WalkProgress<'_>,
    ) -> Result<(), StoreError> {
        self.head = self.head.max(to);
        loop {
            let (pages, mut noted) =
                (EventPages::new(store, self.at + 1..=self.head), Noted::default());
            let page = pages.lending_at_most(self.page_events).lend_next(&mut |event| {
                noted.note(event);
                let digest = self.digester.digest(event, EventSids::parse(event).as_sids());
                self.pass(event.position, digest, findings);
                ControlFlow::Continue(())
            });
            self.finish_page(store, &noted, findings)?;
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

    /// Continues reading up to a position on several cores, but stops where anything is wrong.
    pub fn ahead_to_damage(
        &mut self,
        store: &dyn Store,
        to: Position,
        findings: &mut Findings,
        progress: WalkProgress<'_>,
    ) -> Result<(), StoreError> {
        if to.saturating_sub(self.at) <= BATCH_EVENTS_MAX {
            return Ok(());
        }
        thread::scope(|scope| {
            let mut prefetcher = Prefetcher::begin(scope, store, None, self.at, to);
            while let Some(mut read) = prefetcher.next() {
                self.pass_batch(store, &read.buffers, findings)?;
                if progress(self.at, findings).is_break() {
                    return Err(StoreError::Cancelled);
                }
                if read.ended_by.is_some() {
                    break;
                }
                read.buffers.reuse(Vec::new());
                prefetcher.request(read.buffers);
            }
            Ok(())
        })
    }

    /// Passes the events of a batch, which follow the last one read.
    pub fn pass_batch(
        &mut self,
        store: &dyn Store,
        read: &BatchBuffers,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        for digest in &read.digests {
            self.pass(self.at + 1, *digest, findings);
        }
        self.finish_page(store, &read.noted, findings)
    }

    /// Passes the events of a batch that was folded, which follow the last one read.
    pub fn pass_folded(
        &mut self,
        store: &dyn Store,
        batch: &Batch,
        read: &BatchBuffers,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        // A root inside the batch is only known while its events are added one by one.
        if self.roots.are_due(batch.to.position) {
            return self.pass_batch(store, read, findings);
        }
        self.events += read.digests.len() as u64;
        self.at = batch.to.position;
        let (tree, block) = batch.to.tree.split(NODE_LEVELS);
        (self.tree, self.block) = (Some(tree), Some(block));
        let complete = batch.tree_nodes.iter().filter(|(node, _)| node.level == NODE_LEVELS);
        self.blocks.extend(complete.map(|(node, hash)| (node.index, *hash)));
        self.compare_last_block();
        self.finish_page(store, &read.noted, findings)
    }

    /// What differs from the views so far.
    pub fn take_differing(&mut self) -> Findings {
        std::mem::take(&mut self.differing)
    }

    /// Adds the findings that are only known at the end.
    pub fn finish(&mut self, findings: &mut Findings) {
        self.erasures.finish(self.at, findings);
        self.compare_roots(findings);
        self.roots.finish(findings);
    }

    fn pass(&mut self, position: Position, digest: Hash, findings: &mut Findings) {
        self.pass_gap(position, findings);
        if (position - 1).is_multiple_of(BLOCK_EVENTS) {
            self.block = Some(RightEdge::default());
        }
        if let Some(block) = &mut self.block {
            block.push(digest, |_, _| {});
        }
        self.events += 1;
        self.at = position;
        if let Some(block) = self.block.take_if(|block| block.size() == BLOCK_EVENTS) {
            self.complete_block(block.root());
        }
        self.compare_last_block();
        self.compare_roots(findings);
    }

    /// Checks what can wait until a page of events is read.
    fn finish_page(
        &mut self,
        store: &dyn Store,
        noted: &Noted,
        findings: &mut Findings,
    ) -> Result<(), StoreError> {
        self.imported += noted.imported;
        noted.erasing.iter().for_each(|erasing| self.erasures.pass(erasing, findings));
        self.compare_blocks(store)
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
    fn compare_blocks(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let blocks = std::mem::take(&mut self.blocks);
        let projected = self.projected.as_ref().map_or(0, RightEdge::size) / BLOCK_EVENTS;
        let (Some((first, _)), Some((last, _))) = (blocks.first(), blocks.last()) else {
            return Ok(());
        };
        let nodes = store.views().tree_nodes(NODE_LEVELS, *first..(*last + 1).min(projected));
        let Some(nodes) = self.differing.of_views(nodes)? else {
            self.projected = None;
            return Ok(());
        };
        for (index, hash) in blocks {
            if nodes.get(&index).is_some_and(|node| *node != hash) {
                let last = Node { level: NODE_LEVELS, index }.leaves().end;
                add_changed(last + 1 - BLOCK_EVENTS, last, &mut self.differing);
            }
        }
        Ok(())
    }

    /// Compares the block that is incomplete at the checkpoint of the views.
    fn compare_last_block(&mut self) {
        let here = self.projected.as_ref().filter(|tree| tree.size() == self.at);
        let (Some(projected), Some(block)) = (here, &self.block) else { return };
        let incomplete = projected.nodes().filter(|(node, _)| node.level < NODE_LEVELS);
        if !incomplete.map(|(_, hash)| hash).eq(block.hashes().iter().copied()) {
            add_changed(self.at + 1 - block.size(), self.at, &mut self.differing);
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
