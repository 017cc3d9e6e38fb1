//! The views' part of the store contract.

pub mod generation;
pub mod list;
pub mod logged_errors;
pub mod silent_events;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use delivery_ledger::domain::message::tags::IndexedTags;
use delivery_ledger::domain::tree::RightEdge;
use delivery_ledger::domain::{
    AccountSid, MessageKey, MessageSid, NewEvent, Position, RecordedEvent, Rule,
};
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::fold::fold;
use delivery_ledger::store::{Batch, Checkpoint, Message, MessageChange, Store, StoreError, Views};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{Engine, SOUND};
use crate::lifecycle::any_event;
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
    let event = RecordedEvent::new(position, event(sent(key.message_sid.as_str())));
    let lifecycle = fold(Rule::default(), &key, vec![event]).unwrap().lifecycle;
    Message { id: 0, key, lifecycle }
}

/// A step from one position to the next, with these messages.
fn batch(views: &dyn Views, from: Position, messages: Vec<Message>) -> Batch {
    let checkpoint = views.checkpoint().unwrap();
    let mut tree = checkpoint.tree.clone();
    messages.iter().for_each(|_| tree.push([9; 32], |_, _| {}));
    let to = Checkpoint {
        position: from + messages.len() as u64,
        event_id: Some(Uuid::from_u128(7)),
        tree,
        ..checkpoint
    };
    let messages =
        messages.into_iter().map(|message| MessageChange { before: None, message }).collect();
    let (tree_nodes, logged_errors, silent_events) = (Vec::new(), Vec::new(), Vec::new());
    Batch { from, to, messages, tree_nodes, logged_errors, silent_events, erased_events: 0 }
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

pub fn new_views_have_checkpoint_0<E: Engine>() {
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
            tree: RightEdge::default(),
            first_real: 0,
            last_simulated: 0,
            indexed_tags: IndexedTags::All,
        }
    );
    assert_eq!(store.views().page(0, 10).unwrap(), (checkpoint, vec![]));
    assert_eq!(store.views().tree_nodes(8, 0..10).unwrap(), BTreeMap::new());
}

pub fn a_batch_moves_the_checkpoint_durably<E: Engine>() {
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

pub fn a_batch_that_does_not_start_at_the_checkpoint_writes_nothing<E: Engine>() {
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

pub fn messages_are_loaded_in_the_requested_order<E: Engine>() {
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

pub fn messages_are_identified_by_account_and_sid<E: Engine>() {
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

pub fn similar_sids_are_different_messages<E: Engine>() {
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
pub fn any_message_is_read_back_equal<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let config = Config { cases: 30 / E::SLOWER, failure_persistence: None, ..Config::default() };
    let events = proptest::collection::vec(any_event(), 1..10);
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
            prop_assert_eq!(views.page(loaded.id - 1, 1).unwrap().1, vec![loaded]);
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

pub fn reset_views_are_empty_and_have_the_new_rule<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    project(store.views(), &[key(Some(ACCOUNT), "SM1")]);

    store.views().reset(Rule::DeliveryWins).unwrap();

    let checkpoint = store.views().checkpoint().unwrap();
    assert_eq!((checkpoint.position, checkpoint.event_id), (0, None));
    assert_eq!(checkpoint.rule, Rule::DeliveryWins);
    assert_eq!(checkpoint.tree, RightEdge::default());
    assert_eq!(all_sids(store.views()), [""; 0]);
    assert_eq!(store.views().load(&[&key(Some(ACCOUNT), "SM1")]).unwrap(), [None]);
}

pub fn every_block_of_256_events_has_a_node_of_the_tree<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let events: Vec<_> = (0..600).map(|number| event(format!("n={number}"))).collect();
    store.append(&events).unwrap();

    let checkpoint = project_log(&*store, store.views());

    let nodes = store.views().tree_nodes(8, 0..10).unwrap();
    assert_eq!(nodes.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(store.views().tree_nodes(8, 1..10).unwrap(), [(1, nodes[&1])].into());
    assert_eq!(store.views().tree_nodes(16, 0..10).unwrap(), BTreeMap::new());
    // Smaller steps make the same tree.
    let scratch = store.temporary_views(Rule::default()).unwrap();
    let step = |up_to| catch_up(&*store, &*scratch, up_to, &mut |_| ControlFlow::Continue(()));
    assert_eq!(step(256).unwrap().tree.root(), nodes[&0]);
    assert_eq!(step(300).unwrap().tree.size(), 300);
    assert_eq!(step(600).unwrap().tree, checkpoint.tree);
    assert_eq!(scratch.tree_nodes(8, 0..10).unwrap(), nodes);
}

pub fn sound_views_have_no_damage<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&[event(sent(&sid(1)))]).unwrap();
    project_log(&*store, store.views());
    assert_eq!(store.views().check().unwrap(), SOUND);
    assert_eq!(store.temporary_views(Rule::default()).unwrap().check().unwrap(), SOUND);
}
