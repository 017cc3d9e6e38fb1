//! Events that name a message and report nothing of it.

use delivery_ledger::domain::Rule;
use delivery_ledger::store::{Batch, SilentEvent, Views};

use super::{Engine, batch};

fn silent(message: u64, position: u64) -> SilentEvent {
    SilentEvent { message, position }
}

fn project(views: &dyn Views, silent_events: Vec<SilentEvent>) {
    let from = views.checkpoint().unwrap().position;
    views.project(&Batch { silent_events, ..batch(views, from, Vec::new()) }).unwrap();
}

pub fn silent_events_are_found_by_message_and_in_pages<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let views = store.views();
    let largest = i64::MAX as u64;
    project(views, vec![silent(7, 1), silent(largest, 2)]);
    project(views, vec![silent(7, 3)]);

    let of = |message| views.silent_events(silent(message, 0), message, 10).unwrap();
    assert_eq!(of(7), [silent(7, 1), silent(7, 3)]);
    assert_eq!(of(largest), [silent(largest, 2)]);
    assert_eq!(of(8), []);
    let start = silent(0, 0);
    let first = views.silent_events(start, u64::MAX, 2).unwrap();
    assert_eq!(first, [silent(7, 1), silent(7, 3)]);
    assert_eq!(views.silent_events(first[1], u64::MAX, 2).unwrap(), [silent(largest, 2)]);

    views.reset(Rule::default()).unwrap();
    assert_eq!(views.silent_events(start, u64::MAX, 10).unwrap(), []);
}
