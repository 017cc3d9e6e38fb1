//! The records of seals, which are kept with the log.

use delivery_ledger::domain::Timestamp;
use delivery_ledger::store::Store;
use delivery_ledger::store::seals::{NewSealRecord, SealQuery, SealRecordKind};

use super::Engine;
use crate::support::events::event;

fn record(kind: SealRecordKind, size: u64, content: &str) -> NewSealRecord {
    let recorded_at = Timestamp::from_micros(1_769_860_800_000_000 + size as i64);
    NewSealRecord { kind, size, recorded_at, content: content.as_bytes().to_vec() }
}

fn with_events(store: &dyn Store, count: usize) {
    let events: Vec<_> = (0..count).map(|number| event(format!("n={number}"))).collect();
    store.append(&events).unwrap();
}

fn contents(store: &dyn Store, query: &SealQuery) -> Vec<String> {
    let found = store.seal_records(query).unwrap().into_iter();
    found.map(|found| String::from_utf8(found.record.content).unwrap()).collect()
}

pub fn records_are_read_back_by_kind_and_size<E: Engine>() {
    use SealRecordKind::{Cosignature, Seal};
    let engine = E::fresh();
    let store = engine.open();
    with_events(&*store, 5);
    let added = [
        record(Seal, 0, "nothing"),
        record(Seal, 3, "three"),
        record(Cosignature, 3, "first"),
        record(Cosignature, 3, "second"),
        record(Seal, 5, "five"),
    ];
    store.add_seal_records(&added[..3]).unwrap();
    store.add_seal_records(&added[3..]).unwrap();

    let found = store.seal_records(&SealQuery::all(Seal)).unwrap();
    let numbers: Vec<_> = found.iter().map(|found| found.number).collect();
    assert_eq!(numbers, [1, 2, 5]);
    assert_eq!(found[1].record, added[1]);
    assert_eq!(contents(&*store, &SealQuery::last(Seal)), ["five"]);
    assert_eq!(contents(&*store, &SealQuery::of_size(Cosignature, 3)), ["first", "second"]);
    assert_eq!(contents(&*store, &SealQuery::of_sizes(Seal, 1..=4)), ["three"]);
    let newest = SealQuery { newest_first: true, limit: 2, ..SealQuery::all(Seal) };
    assert_eq!(contents(&*store, &newest), ["five", "three"]);
    assert_eq!(contents(&*store, &SealQuery::last(SealRecordKind::Branch)), [""; 0]);
}

pub fn a_seal_is_of_events_in_the_log_and_of_no_fewer_than_an_earlier_one<E: Engine>() {
    use SealRecordKind::Seal;
    let engine = E::fresh();
    let store = engine.open();
    with_events(&*store, 5);
    store.add_seal_records(&[record(Seal, 4, "four")]).unwrap();
    drop(store);
    for refused in [record(Seal, 6, "beyond the head"), record(Seal, 3, "fewer")] {
        let store = engine.open();
        assert!(store.add_seal_records(&[refused]).is_err());
    }
    let store = engine.open();
    // A new key seals the same events again.
    store.add_seal_records(&[record(Seal, 4, "four again"), record(Seal, 5, "five")]).unwrap();
    assert_eq!(contents(&*store, &SealQuery::all(Seal)), ["four", "four again", "five"]);
}

pub fn records_are_added_all_or_none<E: Engine>() {
    use SealRecordKind::{KeyChange, Seal};
    let engine = E::fresh();
    let store = engine.open();
    with_events(&*store, 2);
    let refused =
        store.add_seal_records(&[record(KeyChange, 1, "change"), record(Seal, 9, "nine")]);
    assert!(refused.is_err());
    drop(store);
    assert_eq!(contents(&*engine.open(), &SealQuery::all(KeyChange)), [""; 0]);
}

pub fn a_process_beside_another_adds_records_that_both_see<E: Engine>() {
    use SealRecordKind::Seal;
    let engine = E::fresh();
    let store = engine.open();
    with_events(&*store, 2);
    let alongside = engine.open_alongside();
    alongside.add_seal_records(&[record(Seal, 1, "one")]).unwrap();
    store.add_seal_records(&[record(Seal, 2, "two")]).unwrap();
    store.append(&[event("n=9".to_owned())]).unwrap();
    assert_eq!(contents(&*alongside, &SealQuery::all(Seal)), ["one", "two"]);
    assert_eq!(store.check_guards().unwrap(), []);
}
