//! Rebuilding the views from position 1, by the same `catch_up` that keeps them up.

use std::time::Instant;

use super::catch_up::{Progress, catch_up};
use super::compare::side_by_side;
use super::digest::digest;
use super::{ProjectionError, align};
use crate::domain::digest::Hash;
use crate::domain::{MessageKey, Position, Rule, Status};
use crate::store::{Store, Views};

/// What a replay did.
#[derive(Debug, Clone)]
pub struct Replayed {
    pub head: Position,
    pub checkpoint: Position,
    pub events: u64,
    pub events_per_second: f64,
    pub rule: Rule,
    pub digest: Hash,
}

/// A message that another rule, or a fresh fold, shows otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub key: MessageKey,
    pub from: Option<Status>,
    pub to: Option<Status>,
}

/// Rebuilds the views in a shadow and puts it in their place; until then everybody reads the old
/// ones. Another process may append, project and read meanwhile.
///
/// What is returned tells of the views up to the head that the log had at the beginning; those that
/// are put in place have read on as far as the ones they replace.
pub fn replay(
    store: &dyn Store,
    rule: Rule,
    progress: Progress<'_>,
) -> Result<Replayed, ProjectionError> {
    let head = store.head()?;
    let shadow = store.shadow(rule)?;
    let replayed = rebuild(store, shadow.views(), rule, head, progress)?;
    while !shadow.take_over()? {
        let wanted = store.views().checkpoint()?.position;
        let head = store.head()?;
        if wanted > head {
            return Err(ProjectionError::OtherHistory(wanted));
        }
        catch_up(store, shadow.views(), head, progress)?;
    }
    Ok(replayed)
}

/// Rebuilds into views of their own and tells which messages would be shown otherwise.
/// The views in use stay as they are.
pub fn dry_run(
    store: &dyn Store,
    rule: Rule,
    progress: Progress<'_>,
    tell: &mut dyn FnMut(Change),
) -> Result<Replayed, ProjectionError> {
    let in_use = store.views();
    let checkpoint = in_use.checkpoint()?;
    let fits = align::Alignment::of(store, &checkpoint, checkpoint.rule)?;
    let fresh = store.scratch(rule)?;
    let up_to = if fits == align::Alignment::Fitting { checkpoint.position } else { 0 };
    let mut replayed = rebuild(store, &*fresh, rule, up_to, progress)?;
    if up_to > 0 {
        replayed.checkpoint = side_by_side(store, in_use, &*fresh, &mut |old, new| {
            let status = |side: Option<&crate::store::Message>| {
                side.and_then(|message| message.lifecycle.evidence.status())
            };
            let (from, to) = (status(old), status(new));
            if let Some(message) = new.or(old).filter(|_| from != to) {
                tell(Change { key: message.key.clone(), from, to });
            }
        })?;
    }
    replayed.digest = digest(&*fresh)?;
    replayed.head = store.head()?;
    Ok(replayed)
}

fn rebuild(
    store: &dyn Store,
    views: &dyn Views,
    rule: Rule,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<Replayed, ProjectionError> {
    let began = Instant::now();
    let checkpoint = catch_up(store, views, up_to, progress)?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Replayed {
        head: up_to,
        checkpoint: checkpoint.position,
        events: checkpoint.position,
        events_per_second: checkpoint.position as f64 / seconds.max(f64::EPSILON),
        rule,
        digest: digest(views)?,
    })
}
