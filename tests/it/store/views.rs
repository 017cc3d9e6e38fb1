//! The views' half of the contract.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::domain::filter::MessageFilter;
use delivery_ledger::domain::message_ref::MessageRef;
use delivery_ledger::domain::{
    AccountSid, MessageKey, MessageSid, NewEvent, Position, RecordedEvent, Rule, Timestamp,
};
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::fold::fold;
use delivery_ledger::store::{Batch, Checkpoint, Message, MessageChange, Store, StoreError, Views};
use delivery_ledger::twilio::callback::Reading;
use delivery_ledger::wire;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{Engine, SOUND};
use crate::lifecycle::any_callback;
use crate::support::events::{event, one_a_second, recorded};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, sent, sid};

fn key(account: Option<&str>, sid: &str) -> MessageKey {
    MessageKey {
        account_sid: account.map(|account| AccountSid::parse(account).unwrap()),
        message_sid: MessageSid::parse(sid).unwrap(),
    }
}

/// A message that is not in the views yet, of one event at this position.
fn new_message(key: MessageKey, position: Position) -> Message {
    let event = RecordedEvent { position, event: event(sent(key.message_sid.as_str())) };
    let lifecycle = fold(Rule::default(), &key, vec![event]).unwrap().lifecycle;
    Message { id: 0, key, lifecycle }
}

/// A step from one position to the next, with these messages.
fn batch(views: &dyn Views, from: Position, messages: Vec<Message>) -> Batch {
    let to = Checkpoint {
        position: from + messages.len() as u64,
        event_id: Some(Uuid::from_u128(7)),
        chain: [9; 32],
        ..views.checkpoint().unwrap()
    };
    let messages =
        messages.into_iter().map(|message| MessageChange { before: None, message }).collect();
    Batch { from, to, messages, chain_marks: Vec::new() }
}

/// Projects new messages of these keys, one event each.
fn project(views: &dyn Views, keys: &[MessageKey]) {
    let from = views.checkpoint().unwrap().position;
    let messages = keys.iter().zip(from + 1..).map(|(key, at)| new_message(key.clone(), at));
    views.project(&batch(views, from, messages.collect())).unwrap();
}

fn project_log(store: &dyn Store, views: &dyn Views) -> Checkpoint {
    let head = store.head().unwrap();
    catch_up(store, views, head, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn sids(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.key.message_sid.as_str()).collect()
}

fn all_sids(views: &dyn Views) -> Vec<String> {
    sids(&views.page(0, 1000).unwrap().1).into_iter().map(str::to_owned).collect()
}

pub fn fresh_views_have_read_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let checkpoint = store.views().checkpoint().unwrap();
    assert_eq!(
        checkpoint,
        Checkpoint {
            ledger_id: store.ledger_id(),
            generation: checkpoint.generation,
            rule: Rule::FailureTerminal,
            position: 0,
            event_id: None,
            chain: [0; 32],
            first_real: 0,
            last_simulated: 0,
        }
    );
    assert_eq!(store.views().page(0, 10).unwrap(), (checkpoint, vec![]));
    assert_eq!(store.views().chain_marks().unwrap(), BTreeMap::new());
}

pub fn a_batch_moves_the_checkpoint_and_survives_closing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let step = batch(store.views(), 0, vec![new_message(key(Some(ACCOUNT), "SM1"), 1)]);
    store.views().project(&step).unwrap();
    assert_eq!(store.views().checkpoint().unwrap(), step.to);
    drop(store);

    let store = engine.open();

    let (checkpoint, found) = store.views().find(&MessageSid::parse("SM1").unwrap()).unwrap();
    assert_eq!(checkpoint, step.to);
    let projected = Message { id: 1, ..step.messages[0].message.clone() };
    assert_eq!(found, [projected]);
}

pub fn a_batch_from_elsewhere_than_the_checkpoint_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(None, "SM1"), key(None, "SM2")]);
    let before = store.views().checkpoint().unwrap();
    for from in [0, 1, 3] {
        let step = batch(store.views(), from, vec![new_message(key(None, "SM3"), from + 1)]);
        let outcome = store.views().project(&step);
        assert!(matches!(outcome, Err(StoreError::CheckpointMoved)), "{outcome:?}");
    }
    assert_eq!(store.views().checkpoint().unwrap(), before);
    assert_eq!(all_sids(store.views()), ["SM1", "SM2"]);
}

pub fn a_batch_by_another_rule_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let step = batch(store.views(), 0, vec![new_message(key(None, "SM1"), 1)]);
    store.views().reset(Rule::DeliveryWins).unwrap();
    let outcome = store.views().project(&step);
    assert!(matches!(outcome, Err(StoreError::CheckpointMoved)), "{outcome:?}");
    assert_eq!(all_sids(store.views()), [""; 0]);
}

pub fn messages_are_loaded_in_the_order_asked_for<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let [a, b, unknown] = ["SMa", "SMb", "SMc"].map(|sid| key(Some(ACCOUNT), sid));
    project(store.views(), &[a.clone(), b.clone()]);

    let keys = [b.clone(), unknown, a.clone(), b.clone(), key(Some(OTHER_ACCOUNT), "SMa")];
    let loaded = store.views().load(&keys.each_ref()).unwrap();

    let loaded: Vec<_> = loaded.into_iter().map(|found| found.map(|found| found.key)).collect();
    assert_eq!(loaded, [Some(b.clone()), None, Some(a), Some(b), None]);
    assert_eq!(store.views().load(&[]).unwrap(), []);
}

pub fn a_message_is_an_account_and_a_sid<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let three = [None, Some(ACCOUNT), Some(OTHER_ACCOUNT)].map(|account| key(account, "SM1"));
    project(store.views(), &three);

    let (_, found) = store.views().find(&MessageSid::parse("SM1").unwrap()).unwrap();
    let keys: Vec<_> = found.into_iter().map(|message| message.key).collect();
    assert_eq!(keys, three);
    let (_, other) = store.views().find(&MessageSid::parse("SM2").unwrap()).unwrap();
    assert_eq!(other, []);
}

pub fn every_sid_is_a_message_of_its_own<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let hex = "0123456789abcdef0123456789abcdef";
    let sids = [
        format!("SM{hex}"),
        format!("MM{hex}"),
        format!("sm{hex}"),
        format!("SM{}", hex.to_uppercase()),
        format!("XX{hex}"),
        hex.to_owned(),
        format!("SM{hex} "),
        "\u{0}".to_owned(),
        "\u{1}".to_owned(),
        "a\u{0}b".to_owned(),
        "a\u{0}c".to_owned(),
        "ü".to_owned(),
        "9".repeat(2048),
    ];
    let keys: Vec<_> = sids.iter().map(|sid| key(Some(ACCOUNT), sid)).collect();
    project(store.views(), &keys);

    assert_eq!(all_sids(store.views()), sids);
    for key in &keys {
        let (_, found) = store.views().find(&key.message_sid).unwrap();
        assert_eq!(
            found.into_iter().map(|message| message.key).collect::<Vec<_>>(),
            std::slice::from_ref(key)
        );
    }
}

pub fn pages_are_in_order_of_first_arrival<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let keys = ["SMz", "SMa", "SMm", "SMb", "SMy"].map(|sid| key(None, sid));
    project(store.views(), &keys[..2]);
    project(store.views(), &keys[2..]);

    let (checkpoint, first) = store.views().page(0, 2).unwrap();
    assert_eq!(checkpoint.position, 5);
    assert_eq!(sids(&first), ["SMz", "SMa"]);
    let (_, next) = store.views().page(first[1].id, 2).unwrap();
    assert_eq!(sids(&next), ["SMm", "SMb"]);
    let (_, last) = store.views().page(next[1].id, 2).unwrap();
    assert_eq!(sids(&last), ["SMy"]);
    assert_eq!(last[0].id, 5, "ids are dense");
    assert_eq!(store.views().page(5, 2).unwrap().1, []);
}

/// Batch by batch or at once, through the store or not: one message, one lifecycle.
pub fn any_message_comes_back_as_it_was_folded<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let config = Config { cases: 30, failure_persistence: None, ..Config::default() };
    let events = proptest::collection::vec(any_callback(), 1..10);
    let outcome = TestRunner::new(config).run(&(events, 1..10_u64), |(events, first)| {
        for rule in Rule::ALL {
            let before = store.head().unwrap();
            // A message of its own for each run.
            let sid = sid(before as u32);
            let events = about(&sid, &events);
            let all: Vec<_> = recorded(events.clone())
                .into_iter()
                .map(|event| RecordedEvent { position: event.position + before, ..event })
                .collect();
            store.append(&events).unwrap();
            let views = store.temporary_views(rule).unwrap();
            let split = before + first.min(events.len() as u64);
            for up_to in [before, split, before + events.len() as u64] {
                catch_up(&*store, &*views, up_to, &mut |_| ControlFlow::Continue(())).unwrap();
            }
            let message_key = key(Some(ACCOUNT), &sid);
            let folded = fold(rule, &message_key, all).unwrap();
            let loaded = views.load(&[&message_key]).unwrap().remove(0).unwrap();
            prop_assert_eq!(&loaded.lifecycle, &folded.lifecycle);
            views.build_indexes().unwrap();
            let (_, found) = views.find(&loaded.key.message_sid).unwrap();
            prop_assert_eq!(&found, &vec![loaded.clone()]);
            prop_assert_eq!(views.page(loaded.id - 1, 1).unwrap().1, vec![loaded]);
        }
        Ok(())
    });
    outcome.unwrap();
}

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

/// The same callbacks about another message.
fn about(other: &str, events: &[NewEvent]) -> Vec<NewEvent> {
    let renamed = events.iter().cloned().map(|event| {
        let body = String::from_utf8(event.body).unwrap().replace(&sid(1), other);
        NewEvent { body: body.into_bytes(), event_id: Uuid::now_v7(), ..event }
    });
    one_a_second(renamed)
}

pub fn reset_views_are_empty_and_of_their_rule<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(Some(ACCOUNT), "SM1")]);

    store.views().reset(Rule::DeliveryWins).unwrap();

    let checkpoint = store.views().checkpoint().unwrap();
    assert_eq!((checkpoint.position, checkpoint.event_id), (0, None));
    assert_eq!(checkpoint.rule, Rule::DeliveryWins);
    assert_eq!(checkpoint.chain, [0; 32]);
    assert_eq!(all_sids(store.views()), [""; 0]);
    assert_eq!(store.views().load(&[&key(Some(ACCOUNT), "SM1")]).unwrap(), [None]);
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

pub fn the_chain_is_marked_at_every_4096th_position<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let events: Vec<_> = (0..8_200).map(|number| event(format!("n={number}"))).collect();
    store.append(&events).unwrap();

    let checkpoint = project_log(&*store, store.views());

    let marks = store.views().chain_marks().unwrap();
    assert_eq!(marks.keys().copied().collect::<Vec<_>>(), [4096, 8192]);
    assert!(marks.values().all(|mark| *mark != checkpoint.chain), "the checkpoint has its own");
    // Whoever stops at a mark has the same value there.
    let scratch = store.temporary_views(Rule::default()).unwrap();
    let at_mark = catch_up(&*store, &*scratch, 4096, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(marks[&4096], at_mark.chain);
}

pub fn sound_views_have_no_damage<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&[event(sent(&sid(1)))]).unwrap();
    project_log(&*store, store.views());
    assert_eq!(store.views().check().unwrap(), SOUND);
    assert_eq!(store.temporary_views(Rule::default()).unwrap().check().unwrap(), SOUND);
}

#[test]
fn the_random_callbacks_are_about_the_one_message() {
    let config = Config { cases: 50, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&any_callback(), |event| {
        let key_of = Reading::of(&event).message_key();
        prop_assert_eq!(key_of, Some(key(Some(ACCOUNT), &sid(1))));
        Ok(())
    });
    outcome.unwrap();
}

// Lists.

fn filter(conditions: &[(&str, &str)]) -> MessageFilter {
    let mut filter = MessageFilter::default();
    let now = Timestamp::parse("2099-01-01T00:00:00Z").unwrap();
    for (name, value) in conditions {
        assert!(wire::filter::set(&mut filter, name, value, now).unwrap());
    }
    filter
}

/// Every page of a list, as the ids of its messages.
fn pages(store: &dyn Store, conditions: &[(&str, &str)], limit: usize) -> Vec<Vec<u64>> {
    let (wanted, mut pages, mut before) = (filter(conditions), Vec::new(), None);
    loop {
        let listed = store.views().list(&wanted, before, limit).unwrap();
        pages.push(listed.messages.iter().map(|message| message.id).collect());
        before = listed.next_before;
        if before.is_none() {
            return pages;
        }
    }
}

pub fn lists_are_newest_first_and_their_pages_leave_nothing_out<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&one_a_second((1..=7).map(|number| event(sent(&sid(number)))))).unwrap();
    project_log(&*store, store.views());
    assert_eq!(pages(&*store, &[], 3), [vec![7, 6, 5], vec![4, 3, 2], vec![1]]);
    assert_eq!(pages(&*store, &[], 7), [vec![7, 6, 5, 4, 3, 2, 1]], "the last page has no next");
    assert_eq!(pages(&*store, &[("to", "+19999999999")], 3), [Vec::<u64>::new()]);
}

/// A page is found by an index or by looking at messages; which makes no difference but in time.
pub fn a_list_has_exactly_what_its_conditions_say<E: Engine>() {
    let conditions: &[&[(&str, &str)]] = &[
        &[("conflict", "true")],
        &[("late", "true")],
        &[("duplicate", "true")],
        &[("duplicate", "false"), ("late", "true")],
        &[("status", "sent")],
        &[("status", "unknown")],
        &[("status", "failed"), ("conflict", "false")],
        &[("to", "+15550002671")],
        &[("to", "*2671")],
        &[("to", "*2671"), ("late", "true")],
        &[("from", "*0604"), ("status", "delivered")],
        &[("from", "+15017250604")],
        &[("to", "+15558675310"), ("from", "+15017250604")],
        &[("inbound", "false")],
        &[("inbound", "true")],
        &[("inbound", "true"), ("status", "unknown")],
        &[("inbound", "false"), ("status", "unknown")],
        &[("inbound", "false"), ("to", "*2671")],
        &[("simulated", "false")],
        &[("simulated", "true")],
        &[("simulated", "true"), ("inbound", "false")],
        &[("stuck", "1s"), ("simulated", "false")],
    ];
    let traffic = proptest::collection::vec((any_callback(), 0..6_u32, 0..3_usize), 1..60);
    let mut runner =
        TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&traffic, |traffic| {
        let engine = E::fresh();
        let store = engine.open();
        let about = |(event, number, to): (NewEvent, u32, usize)| {
            let to = ["%2B15558675310", "whatsapp%3A%2B15550002671", "%2B15550002671"][to];
            let body = String::from_utf8(event.body).unwrap();
            let body = body.replace(&sid(1), &sid(number)).replace("%2B15558675310", to);
            NewEvent { body: body.into_bytes(), ..event }
        };
        let events = one_a_second(traffic.into_iter().map(about));
        for step in events.chunks(7) {
            store.append(step).unwrap();
            project_log(&*store, store.views());
        }
        let check = |how: &str| {
            let (_, all) = store.views().page(0, 1000).unwrap();
            for conditions in conditions {
                let wanted = filter(conditions);
                let fit = all
                    .iter()
                    .rev()
                    .filter(|m| wanted.matches(&MessageRef::of(&m.key, &m.lifecycle)));
                let expected: Vec<_> = fit.map(|message| message.id).collect();
                let found = pages(&*store, conditions, 2).concat();
                prop_assert_eq!(&found, &expected, "{:?} {}", conditions, how);
            }
            prop_assert_eq!(store.views().check().unwrap(), SOUND);
            Ok(())
        };
        check("as they came")?;
        let shadow = store.begin_rebuild(Rule::default()).unwrap();
        project_log(&*store, shadow.views());
        assert!(shadow.swap_in().unwrap());
        check("after a replay")
    });
    outcome.unwrap();
}
