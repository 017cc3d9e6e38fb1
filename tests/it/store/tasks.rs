//! What the store contract says of tasks, small values and waiting.

use std::time::{Duration, Instant};

use delivery_ledger::store::{KeptValue, Task};

use super::Engine;
use crate::support::events::event;

pub fn a_task_has_one_holder_at_a_time<E: Engine>() {
    let engine = E::fresh();
    let (server, command) = (engine.open(), engine.open_alongside());

    let held = server.begin(Task::Import).unwrap().expect("nobody holds it");

    assert!(held.is_held());
    assert!(command.begin(Task::Import).unwrap().is_none());
    drop(held);
    assert!(command.begin(Task::Import).unwrap().is_some());
}

pub fn different_tasks_run_beside_each_other<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    let tasks = [Task::Import, Task::Reconcile, Task::Recheck];
    let held = tasks.map(|task| store.begin(task).unwrap());
    assert!(held.iter().all(Option::is_some));
}

pub fn a_kept_value_is_replaced_as_a_whole<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    assert_eq!(store.kept(KeptValue::Backup).unwrap(), None);

    store.keep(KeptValue::Backup, b"a long first value").unwrap();
    store.keep(KeptValue::Backup, b"\0short\xff").unwrap();

    drop(store);
    assert_eq!(engine.open().kept(KeptValue::Backup).unwrap().unwrap(), b"\0short\xff");
}

pub fn kept_values_are_separate<E: Engine>() {
    let engine = E::fresh();
    let store = engine.open();
    store.keep(KeptValue::Reconcile, b"progress").unwrap();
    assert_eq!(store.kept(KeptValue::Backup).unwrap(), None);
    assert_eq!(engine.open_alongside().kept(KeptValue::Reconcile).unwrap().unwrap(), b"progress");
}

pub fn a_wait_ends_once_the_log_has_reached_the_position<E: Engine>() {
    let engine = E::fresh();
    let (server, other) = (engine.open(), engine.open_alongside());
    server.append(&[event("n=1".to_owned())]).unwrap();
    assert_eq!(server.wait_for(1, Duration::ZERO).unwrap(), 1, "it is there already");
    assert_eq!(server.wait_for(2, Duration::from_millis(20)).unwrap(), 1, "nobody appends it");

    let begun = Instant::now();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.wait_for(2, Duration::from_secs(60)).unwrap());
        other.append(&[event("n=2".to_owned())]).unwrap();
        assert_eq!(waiting.join().unwrap(), 2);
    });
    assert!(begun.elapsed() < Duration::from_secs(30));
}
