//! Views that are rebuilt next to the ones in use, and temporary views.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use delivery_ledger::domain::tree::Node;
use delivery_ledger::domain::{MessageSid, NewEvent, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::store::StoreError;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Engine, SOUND, about, all_sids, batch, key, new_message, project};
use crate::lifecycle::any_event;
use crate::support::sid;

/// Also if the addresses or flags of a message change after its indexes were built.
pub fn a_new_generation_may_continue_after_its_indexes_were_built<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let config = Config { cases: 30 / E::SLOWER, failure_persistence: None, ..Config::default() };
    let events = proptest::collection::vec((1..4_u32, any_event()), 1..16);
    let splits = proptest::collection::vec(0..16_u64, 0..3);
    let outcome = TestRunner::new(config).run(&(events, splits), |(events, mut splits)| {
        let before = store.head().unwrap();
        let of_message = |(message, event): (u32, NewEvent)| {
            about(&sid(message + before as u32), &[event]).remove(0)
        };
        let events: Vec<_> = events.into_iter().map(of_message).collect();
        store.append(&events).unwrap();
        let head = store.head().unwrap();
        let generation = store.begin_generation(Rule::default()).unwrap();

        splits.sort_unstable();
        let ends = splits.into_iter().map(|split| (before + split).min(head)).chain([head]);
        for up_to in ends {
            let go_on = &mut |_| ControlFlow::Continue(());
            catch_up(&*store, generation.views(), up_to, go_on).unwrap();
            generation.build_indexes().unwrap();
        }
        prop_assert!(generation.swap_in().unwrap());
        drop(generation);

        prop_assert_eq!(store.views().check().unwrap(), SOUND);
        let count = store.views().count().unwrap() as usize;
        for message in store.views().page(0, count).unwrap().1 {
            let found = store.views().find(&message.key.message_sid).unwrap().1;
            prop_assert!(found.contains(&message));
        }
        Ok(())
    });
    outcome.unwrap();
}

pub fn readers_see_the_old_views_until_the_swap<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SMold")]);
    let [old, new] = ["SMold", "SMnew"].map(|sid| key(None, sid));

    let generation = store.begin_generation(Rule::DeliveryWins).unwrap();
    assert_eq!(generation.views().checkpoint().unwrap().rule, Rule::DeliveryWins);
    assert_eq!(generation.views().checkpoint().unwrap().position, 0);
    let mut step = batch(generation.views(), 0, vec![new_message(new.clone(), 1)]);
    step.messages[0].message.lifecycle.evidence.rule = Rule::DeliveryWins;
    step.tree_nodes = vec![(Node { level: 8, index: 5 }, [1; 32])];
    generation.views().project(&step).unwrap();

    assert_eq!(all_sids(generation.views()), ["SMnew"]);
    assert_eq!(all_sids(store.views()), ["SMold"]);
    assert_eq!(store.views().checkpoint().unwrap().rule, Rule::FailureTerminal);
    assert_eq!(store.views().tree_nodes(8, 0..9).unwrap(), BTreeMap::new());
    assert!(
        generation.views().load(&[&new]).unwrap()[0].is_some(),
        "it can be loaded before there are indexes"
    );

    assert!(generation.swap_in().unwrap());
    drop(generation);

    assert_eq!(all_sids(store.views()), ["SMnew"]);
    let (_, found) = store.views().find(&new.message_sid).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(store.views().checkpoint().unwrap(), step.to);
    assert_eq!(store.views().tree_nodes(8, 0..9).unwrap(), [(5, [1; 32])].into());
    let (_, replaced) = store.views().find(&old.message_sid).unwrap();
    assert_eq!(replaced, []);
    // They can be written on, and replaced again.
    project(store.views(), &[key(None, "SMnewer")]);
    let generation = store.begin_generation(Rule::default()).unwrap();
    project(generation.views(), &[key(None, "SMnewest"), key(None, "SMlast")]);
    assert!(generation.swap_in().unwrap());
    drop(generation);
    project(store.views(), &[key(None, "SMafter")]);
    assert_eq!(all_sids(store.views()), ["SMnewest", "SMlast", "SMafter"]);
}

pub fn rebuilt_views_that_are_behind_are_not_swapped_in<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1"), key(None, "SM2")]);
    let before = store.views().checkpoint().unwrap();
    let generation = store.begin_generation(Rule::default()).unwrap();
    project(generation.views(), &[key(None, "SM1")]);

    assert!(!generation.swap_in().unwrap());

    assert_eq!(store.views().checkpoint().unwrap(), before);
    project(generation.views(), &[key(None, "SM2")]);
    assert!(generation.swap_in().unwrap());
    assert_ne!(store.views().checkpoint().unwrap().generation, before.generation);
}

/// The batch holds what was read from the views that were replaced, and may be wrong as they were.
pub fn a_batch_started_before_a_swap_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1")]);
    let step = batch(store.views(), 1, vec![new_message(key(None, "SM2"), 2)]);
    let generation = store.begin_generation(Rule::default()).unwrap();
    project(generation.views(), &[key(None, "SM1")]);
    assert!(generation.swap_in().unwrap());
    drop(generation);

    let outcome = store.views().project(&step);

    assert!(matches!(outcome, Err(StoreError::CheckpointMoved)), "{outcome:?}");
    assert_eq!(all_sids(store.views()), ["SM1"]);
}

pub fn only_one_replay_can_run_at_a_time<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let generation = store.begin_generation(Rule::default()).unwrap();
    project(generation.views(), &[key(None, "SM1")]);

    let another = store.begin_generation(Rule::default()).map(|_| ());

    assert!(matches!(another, Err(StoreError::Replaying { .. })), "{another:?}");
    assert_eq!(all_sids(generation.views()), ["SM1"], "the first is left alone");
}

/// Tells others that its holder is done, also where that failed.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Twenty rebuilds are swapped in while others read: their messages, their chain and their rule change
/// together.
pub fn readers_see_a_swap_atomically<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let (rebuilds, done, read) = (20, AtomicBool::new(false), AtomicU64::new(0));
    let seen = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = BTreeMap::new();
            while !done.load(Ordering::Relaxed) {
                let (checkpoint, messages) = store.views().page(0, 1000).unwrap();
                let generations = seen.len();
                seen.entry(checkpoint.generation).or_insert_with(|| messages.len());
                assert_eq!(messages.len() as u64, checkpoint.position, "after {generations}");
                let found = store.views().find(&MessageSid::parse("SM1").unwrap()).unwrap();
                assert_eq!(found.1.len() as u64, found.0.position.min(1));
                read.store(checkpoint.position, Ordering::Relaxed);
            }
            seen
        });
        let done = Done(&done);
        for length in 1..=rebuilds {
            let generation = store.begin_generation(Rule::default()).unwrap();
            let keys = (1..=length).map(|message| key(None, &format!("SM{message}")));
            project(generation.views(), &keys.collect::<Vec<_>>());
            assert!(generation.swap_in().unwrap());
            while read.load(Ordering::Relaxed) < length && !reader.is_finished() {
                std::thread::yield_now();
            }
        }
        drop(done);
        reader.join().unwrap()
    });
    assert!(seen.len() >= rebuilds as usize, "not all of them were seen: {seen:?}");
}

/// Views are emptied twenty times while others read: their messages and their position change together.
pub fn readers_see_a_reset_atomically<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let (resets, done, read) = (20, AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let (checkpoint, messages) = store.views().page(0, 1000).unwrap();
                assert_eq!(messages.len() as u64, checkpoint.position);
                read.fetch_add(1, Ordering::Relaxed);
            }
        });
        let done = Done(&done);
        for _ in 0..resets {
            project(store.views(), &[key(None, "SM1"), key(None, "SM2")]);
            let before = read.load(Ordering::Relaxed);
            while read.load(Ordering::Relaxed) < before + 2 && !reader.is_finished() {
                std::thread::yield_now();
            }
            store.views().reset(Rule::default()).unwrap();
        }
        drop(done);
        reader.join().unwrap();
    });
}

pub fn a_new_generation_is_empty<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let generation = store.begin_generation(Rule::default()).unwrap();
    project(generation.views(), &[key(None, "SM1")]);
    drop(generation);
    let generation = store.begin_generation(Rule::default()).unwrap();
    assert_eq!(all_sids(generation.views()), [""; 0]);
    assert_eq!(generation.views().checkpoint().unwrap().position, 0);
}

pub fn a_dropped_generation_leaves_no_trace<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SMold")]);
    let generation = store.begin_generation(Rule::DeliveryWins).unwrap();
    drop(generation);
    drop(store);

    let store = engine.open();

    assert_eq!(all_sids(store.views()), ["SMold"]);
    assert_eq!(store.views().checkpoint().unwrap().rule, Rule::FailureTerminal);
}

pub fn temporary_views_are_separate<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1")]);
    let scratch = store.temporary_views(Rule::DeliveryWins).unwrap();
    assert_eq!(scratch.checkpoint().unwrap().rule, Rule::DeliveryWins);
    assert_eq!(scratch.checkpoint().unwrap().ledger_id, store.ledger_id());
    assert_eq!(all_sids(&*scratch), [""; 0]);
    scratch.reset(Rule::default()).unwrap();
    project(&*scratch, &[key(None, "SM2")]);
    assert_eq!(all_sids(&*scratch), ["SM2"]);
    assert_eq!(all_sids(store.views()), ["SM1"]);
}
