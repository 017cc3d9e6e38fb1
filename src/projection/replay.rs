//! Replays: the views rebuilt from position 1, by the same `catch_up` that keeps them up to date.

use std::panic::resume_unwind;
use std::thread;
use std::time::Instant;

use super::catch_up::{Progress, catch_up};
use super::digest::digest;
use super::verify::compare::side_by_side;
use super::{ProjectionError, compatibility};
use crate::domain::hash::Hash;
use crate::domain::{MessageKey, Position, Rule, Status};
use crate::store::{Checkpoint, Store, StoreError, Views};

/// The result of a replay.
#[derive(Debug, Clone)]
pub struct Replayed {
    /// The head up to which the result describes the log.
    pub head: Position,
    /// The last position that was read.
    pub checkpoint: Position,
    /// The number of events that were read.
    pub events: u64,
    /// The speed of reading and projecting.
    pub events_per_second: f64,
    /// The rule by which statuses were decided.
    pub rule: Rule,
    /// The digest of the rebuilt views.
    pub digest: Hash,
}

/// A message that has another status by another rule, or in a fresh fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The account and SID of the message.
    pub key: MessageKey,
    /// The status in the views; `None` is unknown.
    pub from: Option<Status>,
    /// The status by the other rule or in the fresh fold; `None` is unknown.
    pub to: Option<Status>,
}

/// Rebuilds the views and replaces those in use, which everybody reads until then. Another process
/// may append, project and read meanwhile.
///
/// The result describes the views up to the head that the log had at the beginning. When they are put
/// in use, they have read at least as far as those that they replace.
pub fn replay(
    store: &dyn Store,
    rule: Rule,
    progress: Progress<'_>,
) -> Result<Replayed, ProjectionError> {
    let head = store.head()?;
    let new = store.begin_generation(rule)?;
    let filled = fill(store, new.views(), head, progress)?;
    let digest = digest_while(&*new.reader()?, || new.build_indexes())?;
    while !new.swap_in()? {
        let wanted = store.views().checkpoint()?.position;
        let head = store.head()?;
        if wanted > head {
            return Err(ProjectionError::OtherHistory(wanted));
        }
        catch_up(store, new.views(), head, progress)?;
    }
    Ok(filled.replayed(head, digest))
}

/// Replays into temporary views and reports the messages whose status would differ.
/// The views in use stay as they are.
pub fn dry_run(
    store: &dyn Store,
    rule: Rule,
    progress: Progress<'_>,
    report: &mut dyn FnMut(Change),
) -> Result<Replayed, ProjectionError> {
    let in_use = store.views();
    let checkpoint = in_use.checkpoint()?;
    let fits = compatibility::ViewsState::new(store, &checkpoint, checkpoint.rule)?;
    let fresh = store.temporary_views(rule)?;
    let up_to = if fits == compatibility::ViewsState::Current { checkpoint.position } else { 0 };
    let mut filled = fill(store, &*fresh, up_to, progress)?;
    if up_to > 0 {
        filled.checkpoint = side_by_side(store, in_use, &*fresh, progress, &mut |old, new| {
            let status = |side: Option<&crate::store::Message>| {
                side.and_then(|message| message.lifecycle.evidence.status())
            };
            let (from, to) = (status(old), status(new));
            if let Some(message) = new.or(old).filter(|_| from != to) {
                report(Change { key: message.key.clone(), from, to });
            }
        })?;
    }
    Ok(filled.replayed(store.head()?, digest(&*fresh)?))
}

/// The result of catching up from position 0.
struct Filled {
    rule: Rule,
    checkpoint: Position,
    events: u64,
    events_per_second: f64,
}

impl Filled {
    fn replayed(self, head: Position, digest: Hash) -> Replayed {
        let Self { rule, checkpoint, events, events_per_second } = self;
        Replayed { head, checkpoint, events, events_per_second, rule, digest }
    }
}

fn fill(
    store: &dyn Store,
    views: &dyn Views,
    up_to: Position,
    progress: Progress<'_>,
) -> Result<Filled, ProjectionError> {
    let began = Instant::now();
    let Checkpoint { position, rule, .. } = catch_up(store, views, up_to, progress)?;
    let seconds = began.elapsed().as_secs_f64().max(f64::EPSILON);
    let events_per_second = position as f64 / seconds;
    Ok(Filled { rule, checkpoint: position, events: position, events_per_second })
}

/// The digest of views, computed during an act that does not change their messages.
fn digest_while(
    views: &dyn Views,
    act: impl FnOnce() -> Result<(), StoreError>,
) -> Result<Hash, StoreError> {
    thread::scope(|scope| {
        let digest = scope.spawn(|| digest(views));
        act()?;
        digest.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
