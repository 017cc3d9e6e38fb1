//! The log's WAL stays small however long other processes read.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use delivery_ledger::domain::event::Erased;
use delivery_ledger::domain::message::tags::IndexedTags;
use delivery_ledger::domain::{NewEvent, Position, RecordedEvent, Rule};
use delivery_ledger::projection::verify::verify;
use delivery_ledger::store::erase::Erasing;
use delivery_ledger::store::seals::{NewSealRecord, SealQuery, SealRecord};
use delivery_ledger::store::{
    Checked, Damage, KeptValue, NewGeneration, Sizes, Store, StoreError, Task, TaskGuard, Views,
};
use uuid::Uuid;

use crate::support::events::{event, one_a_second};
use crate::support::ledger::{Ledger, damage};
use crate::support::{delivered, sent, sid};

/// The maximum size of the WAL: 4 MB, after which the writer empties it, plus a commit.
const USUAL_BYTES_MAX: u64 = 8 << 20;

#[test]
fn a_stalled_export_does_not_make_the_wal_grow() {
    let ledger =
        Ledger::with_events(&one_a_second((0..1000).map(|number| event(sent(&sid(number))))));
    for what in ["events", "messages"] {
        let mut export = ledger.command(&["export", what]).stdout(Stdio::piped()).spawn();
        let mut out = export.stdout.take().unwrap();
        out.read_exact(&mut [0]).unwrap();

        // It has begun, and cannot go on: what it has to say is longer than a pipe.
        assert!(grown_by_appending(&ledger) < USUAL_BYTES_MAX, "export {what}");
        assert_eq!(export.try_wait().unwrap(), None, "export {what} has ended");

        drop(out);
        export.wait().unwrap();
    }
}

#[test]
fn a_read_transaction_held_open_makes_the_wal_grow() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    let reader = rusqlite::Connection::open(ledger.log_file()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM events").unwrap();

    assert!(grown_by_appending(&ledger) > 2 * USUAL_BYTES_MAX);
}

/// Appends five times as much as the WAL may hold and returns its greatest length meanwhile.
fn grown_by_appending(ledger: &Ledger) -> u64 {
    let store = ledger.open();
    let appends = (0..40).map(|_| {
        store.append(&large_events(16)).unwrap();
        wal_bytes(&ledger.log_file())
    });
    appends.max().unwrap()
}

/// Each of 64 KiB.
fn large_events(count: u32) -> Vec<NewEvent> {
    let filler = [b"&Body=", [b'x'; 64 << 10].as_slice()].concat();
    (0..count).map(|number| event([sent(&sid(number)).bytes(), filler.clone()].concat())).collect()
}

fn wal_bytes(log: &Path) -> u64 {
    let wal = PathBuf::from(format!("{}-wal", log.display()));
    std::fs::metadata(wal).map_or(0, |metadata| metadata.len())
}

// A cancelled check of the engine.

#[test]
fn all_other_checks_run_if_the_engines_check_is_cancelled() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1))), event(delivered(&sid(1)))]);

    let verified =
        verify(&TooBusy(ledger.open()), None, &mut |_| ControlFlow::Continue(())).unwrap();

    assert_eq!(verified.unfinished, ["log"]);
    assert_eq!(verified.findings, []);
    assert_eq!((verified.events, verified.checkpoint), (2, 2));
    let sound = verify(&*ledger.open(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((verified.hash, verified.digest), (sound.hash, sound.digest));
}

#[test]
fn a_changed_event_is_found_even_if_the_engines_check_is_cancelled() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1))), event(delivered(&sid(1)))]);
    damage(&ledger.log_file(), |log| {
        log.execute("UPDATE events SET body = x'41' WHERE position = 1", []).unwrap();
    });

    let verified =
        verify(&TooBusy(ledger.open()), None, &mut |_| ControlFlow::Continue(())).unwrap();

    let found: Vec<_> = verified.findings.iter().map(|finding| finding.kind.name()).collect();
    assert!(found.contains(&"changed-events"), "{found:?}");
}

#[test]
fn unreadable_pages_are_found_even_if_the_engines_check_is_cancelled() {
    let ledger = Ledger::with_events(&large_events(100));
    let mut bytes = std::fs::read(ledger.log_file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].fill(0xff);
    std::fs::write(ledger.log_file(), bytes).unwrap();

    let verified =
        verify(&TooBusy(ledger.open_for_reading()), None, &mut |_| ControlFlow::Continue(()))
            .unwrap();

    let found: Vec<_> = verified.findings.iter().map(|finding| finding.kind.name()).collect();
    assert!(found.contains(&"engine-damage"), "{found:?}");
    assert_eq!(verified.hash, None);
}

/// A store whose engine check is always cancelled, as under constant writes.
struct TooBusy(Box<dyn Store>);

impl Store for TooBusy {
    fn check(&self) -> Result<Checked, StoreError> {
        Ok(Checked { damages: Vec::new(), finished: false })
    }

    fn check_guards(&self) -> Result<Vec<Damage>, StoreError> {
        self.0.check_guards()
    }

    fn ledger_id(&self) -> Uuid {
        self.0.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.0.append(events)
    }

    fn set_path_prefixes(&self, prefixes: Vec<String>) {
        self.0.set_path_prefixes(prefixes);
    }

    fn set_indexed_tags(&self, indexed: IndexedTags) {
        self.0.set_indexed_tags(indexed);
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        self.0.indexed_tags()
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.0.check_files_unmoved()
    }

    fn append_copies(
        &self,
        after: (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.0.append_copies(after, events)
    }

    fn add_seal_records(&self, records: &[NewSealRecord]) -> Result<(), StoreError> {
        self.0.add_seal_records(records)
    }

    fn seal_records(&self, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
        self.0.seal_records(query)
    }

    fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.0.add_erased(erased)
    }

    fn begin(&self, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError> {
        self.0.begin(task)
    }

    fn kept(&self, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.kept(value)
    }

    fn keep(&self, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.keep(value, bytes)
    }

    fn erasing(&self) -> &dyn Erasing {
        self.0.erasing()
    }

    fn sizes(&self) -> Result<Sizes, StoreError> {
        self.0.sizes()
    }

    fn checkpoint_wal(&self) -> Result<(), StoreError> {
        self.0.checkpoint_wal()
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.0.reopen()
    }

    fn head(&self) -> Result<Position, StoreError> {
        self.0.head()
    }

    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.0.scan(after, limit, each)
    }

    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.0.read_at(positions)
    }

    fn views(&self) -> &dyn Views {
        self.0.views()
    }

    fn begin_generation(&self, rule: Rule) -> Result<Box<dyn NewGeneration + '_>, StoreError> {
        self.0.begin_generation(rule)
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        self.0.temporary_views(rule)
    }
}
