//! Verification: whether the log is unchanged since it was projected, and the views match it.

pub mod background;
pub mod chain;
pub mod compare;
mod findings;
mod log;
mod rollups;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::domain::digest::{CHAIN_START, Digester, Hash};
use crate::domain::{Position, RecordedEvent, Rule};
use crate::projection::ProjectionError;
use crate::projection::catch_up::Progress;
use crate::projection::compatibility::ViewsState;
use crate::projection::digest::{PAGE_MESSAGES, digest};
use crate::store::{CHAIN_MARK_EVERY, Checkpoint, EventPages, Store, StoreError, Views};

use self::compare::side_by_side;
use self::findings::Findings;
pub use self::findings::{Finding, FindingKind};
pub use self::log::{LogVerified, verify_log};

/// How many events are read between two reports of progress.
const PAGE_EVENTS: u64 = 4096;

/// A copy of the chain's value that was stored elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub position: Position,
    pub hash: Hash,
}

/// The result of a verification.
#[derive(Debug, Clone)]
pub struct Verified {
    pub head: Position,
    /// The chain's value at the head; `None` if the log has gaps or unreadable events.
    pub hash: Option<Hash>,
    pub checkpoint: Position,
    /// How many events were read.
    pub events: u64,
    /// How many of them were imported.
    pub imported: u64,
    pub rule: Rule,
    /// The digest of a fresh fold at the checkpoint; `None` if the log could not be folded.
    pub digest: Option<Hash>,
    pub findings: Vec<Finding>,
    /// The files, `log` or `views`, whose engine check was given up because they were written too fast.
    /// Everything else was still checked.
    pub unfinished: Vec<&'static str>,
}

/// Verifies a ledger: reads the whole log once for its chain and again for a fresh fold. It repairs nothing.
/// `progress` can stop it while it reads for the chain.
pub fn verify(
    store: &dyn Store,
    expected: Option<Expected>,
    progress: Progress<'_>,
) -> Result<Verified, ProjectionError> {
    let views = store.views();
    let mut findings = Findings::default();
    let log_is_sound = findings.checked(store.check()?, "log");
    let views_are_sound = findings.checked(views.check()?, "views");
    let checkpoint = match views_are_sound {
        true => findings.of_views(views.checkpoint())?,
        false => None,
    };
    let fits = checkpoint.as_ref().is_some_and(|checkpoint| {
        findings.check_state(&ViewsState::new(store, checkpoint, checkpoint.rule))
    });
    let marks = match checkpoint.as_ref().filter(|_| fits) {
        Some(checkpoint) => findings.of_views(marks(store, checkpoint))?.unwrap_or_default(),
        None => BTreeMap::new(),
    };
    let mut walk = Walk::new(marks, expected, PAGE_EVENTS);
    match store.head().and_then(|head| walk.through(store, head, &mut findings, progress)) {
        // Damaged pages end the walk; they were reported above.
        Err(StoreError::Engine { .. }) if !log_is_sound => walk.chain = None,
        Err(error @ StoreError::Engine { .. }) if findings.unfinished.contains(&"log") => {
            findings.add(FindingKind::EngineDamage, None, format!("log: {error}"));
            walk.chain = None;
        }
        walked => walked?,
    }
    let rule = checkpoint.as_ref().map_or(Rule::default(), |checkpoint| checkpoint.rule);
    let mut checkpoint = checkpoint.map_or(0, |checkpoint| checkpoint.position);
    let mut digest = None;
    if fits && walk.chain.is_some() {
        let compared = compare_projection(store, rule, &mut findings)?;
        (checkpoint, digest) = compared.map_or((checkpoint, None), |(at, hash)| (at, Some(hash)));
        // Alongside a server, the views may have read beyond the earlier head.
        walk.through(store, checkpoint, &mut findings, progress)?;
    }
    walk.expect_reached(&mut findings);
    Ok(Verified {
        head: walk.head,
        hash: walk.chain,
        checkpoint,
        events: walk.events,
        imported: walk.imported,
        rule,
        digest,
        findings: findings.found,
        unfinished: findings.unfinished,
    })
}

/// The stored chain at every mark and at the checkpoint itself.
fn marks(
    store: &dyn Store,
    checkpoint: &Checkpoint,
) -> Result<BTreeMap<Position, Hash>, StoreError> {
    let mut marks = store.views().chain_marks()?;
    marks.retain(|position, _| *position <= checkpoint.position);
    marks.insert(checkpoint.position, checkpoint.chain);
    Ok(marks)
}

/// Compares the views with a fresh fold. Returns the checkpoint of the comparison and the fold's digest;
/// `None` if the views cannot be read to the end.
fn compare_projection(
    store: &dyn Store,
    rule: Rule,
    findings: &mut Findings,
) -> Result<Option<(Position, Hash)>, ProjectionError> {
    let fresh = store.temporary_views(rule)?;
    let compared = side_by_side(store, store.views(), &*fresh, &mut |in_use, fresh| {
        if in_use != fresh {
            let sid = in_use.or(fresh).map_or("", |message| message.key.message_sid.as_str());
            findings.add(
                FindingKind::ProjectionDiffers,
                None,
                format!("message {} is not what the log says of it", sid.escape_debug()),
            );
        }
    });
    let compared = match compared {
        Err(ProjectionError::Store(error)) => findings.of_views(Err(error))?,
        compared => Some(compared?),
    };
    let Some(checkpoint) = compared else { return Ok(None) };
    rollups::compare(store, store.views(), &*fresh, findings)?;
    let looked_up = check_lookup(store.views(), &*fresh, findings);
    findings.of_views(looked_up)?;
    Ok(Some((checkpoint, digest(&*fresh)?)))
}

/// Checks that every message is found by its SID.
fn check_lookup(
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let (_, messages) = fresh.page(after, PAGE_MESSAGES)?;
        let Some(last) = messages.last() else { return Ok(()) };
        after = last.id;
        let keys: Vec<_> = messages.iter().map(|message| &message.key).collect();
        for (message, found) in messages.iter().zip(in_use.load(&keys)?) {
            if found.map(|found| found.id) != Some(message.id) {
                let sid = message.key.message_sid.as_str().escape_debug().to_string();
                let detail = format!("message {sid} is not found by its SID");
                findings.add(FindingKind::ProjectionDiffers, None, detail);
            }
        }
    }
}

/// A pass over the log, event by event.
struct Walk {
    head: Position,
    events: u64,
    imported: u64,
    /// The last position read.
    at: Position,
    /// The chain of the log as it is now; `None` after a gap.
    chain: Option<Hash>,
    /// The chain since the last mark, so that a changed block does not affect later ones.
    block: Option<Hash>,
    marks: BTreeMap<Position, Hash>,
    expected: Option<Expected>,
    digester: Digester,
    /// Events read between two calls of `progress`.
    page_events: u64,
    /// Whether the chain was compared at the expected position.
    compared: bool,
}

impl Walk {
    fn new(marks: BTreeMap<Position, Hash>, expected: Option<Expected>, page_events: u64) -> Self {
        let (chain, block) = (Some(CHAIN_START), Some(CHAIN_START));
        let digester = Digester::default();
        Self {
            head: 0,
            events: 0,
            imported: 0,
            at: 0,
            chain,
            block,
            marks,
            expected,
            digester,
            page_events,
            compared: false,
        }
    }

    fn through(
        &mut self,
        store: &dyn Store,
        to: Position,
        findings: &mut Findings,
        progress: Progress<'_>,
    ) -> Result<(), StoreError> {
        self.head = self.head.max(to);
        loop {
            let pages = EventPages::new(store, self.at + 1..=self.head);
            let page = pages.lending_at_most(self.page_events).lend_next(&mut |event| {
                self.pass(event, findings);
                ControlFlow::Continue(())
            });
            match page {
                Ok(ControlFlow::Break(())) => return Ok(()),
                Ok(ControlFlow::Continue(())) => {}
                Err(StoreError::Unreadable { position, detail }) => {
                    self.pass_unreadable(position, detail, findings);
                }
                Err(error) => return Err(error),
            }
            if progress(self.at).is_break() {
                return Err(StoreError::Cancelled);
            }
        }
    }

    fn pass(&mut self, event: &RecordedEvent, findings: &mut Findings) {
        self.pass_gap(event.position, findings);
        let digest = self.digester.digest(event).digest;
        let next = |chain: Hash| crate::domain::digest::chain(&chain, &digest);
        (self.chain, self.block) = (self.chain.map(next), self.block.map(next));
        self.events += 1;
        self.imported += u64::from(event.is_imported());
        self.at = event.position;
        self.check_mark(findings);
        self.check_expected(findings);
    }

    fn pass_unreadable(&mut self, position: Position, detail: String, findings: &mut Findings) {
        self.pass_gap(position, findings);
        findings.add(FindingKind::UnreadableEvent, Some(position), detail);
        (self.chain, self.block) = (None, None);
        self.at = position;
        self.check_mark(findings);
    }

    fn pass_gap(&mut self, next: Position, findings: &mut Findings) {
        let (first, last) = (self.at + 1, next - 1);
        if first > last {
            return;
        }
        let detail = match first == last {
            true => format!("there is no event at position {first}"),
            false => format!("there are no events at positions {first} to {last}"),
        };
        findings.add(FindingKind::MissingPosition, Some(first), detail);
        (self.chain, self.block) = (None, None);
        if let Some((_, mark)) = self.marks.range(first..=last).next_back() {
            self.block = Some(*mark);
        }
    }

    /// Compares the block that ends here with its value when it was projected.
    fn check_mark(&mut self, findings: &mut Findings) {
        let Some(mark) = self.marks.get(&self.at).copied() else { return };
        if self.block.is_some_and(|block| block != mark) {
            let first = (self.at - 1) / CHAIN_MARK_EVERY * CHAIN_MARK_EVERY + 1;
            findings.add(
                FindingKind::ChangedEvents,
                Some(first),
                format!("positions {first} to {} are not what was read there before", self.at),
            );
        }
        self.block = Some(mark);
    }

    fn check_expected(&mut self, findings: &mut Findings) {
        let here = self.expected.filter(|expected| expected.position == self.at);
        let (Some(expected), Some(chain)) = (here, self.chain) else { return };
        self.compared = true;
        if chain != expected.hash {
            findings.unexpected(expected.position, "the chain has another value there");
        }
    }

    fn expect_reached(&self, findings: &mut Findings) {
        match self.expected {
            Some(expected) if expected.position > self.at => {
                findings.unexpected(expected.position, "the log ends before it");
            }
            Some(expected) if !self.compared => {
                findings.unexpected(expected.position, "the chain cannot be followed that far");
            }
            _ => {}
        }
    }
}
