//! The steps of a verification: a pass over the log, the engine's own checks, and the comparison with the views.

use std::ops::ControlFlow;

use super::findings::{FindingKind, Findings};
use super::messages::{Compared, compare};
use super::roots::Roots;
use super::walk::Walk;
use super::{COMPARISON, Expected, Pass, Step, Verified, VerifyProgress, tree};
use crate::domain::{Position, Rule};
use crate::projection::ProjectionError;
use crate::projection::catch_up::catch_up_by_batches;
use crate::projection::compatibility::ViewsState;
use crate::projection::erased::ErasureState;
use crate::store::{Checked, Checkpoint, Store, StoreError, Views};

/// How many events are read between two reports of progress, where anything is wrong.
const PAGE_EVENTS: u64 = 4096;

/// What the engine found in its own files.
pub struct EngineChecks {
    log: Checked,
    views: Checked,
}

impl EngineChecks {
    /// Reads every page.
    pub fn run(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self { log: store.check()?, views: store.views().check()? })
    }
}

/// A verification, which nothing has been reported of yet.
pub struct Verifying<'s> {
    store: &'s dyn Store,
    of_log: Findings,
    /// Void if the pages of the views are damaged.
    of_views: Findings,
    /// `None` if it cannot be read.
    checkpoint: Option<Checkpoint>,
    walk: Walk,
    /// The log folded up to the checkpoint; `None` if the views do not belong to the log.
    fresh: Option<Result<Box<dyn Views>, ProjectionError>>,
    erasing: Erasing,
}

/// Whether messages were being erased, and how many had been.
#[derive(PartialEq, Eq)]
struct Erasing {
    unfinished: bool,
    erased: u64,
}

impl Erasing {
    fn read(store: &dyn Store) -> Self {
        Self {
            unfinished: ErasureState::read(store).is_ok_and(|state| state.unfinished),
            erased: store.erasing().erased_count().unwrap_or_default(),
        }
    }
}

impl<'s> Verifying<'s> {
    /// Checks that the views belong to the log.
    pub fn begin(
        store: &'s dyn Store,
        expected: Option<Expected>,
        in_file: Vec<Expected>,
    ) -> Result<Self, ProjectionError> {
        let (mut of_log, mut of_views) = (Findings::default(), Findings::default());
        let erasing = Erasing::read(store);
        let views = store.views();
        let checkpoint = of_views.of_views(views.checkpoint())?;
        let fitting = checkpoint.as_ref().filter(|checkpoint| {
            of_views.check_state(&ViewsState::new(store, checkpoint, checkpoint.rule))
        });
        if let Some(checkpoint) = fitting {
            let checked = tree::check_nodes(views, checkpoint, &mut of_views);
            of_views.of_views(checked)?;
        }
        let roots = Roots::new(store, expected, in_file, Position::MAX, &mut of_log)?;
        let walk = Walk::new(fitting, roots, PAGE_EVENTS, &mut of_log);
        let fresh = fitting.map(|checkpoint| Ok(store.temporary_views(checkpoint.rule)?));
        Ok(Self { store, of_log, of_views, checkpoint, walk, fresh, erasing })
    }

    /// Reads the log up to its head.
    pub fn read_log(&mut self, progress: VerifyProgress<'_>) -> Result<(), ProjectionError> {
        self.fold(progress)?;
        let Self { store, walk, of_log, .. } = self;
        let mut in_log = |position, findings: &Findings| {
            progress(Step { pass: Pass::Log, position, findings: findings.found.len() })
        };
        walk.head = store.head()?;
        walk.ahead_to_damage(*store, walk.head, of_log, &mut in_log)?;
        Ok(walk.through(*store, walk.head, of_log, &mut in_log)?)
    }

    /// Reads the log up to the checkpoint of the views, and folds it. If that fails, the walk finds out why.
    fn fold(&mut self, progress: VerifyProgress<'_>) -> Result<(), ProjectionError> {
        let Self { store, walk, of_log, fresh, checkpoint, .. } = self;
        let (Some(Ok(views)), Some(checkpoint)) = (&*fresh, checkpoint) else { return Ok(()) };
        let mut passed = Ok(());
        let folded =
            catch_up_by_batches(*store, &**views, checkpoint.position, &mut |batch, read| {
                passed = walk.pass_folded(*store, batch, read, of_log);
                if passed.is_err() {
                    return ControlFlow::Break(());
                }
                let findings = of_log.found.len();
                progress(Step { pass: Pass::Log, position: walk.at, findings })
            });
        passed?;
        match folded {
            Err(ProjectionError::Stopped) => return Err(ProjectionError::Stopped),
            Err(error) => *fresh = Some(Err(error)),
            Ok(_) => {}
        }
        Ok(())
    }

    /// Compares the views with the fold, and collects what is wrong. `read` is how reading the log ended.
    pub fn finish(
        mut self,
        engine: EngineChecks,
        read: Result<(), ProjectionError>,
        progress: VerifyProgress<'_>,
    ) -> Result<Verified, ProjectionError> {
        let mut findings = Findings::default();
        let log_is_sound = findings.checked(engine.log, "log");
        let views_are_checked = engine.views.finished;
        let views_are_sound = findings.checked(engine.views, "views");
        if views_are_sound {
            findings.append(std::mem::take(&mut self.of_views));
        }
        findings.append(std::mem::take(&mut self.of_log));
        self.note_end_of_log(read, log_is_sound, &mut findings)?;
        let differing = self.walk.take_differing();
        let checkpoint = self.checkpoint.take().filter(|_| views_are_sound);
        if views_are_sound {
            findings.append(differing);
        }
        let rule = checkpoint.as_ref().map_or(Rule::default(), |checkpoint| checkpoint.rule);
        let mut compared =
            Compared { checkpoint: checkpoint.map_or(0, |it| it.position), digest: None };
        let fresh = self.fresh.take().filter(|_| views_are_sound && self.walk.root().is_some());
        if let Some(fresh) = fresh.transpose()? {
            let is_checked = views_are_checked && self.store.views().check_covers_lookups();
            let outcome = self.compare(&*fresh, rule, is_checked, &mut findings, progress)?;
            compared = outcome.unwrap_or(compared);
            // Alongside a server, the views may have read beyond the earlier head.
            let mut rest = |_, _: &Findings| ControlFlow::Continue(());
            self.walk.through(self.store, compared.checkpoint, &mut findings, &mut rest)?;
            findings.append(self.walk.take_differing());
        }
        self.walk.finish(&mut findings);
        Ok(Verified {
            head: self.walk.head,
            hash: self.walk.root(),
            checkpoint: compared.checkpoint,
            events: self.walk.events,
            imported: self.walk.imported,
            rule,
            digest: compared.digest,
            findings: findings.found,
            unfinished: findings.unfinished,
        })
    }

    /// Turns damage that ended the reading into findings; every other error is one of the verification.
    fn note_end_of_log(
        &mut self,
        read: Result<(), ProjectionError>,
        log_is_sound: bool,
        findings: &mut Findings,
    ) -> Result<(), ProjectionError> {
        match read {
            Err(ProjectionError::Store(StoreError::Cancelled)) => Err(ProjectionError::Stopped),
            // Damaged pages, which the engine's check has reported.
            Err(ProjectionError::Store(StoreError::Engine { .. })) if !log_is_sound => {
                self.walk.forget_tree();
                Ok(())
            }
            Err(ProjectionError::Store(error @ StoreError::Engine { .. }))
                if findings.unfinished.contains(&"log") =>
            {
                findings.add(FindingKind::EngineDamage, None, format!("log: {error}"));
                self.walk.forget_tree();
                Ok(())
            }
            read => read,
        }
    }

    /// Compares the views with the fold. While messages are being erased, the views still have what the log has no
    /// more, so that what differs is no finding.
    fn compare(
        &self,
        fresh: &dyn Views,
        rule: Rule,
        lookups_are_checked: bool,
        findings: &mut Findings,
        progress: VerifyProgress<'_>,
    ) -> Result<Option<Compared>, ProjectionError> {
        let found = findings.found.len();
        let compared = compare(self.store, fresh, rule, lookups_are_checked, findings, progress)?;
        if self.erasing.unfinished || Erasing::read(self.store) != self.erasing {
            findings.found.truncate(found);
            findings.unfinished.push(COMPARISON);
        }
        Ok(compared)
    }
}
