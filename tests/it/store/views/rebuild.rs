//! Views that are rebuilt next to the ones in use, and temporary views.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::domain::{MessageSid, NewEvent, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::store::StoreError;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{Engine, SOUND, about, all_sids, batch, key, new_message, project};
use crate::lifecycle::any_callback;
use crate::support::sid;

/// Whatever was written already when a message's addresses change, and what is notable about it.
pub fn a_shadow_that_settles_in_the_middle_leads_to_every_message<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let config = Config { cases: 30, failure_persistence: None, ..Config::default() };
    let events = proptest::collection::vec((1..4_u32, any_callback()), 1..16);
    let splits = proptest::collection::vec(0..16_u64, 0..3);
    let outcome = TestRunner::new(config).run(&(events, splits), |(events, mut splits)| {
        let before = store.head().unwrap();
        let of_message = |(message, event): (u32, NewEvent)| {
            about(&sid(message + before as u32), &[event]).remove(0)
        };
        let events: Vec<_> = events.into_iter().map(of_message).collect();
        store.append(&events).unwrap();
        let head = store.head().unwrap();
        let shadow = store.begin_rebuild(Rule::default()).unwrap();

        splits.sort_unstable();
        let ends = splits.into_iter().map(|split| (before + split).min(head)).chain([head]);
        for up_to in ends {
            let go_on = &mut |_| ControlFlow::Continue(());
            catch_up(&*store, shadow.views(), up_to, go_on).unwrap();
            shadow.views().build_indexes().unwrap();
        }
        prop_assert!(shadow.swap_in().unwrap());
        drop(shadow);

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

pub fn readers_see_the_old_views_until_a_shadow_takes_over<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SMold")]);
    let [old, new] = ["SMold", "SMnew"].map(|sid| key(None, sid));

    let shadow = store.begin_rebuild(Rule::DeliveryWins).unwrap();
    assert_eq!(shadow.views().checkpoint().unwrap().rule, Rule::DeliveryWins);
    assert_eq!(shadow.views().checkpoint().unwrap().position, 0);
    let mut step = batch(shadow.views(), 0, vec![new_message(new.clone(), 1)]);
    step.messages[0].message.lifecycle.evidence.rule = Rule::DeliveryWins;
    step.chain_marks = vec![(4096, [1; 32])];
    shadow.views().project(&step).unwrap();

    assert_eq!(all_sids(shadow.views()), ["SMnew"]);
    assert_eq!(all_sids(store.views()), ["SMold"]);
    assert_eq!(store.views().checkpoint().unwrap().rule, Rule::FailureTerminal);
    assert_eq!(store.views().chain_marks().unwrap(), BTreeMap::new());
    assert!(shadow.views().load(&[&new]).unwrap()[0].is_some(), "it is found before it is settled");

    assert!(shadow.swap_in().unwrap());
    drop(shadow);

    assert_eq!(all_sids(store.views()), ["SMnew"]);
    let (_, found) = store.views().find(&new.message_sid).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(store.views().checkpoint().unwrap(), step.to);
    assert_eq!(store.views().chain_marks().unwrap(), [(4096, [1; 32])].into());
    let (_, replaced) = store.views().find(&old.message_sid).unwrap();
    assert_eq!(replaced, []);
    // They can be written on, and replaced again.
    project(store.views(), &[key(None, "SMnewer")]);
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    project(shadow.views(), &[key(None, "SMnewest"), key(None, "SMlast")]);
    assert!(shadow.swap_in().unwrap());
    drop(shadow);
    project(store.views(), &[key(None, "SMafter")]);
    assert_eq!(all_sids(store.views()), ["SMnewest", "SMlast", "SMafter"]);
}

pub fn a_shadow_does_not_take_over_before_it_has_read_as_far<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1"), key(None, "SM2")]);
    let before = store.views().checkpoint().unwrap();
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    project(shadow.views(), &[key(None, "SM1")]);

    assert!(!shadow.swap_in().unwrap());

    assert_eq!(store.views().checkpoint().unwrap(), before);
    project(shadow.views(), &[key(None, "SM2")]);
    assert!(shadow.swap_in().unwrap());
    assert_ne!(store.views().checkpoint().unwrap().generation, before.generation);
}

/// The batch holds what was read from the views that were replaced, and may be wrong as they were.
pub fn a_batch_begun_before_a_shadow_took_over_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1")]);
    let step = batch(store.views(), 1, vec![new_message(key(None, "SM2"), 2)]);
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    project(shadow.views(), &[key(None, "SM1")]);
    assert!(shadow.swap_in().unwrap());
    drop(shadow);

    let outcome = store.views().project(&step);

    assert!(matches!(outcome, Err(StoreError::CheckpointMoved)), "{outcome:?}");
    assert_eq!(all_sids(store.views()), ["SM1"]);
}

pub fn there_is_one_shadow_at_a_time<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    project(shadow.views(), &[key(None, "SM1")]);

    let another = store.begin_rebuild(Rule::default()).map(|_| ());

    assert!(matches!(another, Err(StoreError::Replaying { .. })), "{another:?}");
    assert_eq!(all_sids(shadow.views()), ["SM1"], "the first is left alone");
}

/// Tells others that its holder is done, also where that failed.
struct Done<'d>(&'d AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Twenty shadows take over while others read: their messages, their chain and their rule change
/// together.
pub fn readers_see_one_set_of_views_or_the_next_and_nothing_between<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let (shadows, done) = (20, AtomicBool::new(false));
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
            }
            seen
        });
        let done = Done(&done);
        for length in 1..=shadows {
            let shadow = store.begin_rebuild(Rule::default()).unwrap();
            let keys = (1..=length).map(|message| key(None, &format!("SM{message}")));
            project(shadow.views(), &keys.collect::<Vec<_>>());
            assert!(shadow.swap_in().unwrap());
        }
        drop(done);
        reader.join().unwrap()
    });
    assert!(seen.len() > shadows / 2, "hardly any of them was seen: {seen:?}");
}

pub fn a_shadow_begun_again_is_empty<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    project(shadow.views(), &[key(None, "SM1")]);
    drop(shadow);
    let shadow = store.begin_rebuild(Rule::default()).unwrap();
    assert_eq!(all_sids(shadow.views()), [""; 0]);
    assert_eq!(shadow.views().checkpoint().unwrap().position, 0);
}

pub fn a_shadow_that_never_took_over_leaves_no_trace<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SMold")]);
    let shadow = store.begin_rebuild(Rule::DeliveryWins).unwrap();
    drop(shadow);
    drop(store);

    let store = engine.open();

    assert_eq!(all_sids(store.views()), ["SMold"]);
    assert_eq!(store.views().checkpoint().unwrap().rule, Rule::FailureTerminal);
}

pub fn scratch_views_are_apart<E: Engine>() {
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
