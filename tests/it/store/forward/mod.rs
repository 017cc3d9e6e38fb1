//! The part of the store contract that forwarding relies on.

mod model;
pub mod sqlite;

use delivery_ledger::domain::{Position, Timestamp};
use delivery_ledger::store::forward::{
    Answer, AnswerCount, ForwardStore, ReadTo, Step, UnacceptedEvent, Which,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use self::model::Model;
use super::Engine;

const LEDGER: Uuid = Uuid::from_u128(7);
const NAMES: [&str; 2] = ["billing", "orders"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn read_to(position: Position) -> ReadTo {
    ReadTo { position, event_id: (position > 0).then(|| Uuid::from_u128(position.into())) }
}

/// An event that has been tried once, at second 100 and its position, and is due at second 1000.
fn waiting(position: Position) -> UnacceptedEvent {
    UnacceptedEvent {
        position,
        order_key: [position as u8; 16],
        attempts: 1,
        first_attempt_at: Some(at(100 + position as i64)),
        due_at: at(1000),
        last_answer: None,
        failed_at: None,
    }
}

fn failed(position: Position) -> UnacceptedEvent {
    UnacceptedEvent { failed_at: Some(at(900)), ..waiting(position) }
}

/// A store with the target `orders`, which has read up to position 10.
fn with_events<E: Engine>(engine: &E, unaccepted: Vec<UnacceptedEvent>) -> Box<dyn ForwardStore> {
    let mut store = engine.forward();
    store.create("orders", LEDGER, read_to(0)).unwrap();
    let step = Step { read_to: Some(read_to(10)), unaccepted, ..Step::default() };
    assert!(store.record("orders", 1, &step, 0).unwrap());
    store
}

fn waiting_positions(store: &dyn ForwardStore) -> Vec<Position> {
    store.waiting("orders").unwrap().iter().map(|event| event.position).collect()
}

fn positions(store: &dyn ForwardStore) -> Vec<Position> {
    store.unaccepted("orders", 0, 100).unwrap().iter().map(|event| event.position).collect()
}

pub fn a_target_keeps_its_state_when_it_is_created_again<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1)]);
    store.create("orders", Uuid::from_u128(8), read_to(99)).unwrap();
    let state = store.target("orders").unwrap().unwrap();
    assert_eq!((state.ledger_id, state.read_to), (LEDGER, read_to(10)));
    assert_eq!(positions(&*store), [1]);
}

pub fn a_step_for_another_version_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1), waiting(2)]);
    store.skip("orders", Which::At(2)).unwrap();
    let before = store.target("orders").unwrap().unwrap();
    assert_eq!(before.version, 2);
    let step = Step {
        read_to: Some(read_to(20)),
        unaccepted: vec![waiting(2), waiting(11)],
        finished: vec![1],
        accepted: 1,
        failing_since: Some(at(5)),
        last_answer: Some(Answer { at: at(6), text: "204".to_owned() }),
        answers: vec![count(5, "204", 1, 1)],
    };

    assert!(!store.record("orders", 1, &step, 0).unwrap());
    assert_eq!(store.target("orders").unwrap().unwrap(), before);
    assert_eq!(positions(&*store), [1]);
    assert_eq!(store.answers("orders", 0).unwrap(), []);

    assert!(store.record("orders", 2, &step, 0).unwrap());
    assert_eq!(positions(&*store), [2, 11]);
}

pub fn whoever_followed_a_target_before_writes_no_further_step<E: Engine>() {
    let engine = E::fresh();
    let mut before = with_events(&engine, vec![waiting(1)]);
    let version = before.target("orders").unwrap().unwrap().version;
    let mut next = engine.forward();

    next.take_over("orders").unwrap();

    let step = Step { read_to: Some(read_to(20)), ..Step::default() };
    assert!(!before.record("orders", version, &step, 0).unwrap());
    let taken_over = next.target("orders").unwrap().unwrap();
    assert!(next.record("orders", taken_over.version, &step, 0).unwrap());
    assert_eq!(positions(&*next), [1]);
}

pub fn a_step_of_an_unknown_target_writes_nothing<E: Engine>() {
    let engine = E::fresh();
    let mut store = engine.forward();
    let step = Step { unaccepted: vec![waiting(1)], ..Step::default() };
    assert!(!store.record("orders", 1, &step, 0).unwrap());
    assert_eq!(store.retry("orders", Which::All, at(1)).unwrap(), 0);
    assert_eq!(store.move_to("orders", read_to(5)).unwrap(), None);
    assert_eq!(store.targets().unwrap(), []);
}

pub fn a_retried_event_counts_its_attempts_on_and_its_time_anew<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1), failed(2), failed(3)]);

    assert_eq!(store.retry("orders", Which::Failed, at(2000)).unwrap(), 2);

    let events = store.waiting("orders").unwrap();
    assert_eq!(events[0], waiting(1));
    let retried = UnacceptedEvent { due_at: at(2000), first_attempt_at: None, ..waiting(2) };
    assert_eq!(events[1], retried);
    assert_eq!(events.len(), 3);
    assert_eq!(store.target("orders").unwrap().unwrap().version, 2);
}

pub fn a_waiting_event_that_is_retried_is_given_up_no_later<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1), waiting(2)]);
    assert_eq!(store.retry("orders", Which::At(1), at(500)).unwrap(), 1);
    let due_now = UnacceptedEvent { due_at: at(500), ..waiting(1) };
    assert_eq!(store.waiting("orders").unwrap(), [due_now, waiting(2)]);
}

pub fn after_an_outage_its_events_are_due_and_earlier_ones_are_not<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![failed(1), waiting(2), failed(3), waiting(4)]);

    assert_eq!(store.retry_since("orders", at(103), at(2000)).unwrap(), 2);

    let due = |position| UnacceptedEvent {
        due_at: at(2000),
        first_attempt_at: None,
        ..waiting(position)
    };
    let events = store.unaccepted("orders", 0, 100).unwrap();
    assert_eq!(events, [failed(1), waiting(2), due(3), due(4)]);
    assert_eq!(store.target("orders").unwrap().unwrap().version, 1, "the server does it itself");
}

pub fn skipped_events_are_forgotten<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1), failed(2), failed(3), waiting(4)]);
    assert_eq!(store.skip("orders", Which::At(9)).unwrap(), 0);
    assert_eq!(store.skip("orders", Which::At(1)).unwrap(), 1);
    assert_eq!(store.skip("orders", Which::Failed).unwrap(), 2);
    assert_eq!(positions(&*store), [4]);
    assert_eq!(store.skip("orders", Which::All).unwrap(), 1);
    assert_eq!(store.target("orders").unwrap().unwrap().read_to, read_to(10));
}

pub fn a_target_moved_forward_forgets_what_waits_and_keeps_what_failed<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1), failed(2), waiting(9)]);
    assert_eq!(store.move_to("orders", read_to(50)).unwrap(), Some(2));
    assert_eq!(positions(&*store), [2]);
    assert_eq!(store.target("orders").unwrap().unwrap().read_to, read_to(50));
}

pub fn a_target_moved_back_forgets_what_it_reads_again<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![failed(2), waiting(3), failed(8), waiting(9)]);
    assert_eq!(store.move_to("orders", read_to(5)).unwrap(), Some(3));
    assert_eq!(positions(&*store), [2]);
}

pub fn a_target_whose_log_was_cut_off_keeps_the_events_before_the_cut<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![failed(2), waiting(3), failed(8), waiting(9)]);
    assert_eq!(store.cut_off("orders", read_to(10)).unwrap(), 0);
    assert_eq!(store.cut_off("orders", read_to(5)).unwrap(), 2);
    assert_eq!(positions(&*store), [2, 3]);
    assert_eq!(store.target("orders").unwrap().unwrap().read_to, read_to(5));
}

pub fn a_removed_target_leaves_nothing_behind<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, vec![waiting(1)]);
    let step = Step { answers: vec![count(5, "204", 1, 1)], ..Step::default() };
    assert!(store.record("orders", 1, &step, 0).unwrap());
    assert!(store.remove("orders").unwrap());
    assert!(!store.remove("orders").unwrap());
    store.create("orders", LEDGER, read_to(3)).unwrap();
    assert_eq!(positions(&*store), [0; 0]);
    assert_eq!(store.answers("orders", 0).unwrap(), []);
}

pub fn answers_are_added_up_over_hours_the_most_frequent_first<E: Engine>() {
    let engine = E::fresh();
    let mut store = with_events(&engine, Vec::new());
    let answers = vec![count(5, "204", 3, 9), count(6, "500", 4, 3), count(6, "204", 2, 8)];
    let step = Step { answers, ..Step::default() };
    assert!(store.record("orders", 1, &step, 0).unwrap());
    assert_eq!(store.answers("orders", 5).unwrap(), [count(6, "204", 5, 9), count(6, "500", 4, 3)]);
    assert_eq!(store.answers("orders", 6).unwrap(), [count(6, "500", 4, 3), count(6, "204", 2, 8)]);

    assert!(store.record("orders", 1, &Step::default(), 6).unwrap());
    assert_eq!(store.answers("orders", 0).unwrap(), [count(6, "500", 4, 3), count(6, "204", 2, 8)]);
}

pub fn two_stores_see_what_the_other_has_written<E: Engine>() {
    let engine = E::fresh();
    let mut server = with_events(&engine, vec![waiting(1), failed(2)]);
    let mut command = engine.forward();
    assert_eq!(command.retry("orders", Which::Failed, at(1)).unwrap(), 1);
    assert_eq!(server.target("orders").unwrap().unwrap().version, 2);
    let step = Step { finished: vec![1, 2], accepted: 2, ..Step::default() };
    assert!(!server.record("orders", 1, &step, 0).unwrap());
    assert!(server.record("orders", 2, &step, 0).unwrap());
    assert_eq!(command.target("orders").unwrap().unwrap().accepted, 2);
    assert_eq!(waiting_positions(&*command), [0; 0]);
}

fn count(hour: i64, answer: &str, attempts: u64, last_position: Position) -> AnswerCount {
    let (answer, status) = (answer.to_owned(), "sent".to_owned());
    AnswerCount { hour, answer, status, attempts, last_position }
}

// The law: the store is the model.

#[derive(Debug, Clone)]
enum Act {
    Create(Position),
    /// A step; `true` for the version that the target has.
    Record(Box<Step>, bool),
    Retry(Which),
    RetrySince(i64),
    Skip(Which),
    MoveTo(Position),
    CutOff(Position),
    Remove,
    Reopen,
}

pub fn any_acts_lead_to_the_state_of_the_model<E: Engine>() {
    let acts = proptest::collection::vec((select(&NAMES), any_act()), 1..30);
    let mut runner =
        TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&acts, |acts| {
        let engine = E::fresh();
        let (mut store, mut model) = (engine.forward(), Model::default());
        for (number, (name, act)) in (0_i64..).zip(acts) {
            let now = at(2000 + number);
            match act {
                Act::Create(from) => {
                    model.create(name, LEDGER, read_to(from));
                    store.create(name, LEDGER, read_to(from)).unwrap();
                }
                Act::Record(mut step, fits) => {
                    // Time goes on: no answer is older than what is removed.
                    let hour = number / 3;
                    step.answers.iter_mut().for_each(|count| count.hour = hour);
                    let version = model.version(name).unwrap_or(1) + u64::from(!fits);
                    let expected = model.record(name, version, &step, hour - 2);
                    prop_assert_eq!(
                        store.record(name, version, &step, hour - 2).unwrap(),
                        expected
                    );
                }
                Act::Retry(which) => {
                    let expected = model.retry(name, which, now);
                    prop_assert_eq!(store.retry(name, which, now).unwrap(), expected);
                }
                Act::RetrySince(since) => {
                    let expected = model.retry_since(name, at(since), now);
                    prop_assert_eq!(store.retry_since(name, at(since), now).unwrap(), expected);
                }
                Act::Skip(which) => {
                    let expected = model.skip(name, which);
                    prop_assert_eq!(store.skip(name, which).unwrap(), expected);
                }
                Act::MoveTo(to) => {
                    let expected = model.move_to(name, read_to(to));
                    prop_assert_eq!(store.move_to(name, read_to(to)).unwrap(), expected);
                }
                Act::CutOff(end) => {
                    let expected = model.cut_off(name, read_to(end));
                    prop_assert_eq!(store.cut_off(name, read_to(end)).unwrap(), expected);
                }
                Act::Remove => {
                    prop_assert_eq!(store.remove(name).unwrap(), model.remove(name));
                }
                Act::Reopen => store = engine.forward(),
            }
            model.assert_equals(&*store, &NAMES);
        }
        Ok(())
    });
    outcome.unwrap();
}

fn any_act() -> impl Strategy<Value = Act> {
    let position = 0..12_u64;
    prop_oneof![
        3 => position.clone().prop_map(Act::Create),
        8 => (any_step(), prop::bool::weighted(0.9))
            .prop_map(|(step, fits)| Act::Record(Box::new(step), fits)),
        1 => any_which().prop_map(Act::Retry),
        1 => (100..112_i64).prop_map(Act::RetrySince),
        1 => any_which().prop_map(Act::Skip),
        1 => position.clone().prop_map(Act::MoveTo),
        1 => position.prop_map(Act::CutOff),
        1 => Just(Act::Remove),
        1 => Just(Act::Reopen),
    ]
}

fn any_which() -> impl Strategy<Value = Which> {
    prop_oneof![(1..12_u64).prop_map(Which::At), Just(Which::Failed), Just(Which::All)]
}

fn any_step() -> impl Strategy<Value = Step> {
    let events = proptest::collection::vec(any_event(), 0..5);
    let finished = proptest::collection::vec(1..12_u64, 0..3);
    let answers = proptest::collection::vec((any_answer(), 1..9_u64, 1..12_u64), 0..3);
    let read_to_position = proptest::option::of(0..12_u64);
    let (since, answer) = (proptest::option::of(0..9_i64), proptest::option::of(any_answer()));
    (read_to_position, events, finished, 0..3_u64, since, answer, answers).prop_map(
        |(position, unaccepted, finished, accepted, since, answer, answers)| Step {
            read_to: position.map(read_to),
            unaccepted,
            finished,
            accepted,
            failing_since: since.map(at),
            last_answer: answer.map(|text| Answer { at: at(7), text }),
            answers: answers.into_iter().map(|(text, n, last)| count(0, &text, n, last)).collect(),
        },
    )
}

fn any_event() -> impl Strategy<Value = UnacceptedEvent> {
    let answer = proptest::option::of(any_answer());
    (1..12_u64, any::<[u8; 16]>(), 0..9_u32, any::<bool>(), any::<bool>(), answer).prop_map(
        |(position, order_key, attempts, tried, gave_up, answer)| UnacceptedEvent {
            order_key,
            attempts,
            first_attempt_at: waiting(position).first_attempt_at.filter(|_| tried),
            last_answer: answer.map(|text| Answer { at: at(8), text }),
            failed_at: gave_up.then(|| at(900)),
            ..waiting(position)
        },
    )
}

fn any_answer() -> impl Strategy<Value = String> {
    select(&["204", "500", "timeout"]).prop_map(str::to_owned)
}
