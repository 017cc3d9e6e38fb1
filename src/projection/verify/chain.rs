//! The hash chain's value at any position, which identifies the log up to there.

use std::ops::ControlFlow;

use crate::domain::Position;
use crate::domain::digest::{self, CHAIN_START, Digester, Hash};
use crate::projection::ProjectionError;
use crate::store::{Store, for_each_event};

/// The chain up to a position that the views have read, computed from the nearest mark before it.
pub fn chain_at(store: &dyn Store, position: Position) -> Result<Hash, ProjectionError> {
    let marks = store.views().chain_marks()?;
    let mark = marks.range(..=position).next_back();
    let (mut at, mut chain) = mark.map_or((0, CHAIN_START), |(at, chain)| (*at, *chain));
    let mut digester = Digester::default();
    for_each_event(store, at + 1..=position, &mut |event| {
        if event.position != at + 1 {
            return ControlFlow::Break(());
        }
        chain = digest::chain(&chain, &digester.digest(event).digest);
        at = event.position;
        ControlFlow::Continue(())
    })?;
    if at < position {
        return Err(ProjectionError::Gap(at + 1));
    }
    Ok(chain)
}
