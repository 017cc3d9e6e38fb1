//! A stalled projection, while callbacks are still stored and messages still shown.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use delivery_ledger::domain::event::Erased;
use delivery_ledger::domain::message::tags::IndexedTags;
use delivery_ledger::domain::{NewEvent, Position, RecordedEvent, Rule};
use delivery_ledger::projection::worker::Handle;
use delivery_ledger::projection::{catch_up, worker};
use delivery_ledger::store::erase::Erasing;
use delivery_ledger::store::head::Head;
use delivery_ledger::store::nodes::Lead;
use delivery_ledger::store::seals::{NewSealRecord, SealQuery, SealRecord};
use delivery_ledger::store::{
    self, Access, Checked, Database, KeptValue, NewGeneration, Sizes, Store, StoreError, Task,
    TaskGuard, Views,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{go_on, open, set_rule};
use crate::support::events::event;
use crate::support::ledger::{Ledger, damage};
use crate::support::{App, delivered, failed, sent, sid};

/// Appends events to the ledger of a stopped server, projects none of them, and damages the log.
fn damage_what_was_not_projected(app: &App, change: &str) {
    open(app).append(&[event(sent(&sid(2))), event(sent(&sid(3)))]).unwrap();
    damage(&app.log_file(), |log| {
        log.execute(change, []).unwrap();
    });
}

#[test]
fn a_stalled_projection_reports_its_position_and_callbacks_are_still_accepted() {
    for (change, expected) in [
        ("UPDATE events SET variables = x'09' WHERE position = 2", "event 2 cannot be read"),
        ("DELETE FROM events WHERE position = 2", "the log has no event at position 2"),
    ] {
        let mut app = App::start();
        app.receive(sent(&sid(1)));
        app.caught_up();
        app.stop();
        damage_what_was_not_projected(&app, change);

        app.restart();

        app.eventually("it is logged", || app.stderr().contains(expected));
        assert!(app.stderr().contains("the projection has stalled"), "{}", app.stderr());
        assert_eq!(app.receive(delivered(&sid(4))).code, 200);
        assert_eq!(head_of(&app.log_file()), 4);
        let verified = app.run(&["verify"]);
        assert_eq!(verified.status.code(), Some(3));
    }
}

fn head_of(log: &Path) -> u64 {
    let store = store::open(&Database::Sqlite(log.to_owned()), Access::Read).unwrap();
    store.head().unwrap()
}

#[test]
fn a_server_that_cannot_project_is_not_ready_with_the_reason() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    damage_what_was_not_projected(&app, "UPDATE events SET envelope = 99 WHERE position = 2");

    app.restart();

    let not_ready = || {
        let answer = app.get("/readyz");
        let expected = String::from_utf8_lossy(&answer.body).contains("event 2 cannot be read");
        answer.code == 503 && expected
    };
    assert_eq!(app.get("/readyz").code, 503, "before the projection has tried");
    app.eventually("it is logged", || app.stderr().contains("event 2 cannot be read"));
    app.eventually("it is reported to probes", not_ready);
}

/// A store whose log cannot be read the first two times.
struct Stumbling {
    inner: Box<dyn Store>,
    projection: OnceLock<Handle>,
    /// For each read, whether the projection was reported as stalled at that time.
    reads: Mutex<Vec<bool>>,
}

impl Store for Stumbling {
    fn set_path_prefixes(&self, prefixes: Vec<String>) {
        self.inner.set_path_prefixes(prefixes);
    }

    fn set_indexed_tags(&self, indexed: IndexedTags) {
        self.inner.set_indexed_tags(indexed);
    }

    fn indexed_tags(&self) -> Option<IndexedTags> {
        self.inner.indexed_tags()
    }

    fn scan(
        &self,
        after: Position,
        limit: usize,
        each: &mut dyn FnMut(&RecordedEvent) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let failed = self.projection.get().is_some_and(|handle| handle.failed().is_some());
        let mut reads = self.reads.lock().unwrap();
        reads.push(failed);
        match reads.len() {
            1 | 2 => Err(StoreError::Unreadable { position: 1, detail: "not today".to_owned() }),
            _ => self.inner.scan(after, limit, each),
        }
    }

    fn ledger_id(&self) -> Uuid {
        self.inner.ledger_id()
    }

    fn append(&self, events: &[NewEvent]) -> Result<Position, StoreError> {
        self.inner.append(events)
    }

    fn check_files_unmoved(&self) -> Result<(), StoreError> {
        self.inner.check_files_unmoved()
    }

    fn append_copies(
        &self,
        after: (Position, Option<Uuid>),
        events: &[RecordedEvent],
    ) -> Result<Position, StoreError> {
        self.inner.append_copies(after, events)
    }

    fn add_seal_records(&self, records: &[NewSealRecord]) -> Result<(), StoreError> {
        self.inner.add_seal_records(records)
    }

    fn seal_records(&self, query: &SealQuery) -> Result<Vec<SealRecord>, StoreError> {
        self.inner.seal_records(query)
    }

    fn add_erased(&self, erased: &[(Position, Erased)]) -> Result<(), StoreError> {
        self.inner.add_erased(erased)
    }

    fn begin(&self, task: Task) -> Result<Option<Box<dyn TaskGuard>>, StoreError> {
        self.inner.begin(task)
    }

    fn kept(&self, value: KeptValue) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.kept(value)
    }

    fn keep(&self, value: KeptValue, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.keep(value, bytes)
    }

    fn erasing(&self) -> &dyn Erasing {
        self.inner.erasing()
    }

    fn sizes(&self) -> Result<Sizes, StoreError> {
        self.inner.sizes()
    }

    fn checkpoint_wal(&self) -> Result<(), StoreError> {
        self.inner.checkpoint_wal()
    }

    fn reopen(&self) -> Result<Position, StoreError> {
        self.inner.reopen()
    }

    fn head(&self) -> Result<Position, StoreError> {
        self.inner.head()
    }

    fn read_at(&self, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.read_at(positions)
    }

    fn check(&self) -> Result<Checked, StoreError> {
        self.inner.check()
    }

    fn check_guards(&self) -> Result<Vec<store::Damage>, StoreError> {
        self.inner.check_guards()
    }

    fn views(&self) -> &dyn Views {
        self.inner.views()
    }

    fn begin_generation(&self, rule: Rule) -> Result<Box<dyn NewGeneration + '_>, StoreError> {
        self.inner.begin_generation(rule)
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        self.inner.temporary_views(rule)
    }
}

/// Regression: the projection was reported as working before each retry.
#[test]
fn a_stalled_projection_is_reported_until_it_continues() {
    let ledger = Ledger::new();
    let store = Arc::new(Stumbling {
        inner: ledger.open(),
        projection: OnceLock::new(),
        reads: Mutex::default(),
    });
    store.append(&[event(sent(&sid(1)))]).unwrap();

    let (projection, thread) = worker::start(
        Arc::clone(&store) as _,
        Arc::new(Head::at(1)),
        Rule::default(),
        Lead::alone(),
    );
    assert!(store.projection.set(projection.clone()).is_ok());

    assert!(projection.wait_for(1, Instant::now() + Duration::from_secs(20)));
    assert_eq!(*store.reads.lock().unwrap(), [false, true, true]);
    projection.stop();
    thread.join().unwrap();
    assert_eq!(projection.failed(), None);
}

#[test]
fn a_message_is_read_from_the_log_if_the_views_are_missing() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    app.stop();
    std::fs::remove_file(app.views_file()).unwrap();

    let audit: Value = app.json(&["audit", &sid(1), "--format", "json"]);

    assert_eq!(audit["status"], "delivered");
    assert!(!app.views_file().exists(), "a question makes no views");
}

/// Regression: the log was compared with missing views, and no difference was found.
#[test]
fn a_dry_run_without_views_still_lists_changed_messages() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.receive(failed(&sid(1), "30003"));
    app.stop();
    std::fs::remove_file(app.views_file()).unwrap();
    let tried =
        |rule: &[&str]| app.json(&[&["replay", "--dry-run", "--format", "json"], rule].concat());

    let by_flag = tried(&["--rule", "delivery-wins"]);
    set_rule(&app, "delivery-wins");
    let by_file = tried(&[]);

    for tried in [by_flag, by_file] {
        assert_eq!((&tried["checkpoint"], &tried["events"]), (&json!(2), &json!(2)));
        assert_eq!(tried["changes"][0]["from"], "failed");
        assert_eq!(tried["changes"][0]["to"], "delivered");
    }
}

#[test]
fn callbacks_are_accepted_despite_an_unreadable_envelope() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    damage_what_was_not_projected(&app, "UPDATE envelopes SET headers = 'no JSON' WHERE id = 1");

    app.restart();

    assert_eq!(app.receive(delivered(&sid(2))).code, 200);
    assert_eq!(head_of(&app.log_file()), 4);
}

/// Regression: the export silently used the server's rule.
#[test]
fn an_export_by_another_rule_than_the_servers_is_refused() {
    let app = App::start();
    app.receive(delivered(&sid(1)));
    let export = app.command(&["export", "messages"]).env("DELIVERY_LEDGER_RULE", "delivery-wins");

    let output = export.output();

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
    assert!(stderr.contains("by the rule failure-terminal, and delivery-wins is configured here"));
}

#[test]
fn prefetching_stops_at_an_unreadable_event() {
    for (change, expected) in [
        ("UPDATE events SET envelope = 99 WHERE position = 33000", "event 33000 cannot be read"),
        ("DELETE FROM events WHERE position = 33000", "no event at position 33000"),
    ] {
        let ledger = Ledger::new();
        let events = (0..33_500).map(|number| event(sent(&sid(number)))).collect::<Vec<_>>();
        ledger.append(&events);
        ledger.damage_log(|log| {
            log.execute(change, []).unwrap();
        });
        let store = ledger.open();

        let stopped = catch_up(&*store, store.views(), 33_500, &mut go_on).unwrap_err();

        assert!(stopped.to_string().contains(expected), "{stopped}");
        assert_eq!(
            store.views().checkpoint().unwrap().position,
            32_999,
            "a batch and a part of one"
        );
    }
}
