//! Compares two sets of views message by message, while those in use may be updated.

use std::thread;

use crate::domain::Position;
use crate::projection::catch_up::Progress;
use crate::projection::digest::pages_ahead::{PAGE_MESSAGES, PagesAhead};
use crate::projection::{ProjectionError, catch_up};
use crate::store::{Message, Store, Views};

/// Reads the views in use and fresh ones in the order of first arrival, and shows both sides of each message at
/// the same checkpoint: the fresh views catch up with the others first. Returns the last checkpoint.
/// `progress` can stop it, with [`ProjectionError::Stopped`].
pub fn side_by_side(
    store: &dyn Store,
    in_use: &dyn Views,
    fresh: &dyn Views,
    progress: Progress<'_>,
    show: &mut dyn FnMut(Option<&Message>, Option<&Message>),
) -> Result<Position, ProjectionError> {
    let mut after = 0;
    catch_up(store, fresh, in_use.checkpoint()?.position, progress)?;
    thread::scope(|scope| {
        let mut ours = PagesAhead::begin(scope, in_use);
        let mut theirs = PagesAhead::begin(scope, fresh);
        loop {
            let (checkpoint, ours) = ours.after(after)?;
            let (at, mut theirs) = theirs.after(after)?;
            if at.position != checkpoint.position {
                catch_up(store, fresh, checkpoint.position, progress)?;
                theirs = fresh.page(after, PAGE_MESSAGES)?.1;
            }
            if progress(checkpoint.position).is_break() {
                return Err(ProjectionError::Stopped);
            }
            let Some(last) = last_id(&ours).max(last_id(&theirs)) else {
                return Ok(checkpoint.position);
            };
            let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
            for id in after + 1..=last {
                let (a, b) = (ours.next_if(|m| m.id == id), theirs.next_if(|m| m.id == id));
                if a.is_some() || b.is_some() {
                    show(a, b);
                }
            }
            after = last;
        }
    })
}

fn last_id(messages: &[Message]) -> Option<u64> {
    messages.last().map(|message| message.id)
}
