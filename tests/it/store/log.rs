//! The log's part of the store contract.

use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::store::{Store, StoreError};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

use super::{Engine, SOUND};
use crate::support::events::{event, recorded, with_header};

/// Events that differ in their body.
fn events(count: usize) -> Vec<NewEvent> {
    (0..count).map(|number| event(format!("n={number}"))).collect()
}

/// All events, read in steps.
fn whole(store: &dyn Store, step: usize) -> Vec<RecordedEvent> {
    let mut read: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = read.last().map_or(0, |event| event.position);
        let next = store.read(after, step).unwrap();
        assert!(next.len() <= step);
        if next.is_empty() {
            return read;
        }
        read.extend(next);
    }
}

fn positions(events: &[RecordedEvent]) -> Vec<u64> {
    events.iter().map(|event| event.position).collect()
}

pub fn an_empty_log_has_head_0<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.head().unwrap(), 0);
    assert_eq!(store.read(0, 10).unwrap(), []);
}

pub fn positions_begin_at_1_and_have_no_gaps<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.append(&events(2)).unwrap(), 2);
    assert_eq!(store.append(&events(3)).unwrap(), 5);
    assert_eq!(store.head().unwrap(), 5);
    assert_eq!(positions(&store.read(0, 10).unwrap()), [1, 2, 3, 4, 5]);
}

pub fn appending_nothing_changes_nothing<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.append(&[]).unwrap(), 0);
    store.append(&events(2)).unwrap();
    assert_eq!(store.append(&[]).unwrap(), 2);
}

pub fn a_scan_continues_after_a_position<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&events(5)).unwrap();
    assert_eq!(positions(&store.read(2, 2).unwrap()), [3, 4]);
    assert_eq!(positions(&store.read(4, 2).unwrap()), [5]);
    assert_eq!(store.read(5, 2).unwrap(), []);
    assert_eq!(store.read(99, 2).unwrap(), []);
    assert_eq!(store.read(0, 0).unwrap(), []);
}

pub fn reads_of_any_length_return_every_event_once<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let all = events(23);
    store.append(&all).unwrap();
    for step in [1, 2, 7, 22, 23, 24, 1000] {
        let read = whole(&*store, step);
        assert_eq!(positions(&read), (1..=23).collect::<Vec<_>>());
        assert!(read.iter().zip(&all).all(|(read, appended)| read.event == *appended));
    }
}

pub fn large_events_shorten_reads_and_none_is_skipped<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let large: Vec<_> = (0..300).map(|number| event(vec![number as u8; 64 << 10])).collect();
    store.append(&large).unwrap();
    let read = whole(&*store, 1000);
    assert_eq!(positions(&read), (1..=300).collect::<Vec<_>>());
}

pub fn events_are_read_in_the_requested_order<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&events(5)).unwrap();
    assert_eq!(positions(&store.read_at(&[4, 1, 4, 5]).unwrap()), [4, 1, 4, 5]);
    assert_eq!(store.read_at(&[]).unwrap(), []);
}

pub fn a_position_without_an_event_is_reported<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.append(&events(2)).unwrap();
    for missing in [0, 3, 1_000_000] {
        match store.read_at(&[1, missing]) {
            Err(StoreError::NoSuchEvent { position }) => assert_eq!(position, missing),
            other => panic!("{other:?}"),
        }
    }
}

/// Any event that could ever be recorded, and many that Twilio would never send.
fn any_event() -> impl Strategy<Value = NewEvent> {
    let name = select(vec![
        "content-type",
        "x-twilio-signature",
        "i-twilio-idempotency-token",
        "x-twilio-ü",
        "",
    ]);
    let value = prop_oneof![
        any::<Vec<u8>>(),
        "[a-z]{0,20}".prop_map(String::into_bytes),
        "[A-Za-z0-9+/]{27}=".prop_map(String::into_bytes),
        any::<[u8; 16]>().prop_map(|raw| Uuid::from_bytes(raw).to_string().into_bytes()),
        Just(vec![b'x'; 300]),
    ];
    let headers = proptest::collection::vec((name, value), 0..8);
    let query = prop_oneof![Just(String::new()), ".{0,30}".prop_map(|text| format!("?{text}"))];
    let notes = proptest::collection::btree_map(".{0,10}", ".{0,10}", 0..3);
    let verified_by = proptest::option::of(select(vec!["primary", "secondary", "a key", ""]));
    let whence = (select(&Source::ALL[..]), "[A-Z]{0,7}", "[^?]{0,20}", query, verified_by);
    let parts = (any::<u128>(), any::<i64>(), whence, headers, any::<Vec<u8>>(), notes);
    parts.prop_map(|(id, at, (source, method, url, query, verified_by), headers, body, notes)| {
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        NewEvent {
            event_id: Uuid::from_u128(id),
            received_at: Timestamp::from_micros(at),
            source,
            method,
            url: url + &query,
            headers: Headers::new(headers),
            body,
            verified_by: verified_by.map(str::to_owned),
            notes,
            salt: delivery_ledger::store::new_salt(),
        }
    })
}

pub fn any_appended_event_is_read_back_equal<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let config = Config { cases: 200 / E::SLOWER, failure_persistence: None, ..Config::default() };
    let batch = proptest::collection::vec(any_event(), 1..5);
    let outcome = TestRunner::new(config).run(&batch, |events| {
        let head = store.append(&events).unwrap();
        let read = store.read(head - events.len() as u64, events.len()).unwrap();
        prop_assert_eq!(read.into_iter().map(|event| event.event).collect::<Vec<_>>(), events);
        Ok(())
    });
    outcome.unwrap();
}

/// A replayed callback may vary in its unsigned headers.
pub fn more_envelopes_than_the_cache_holds_are_read_back_equal<E: Engine>() {
    let engine = E::fresh();
    let events: Vec<_> = (0..10_050)
        .map(|number| with_header(event(""), "x-twilio-custom", &number.to_string()))
        .collect();
    engine.open().append(&events[..5_000]).unwrap();
    let store = engine.open();
    store.append(&events[5_000..]).unwrap();
    store.append(&events[..10]).unwrap();

    let read = whole(&*store, 4096);

    assert_eq!(read.len(), 10_060);
    let appended = events.iter().chain(&events[..10]);
    assert!(read.iter().zip(appended).all(|(read, appended)| read.event == *appended));
}

pub fn a_batch_becomes_visible_atomically_and_in_order<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Relaxed) {
                let head = store.head().unwrap();
                assert_eq!(head % 50, 0, "part of a batch");
                assert!(head >= seen, "the head went back");
                let read = positions(&store.read(seen, 3000).unwrap());
                let last = read.last().copied().unwrap_or(seen);
                assert_eq!(read, (seen + 1..=last).collect::<Vec<_>>());
                assert!(last >= head, "an event at or below the head is not there yet");
                seen = last;
            }
            seen
        });
        for _ in 0..40 {
            store.append(&events(50)).unwrap();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() <= 2000);
    });
}

pub fn appends_from_several_threads_get_consecutive_positions<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let appended = events(3);
                    let head = store.append(&appended).unwrap();
                    let ours = store.read_at(&[head - 2, head - 1, head]).unwrap();
                    assert!(ours.iter().zip(&appended).all(|(read, event)| read.event == *event));
                }
            });
        }
    });
    assert_eq!(positions(&whole(&*store, 50)), (1..=120).collect::<Vec<_>>());
}

pub fn appends_from_several_stores_get_consecutive_positions<E: Engine>() {
    let engine = E::fresh();
    let stores = [engine.open(), engine.open_alongside(), engine.open_alongside()];
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for number in 0..50 {
                    append_when_it_is_free(&**store, &[event(format!("n={number}"))]);
                }
            });
        }
    });
    assert_eq!(positions(&whole(&*stores[0], 100)), (1..=150).collect::<Vec<_>>());
}

/// Each adds request lines and headers that the other has not seen when it began.
pub fn events_appended_by_two_stores_in_turn_are_read_back_equal<E: Engine>() {
    let engine = E::fresh();
    let (one, other) = (engine.open(), engine.open_alongside());
    let mut appended = Vec::new();
    for number in 0..20 {
        let kind = with_header(event(format!("n={number}")), &format!("x-twilio-{number}"), "1");
        let [first, second] = [kind.clone(), event(format!("m={number}"))];
        assert_eq!(one.append(std::slice::from_ref(&first)).unwrap(), 3 * number + 1);
        assert_eq!(other.append(&[kind.clone(), second.clone()]).unwrap(), 3 * number + 3);
        appended.extend([first, kind, second]);
    }
    let read = whole(&*one, 7).into_iter().map(|event| event.event);
    assert_eq!(read.collect::<Vec<_>>(), appended);
}

/// Appends like a process that shares the log with others.
fn append_when_it_is_free(store: &dyn Store, events: &[NewEvent]) -> u64 {
    loop {
        match store.append(events) {
            Err(StoreError::Busy) => {}
            appended => return appended.unwrap(),
        }
    }
}

pub fn the_log_and_its_id_survive_closing<E: Engine>() {
    let engine = E::fresh();
    let all = events(3);
    let store = engine.open();
    let ledger_id = store.ledger_id();
    store.append(&all).unwrap();
    drop(store);

    let store = engine.open();

    assert_eq!(store.ledger_id(), ledger_id);
    assert_eq!(store.head().unwrap(), 3);
    let as_recorded = recorded(all.clone());
    let read = store.read(0, 10).unwrap();
    assert!(read.iter().zip(&all).all(|(read, event)| read.event == *event));
    assert_eq!(positions(&read), positions(&as_recorded));
    assert_eq!(store.append(&events(1)).unwrap(), 4);
}

pub fn every_ledger_has_its_own_id<E: Engine>() {
    let (one, other) = (E::fresh(), E::fresh());
    assert_ne!(one.open().ledger_id(), other.open().ledger_id());
}

pub fn a_sound_log_has_no_damage<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.check().unwrap(), SOUND);
    store.append(&events(100)).unwrap();
    assert_eq!(store.check().unwrap(), SOUND);
}
