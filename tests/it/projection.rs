//! From the log to the views: in whatever steps, after whatever interruption, to the same content.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use delivery_ledger::domain::{NewEvent, Position, RecordedEvent, Rule, Status};
use delivery_ledger::projection::digest::digest;
use delivery_ledger::projection::replay::{dry_run, replay};
use delivery_ledger::projection::worker::{self, Handle};
use delivery_ledger::projection::{ProjectionError, catch_up};
use delivery_ledger::store::head::Head;
use delivery_ledger::store::metrics::Sizes;
use delivery_ledger::store::{
    self, Access, Checked, Checkpoint, Database, Message, Rebuild, Store, StoreError, Views,
};
use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::lifecycle::any_callback;
use crate::support::events::{event, one_a_second};
use crate::support::ledger::{Ledger, damage};
use crate::support::{App, Request, TOKEN, delivered, failed, sent, sid, signature, status};

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// The log's views at its head, read in steps that end at these positions.
fn projected(store: &dyn Store, rule: Rule, steps: &[u64]) -> (Checkpoint, [u8; 32]) {
    let views = store.temporary_views(rule).unwrap();
    for up_to in steps.iter().copied().chain([store.head().unwrap()]) {
        catch_up(store, &*views, up_to, &mut go_on).unwrap();
    }
    (reached(&*views), digest(&*views).unwrap())
}

/// The checkpoint, whichever views it is of.
fn reached(views: &dyn Views) -> Checkpoint {
    Checkpoint { generation: uuid::Uuid::nil(), ..views.checkpoint().unwrap() }
}

/// Callbacks about a few messages, some of no account or of another.
fn traffic() -> impl Strategy<Value = Vec<NewEvent>> {
    let about = |event: NewEvent, number: u32, account: &str| {
        let body = String::from_utf8(event.body).unwrap();
        let body = body.replace(&sid(1), &sid(number));
        let body = body.replace("AccountSid=AC", &format!("AccountSid={account}"));
        NewEvent { body: body.into_bytes(), ..event }
    };
    let account = prop_oneof![8 => Just("AC"), 1 => Just("&Other=AC"), 1 => Just("ACother")];
    let one = (any_callback(), 0..4_u32, account);
    let one = one.prop_map(move |(event, number, account)| about(event, number, account));
    proptest::collection::vec(one, 1..40).prop_map(one_a_second)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_the_steps_the_views_are_the_same(
        events in traffic(),
        cuts in proptest::collection::btree_set(1..40_u64, 0..8),
    ) {
        let ledger = Ledger::new();
        let store = ledger.open();
        store.append(&events).unwrap();
        let head = events.len() as u64;
        let cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < head).collect();
        let one_by_one: Vec<_> = (1..head).collect();
        for rule in Rule::ALL {
            let at_once = projected(&*store, rule, &[]);
            prop_assert_eq!(&projected(&*store, rule, &cuts), &at_once);
            prop_assert_eq!(&projected(&*store, rule, &one_by_one), &at_once);
            // In use, with the appends in between, and by a replay.
            store.views().reset(rule).unwrap();
            catch_up(&*store, store.views(), head / 2, &mut go_on).unwrap();
            catch_up(&*store, store.views(), head, &mut go_on).unwrap();
            prop_assert_eq!(digest(store.views()).unwrap(), at_once.1);
            let replayed = replay(&*store, rule, &mut go_on).unwrap();
            prop_assert_eq!(replayed.digest, at_once.1);
            prop_assert_eq!(reached(store.views()), at_once.0.clone());
        }
    }
}

#[test]
fn more_than_one_full_batch_is_projected_as_one() {
    let words = ["queued", "sent", "delivered", "sent"];
    let events =
        (0..9_000).map(|number| event(status(&sid(number % 700), words[number as usize % 4])));
    let ledger = Ledger::new();
    let store = ledger.open();
    store.append(&one_a_second(events)).unwrap();

    let at_once = projected(&*store, Rule::default(), &[]);

    assert_eq!(projected(&*store, Rule::default(), &[1, 4095, 4097, 8191]), at_once);
}

#[test]
fn the_digest_tells_rules_messages_and_their_order_apart() {
    let digest_of = |events: &[NewEvent], rule| {
        let ledger = Ledger::new();
        let store = ledger.open();
        store.append(events).unwrap();
        projected(&*store, rule, &[]).1
    };
    let events = one_a_second([event(sent(&sid(1))), event(sent(&sid(2)))]);
    let base = digest_of(&events, Rule::FailureTerminal);
    assert_eq!(digest_of(&events, Rule::FailureTerminal), base, "another ledger, the same content");
    assert_ne!(digest_of(&events, Rule::DeliveryWins), base);
    assert_ne!(digest_of(&events[..1], Rule::FailureTerminal), base);
    let other_order = one_a_second([events[1].clone(), events[0].clone()]);
    assert_ne!(digest_of(&other_order, Rule::FailureTerminal), base);
    let other_status =
        [events[0].clone(), NewEvent { body: delivered(&sid(2)).bytes(), ..events[1].clone() }];
    assert_ne!(digest_of(&other_status, Rule::FailureTerminal), base);
}

#[test]
fn two_projections_of_one_ledger_do_each_other_no_harm() {
    let events = (0..3_000)
        .map(|number| event(status(&sid(number % 50), "sent").with("N", &number.to_string())));
    let ledger = Ledger::new();
    let store = ledger.open();
    store.append(&one_a_second(events)).unwrap();
    std::thread::scope(|scope| {
        for first in [1, 2, 3] {
            let store = &*store;
            scope.spawn(move || {
                for up_to in (first..=3_000).step_by(250) {
                    catch_up(store, store.views(), up_to, &mut go_on).unwrap();
                }
                catch_up(store, store.views(), 3_000, &mut go_on).unwrap();
            });
        }
    });
    let (checkpoint, digest_at_once) = projected(&*store, Rule::default(), &[]);
    assert_eq!(digest(store.views()).unwrap(), digest_at_once);
    assert_eq!(reached(store.views()), checkpoint);
}

#[test]
fn a_reading_that_is_told_to_end_goes_on_from_there() {
    let ledger = Ledger::of(&[event(sent(&sid(1)))]);
    ledger.append(&[event(delivered(&sid(1)))]);
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 2, &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ProjectionError::Stopped)));
    assert_eq!(store.views().checkpoint().unwrap().position, 2, "the batch it was at is whole");
}

#[test]
fn a_dry_run_names_the_messages_that_another_rule_shows_otherwise() {
    let ledger = Ledger::of(&one_a_second([
        event(sent(&sid(1))),
        event(delivered(&sid(2))),
        event(failed(&sid(2), "30003")),
        event(failed(&sid(3), "30003")),
    ]));
    let store = ledger.open();
    let before = digest(store.views()).unwrap();
    let mut changes = Vec::new();
    let tried = dry_run(&*store, Rule::DeliveryWins, &mut go_on, &mut |change| {
        let name =
            |status: Option<delivery_ledger::domain::Status>| status.map(|status| status.name());
        changes.push((change.key.message_sid.to_string(), name(change.from), name(change.to)));
    });

    assert_eq!(changes, [(sid(2), Some("failed"), Some("delivered"))]);
    assert_eq!(tried.unwrap().digest, projected(&*store, Rule::DeliveryWins, &[]).1);
    assert_eq!(digest(store.views()).unwrap(), before, "nothing was changed");
}

#[test]
fn a_gap_stops_the_projection_and_is_named() {
    let ledger = Ledger::of(&[event(sent(&sid(1)))]);
    ledger.append(&[event(sent(&sid(2))), event(sent(&sid(3))), event(sent(&sid(4)))]);
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 3", []).unwrap();
    });
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 4, &mut go_on);
    assert!(matches!(stopped, Err(ProjectionError::Gap(3))), "{stopped:?}");
    assert_eq!(store.views().checkpoint().unwrap().position, 2, "up to the gap");
}

#[test]
fn an_event_that_cannot_be_read_stops_the_projection_and_is_named() {
    for damage in [
        "UPDATE events SET variables = x'09' WHERE position = 3",
        "UPDATE events SET variables = x'' WHERE position = 3",
        "UPDATE events SET event_id = x'01' WHERE position = 3",
        "UPDATE events SET envelope = 99 WHERE position = 3",
        "UPDATE events SET body = 'text' WHERE position = 3",
        "UPDATE events SET received_at = 'today' WHERE position = 3",
    ] {
        let ledger = Ledger::of(&[event(sent(&sid(1)))]);
        ledger.append(&[event(sent(&sid(2))), event(sent(&sid(3))), event(sent(&sid(4)))]);
        ledger.damage_log(|log| {
            log.execute(damage, []).unwrap();
        });
        let store = ledger.open();
        match catch_up(&*store, store.views(), 4, &mut go_on) {
            Err(ProjectionError::Store(StoreError::Unreadable { position: 3, .. })) => {}
            other => panic!("{damage}: {other:?}"),
        }
        assert_eq!(store.views().checkpoint().unwrap().position, 2, "up to that event");
    }
}

#[test]
fn another_event_at_the_checkpoint_stops_the_projection() {
    let ledger = Ledger::of(&[event(sent(&sid(1))), event(sent(&sid(2)))]);
    ledger.append(&[event(sent(&sid(3)))]);
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET event_id = zeroblob(16) WHERE position = 2", []).unwrap();
    });
    let store = ledger.open();
    let stopped = catch_up(&*store, store.views(), 3, &mut go_on);
    assert!(matches!(stopped, Err(ProjectionError::OtherHistory(2))), "{stopped:?}");
}

/// Opens the ledger of a server that does not run.
fn open(app: &App) -> Box<dyn Store> {
    store::open(&Database::Sqlite(app.log_file()), Access::Write).unwrap()
}

/// Marks a message in the views; a rebuild would wipe the mark out.
fn mark(app: &App) {
    let views = Connection::open(app.views_file()).unwrap();
    views.execute("UPDATE messages SET status = 'canceled' WHERE id = 1", []).unwrap();
}

fn is_marked(app: &App) -> bool {
    in_views(app)[0].lifecycle.evidence.status() == Some(Status::Canceled)
}

/// The messages in the views as they are, of which a command would first ask the server.
fn in_views(app: &App) -> Vec<Message> {
    let store = store::open(&Database::Sqlite(app.log_file()), Access::Read).unwrap();
    store.views().page(0, 1000).unwrap().1
}

/// SID and status of each message in the views.
fn standing(app: &App) -> Vec<(String, &'static str)> {
    let status = |message: &Message| message.lifecycle.evidence.status().unwrap().name();
    in_views(app)
        .iter()
        .map(|message| (message.key.message_sid.to_string(), status(message)))
        .collect()
}

fn set_rule(app: &App, rule: &str) {
    let path = app.folder().join("delivery-ledger.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("rule = \"{rule}\"\n{text}")).unwrap();
}

/// The projection is what a fresh fold gives, and neither is behind.
fn is_sound_and_caught_up(app: &App) {
    app.caught_up();
    let verified = app.json(&["verify", "--format", "json"]);
    assert_eq!(verified["findings"], json!([]));
    assert_eq!(verified["checkpoint"], verified["head"]);
}

#[test]
fn a_server_goes_on_from_its_checkpoint() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.kill();
    mark(&app);

    app.restart();
    app.receive(sent(&sid(2)));

    app.caught_up();
    assert!(is_marked(&app), "the views were not read on but rebuilt");
    assert_eq!(standing(&app), [(sid(1), "canceled"), (sid(2), "sent")]);
}

#[test]
fn a_kill_in_the_middle_of_a_stream_leaves_a_replay_nothing_to_add() {
    let mut app = App::start();
    let acknowledged = Mutex::new(Vec::new());
    let (callbacks, url) = (app.callbacks(), app.url("/message-status"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (acknowledged, url) = (&acknowledged, &url);
            scope.spawn(move || {
                let mut number = thread;
                while let Some(body) = acknowledged_callback(callbacks, url, number) {
                    acknowledged.lock().unwrap().push(body);
                    number += 4;
                }
            });
        }
        app.eventually("some hundred callbacks are acknowledged", || {
            acknowledged.lock().unwrap().len() > 300
        });
        app.kill();
    });
    app.restart();

    is_sound_and_caught_up(&app);

    let kept: Vec<_> = app.events().into_iter().map(|event| event["body"].clone()).collect();
    for body in acknowledged.into_inner().unwrap() {
        assert!(kept.contains(&json!(body)), "acknowledged and not kept: {body}");
    }
    let live = app.json(&["replay", "--dry-run", "--format", "json"]);
    let verified = app.json(&["verify", "--format", "json"]);
    app.stop();
    let replayed = app.json(&["replay", "--format", "json"]);
    assert_eq!(replayed["digest"], verified["digest"]);
    assert_eq!(replayed["digest"], live["digest"]);
    assert_eq!(replayed["events"], kept.len());
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
}

/// Sends a callback; its body where it was acknowledged.
fn acknowledged_callback(callbacks: SocketAddr, url: &str, number: u32) -> Option<String> {
    let words = ["queued", "sent", "delivered", "failed"];
    let body = status(&sid(number % 60), words[number as usize % 4]).with("N", &number.to_string());
    let body = body.bytes();
    let request = Request::new("POST", "/message-status")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-Twilio-Signature", &signature(TOKEN, url, &body))
        .body(body.clone());
    let mut stream = TcpStream::connect(callbacks).ok()?;
    stream.write_all(&request.bytes(callbacks)).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    (&start == b"HTTP/1.1 200").then(|| String::from_utf8(body).unwrap())
}

#[test]
fn deleted_views_are_rebuilt_while_callbacks_are_accepted() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.stop();
    std::fs::remove_file(app.views_file()).unwrap();

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    is_sound_and_caught_up(&app);
    assert_eq!(standing(&app), [(sid(1), "delivered")]);
    assert_eq!(in_views(&app)[0].lifecycle.counts.events, 2);
}

#[test]
fn views_of_another_version_are_rebuilt_and_that_is_said() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    app.stop();
    let views = Connection::open(app.views_file()).unwrap();
    views.execute_batch("UPDATE refinery_schema_history SET checksum = '0'").unwrap();
    drop(views);
    mark(&app);

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    is_sound_and_caught_up(&app);
    assert!(!is_marked(&app));
    assert!(app.stderr().contains("the views are made anew"), "{}", app.stderr());
}

#[test]
fn views_built_by_another_rule_are_rebuilt_and_that_is_said() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.receive(failed(&sid(1), "30003"));
    app.caught_up();
    assert_eq!(standing(&app), [(sid(1), "failed")]);
    app.stop();
    set_rule(&app, "delivery-wins");

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    is_sound_and_caught_up(&app);
    assert_eq!(standing(&app), [(sid(1), "delivered")]);
    assert_eq!(app.message(&sid(1))["rule"], "delivery-wins");
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    let stderr = app.stderr();
    assert!(stderr.contains("the views were built by the rule failure-terminal"), "{stderr}");
}

#[test]
fn views_with_a_damaged_checkpoint_are_rebuilt_and_that_is_said() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    app.stop();
    let views = Connection::open(app.views_file()).unwrap();
    views.execute_batch("UPDATE checkpoint SET rule = 'no rule'").unwrap();
    drop(views);

    app.restart();

    is_sound_and_caught_up(&app);
    let stderr = app.stderr();
    assert!(stderr.contains("the views are rebuilt from the log"), "{stderr}");
}

#[test]
fn a_log_that_is_older_than_its_views_is_named_and_the_views_are_rebuilt() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    let older = std::fs::read(app.log_file()).unwrap();
    app.restart();
    app.receive(delivered(&sid(1)));
    app.receive(delivered(&sid(2)));
    app.caught_up();
    app.stop();
    std::fs::write(app.log_file(), older).unwrap();

    app.restart();

    app.eventually("it is said", || app.stderr().contains("the log is older than its views"));
    is_sound_and_caught_up(&app);
    let stderr = app.stderr();
    assert!(stderr.contains("ends at position 1, they have read up to 3"), "{stderr}");
    assert!(stderr.contains("events that were acknowledged may be missing"), "{stderr}");
    assert_eq!(standing(&app), [(sid(1), "sent")]);
}

#[test]
fn an_older_log_that_has_grown_past_its_views_is_named() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    let older = std::fs::read(app.log_file()).unwrap();
    app.restart();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    app.stop();
    std::fs::write(app.log_file(), older).unwrap();
    open(&app).append(&[event(failed(&sid(1), "30003")), event(sent(&sid(2)))]).unwrap();

    app.restart();

    app.eventually("it is said", || app.stderr().contains("another event is at position 2"));
    is_sound_and_caught_up(&app);
    assert_eq!(standing(&app), [(sid(1), "failed"), (sid(2), "sent")]);
}

#[test]
fn the_log_of_another_ledger_is_named_and_the_views_are_rebuilt() {
    let (mut app, mut other) = (App::start(), App::start());
    app.receive(sent(&sid(1)));
    other.receive(delivered(&sid(9)));
    for app in [&mut app, &mut other] {
        app.caught_up();
        app.stop();
    }
    std::fs::copy(other.log_file(), app.log_file()).unwrap();

    app.restart();

    app.eventually("it is said", || app.stderr().contains("the views belong to another ledger"));
    is_sound_and_caught_up(&app);
    assert_eq!(standing(&app), [(sid(9), "delivered")]);
}

/// Appends events to the ledger of a stopped server, projects none of them, and damages the log.
fn damage_what_was_not_projected(app: &App, change: &str) {
    open(app).append(&[event(sent(&sid(2))), event(sent(&sid(3)))]).unwrap();
    damage(&app.log_file(), |log| {
        log.execute(change, []).unwrap();
    });
}

#[test]
fn a_projection_that_cannot_go_on_says_where_and_callbacks_are_still_taken() {
    for (change, said) in [
        ("UPDATE events SET variables = x'09' WHERE position = 2", "event 2 cannot be read"),
        ("DELETE FROM events WHERE position = 2", "the log has no event at position 2"),
    ] {
        let mut app = App::start();
        app.receive(sent(&sid(1)));
        app.caught_up();
        app.stop();
        damage_what_was_not_projected(&app, change);

        app.restart();

        app.eventually("it is said", || app.stderr().contains(said));
        assert!(app.stderr().contains("the projection does not get on"), "{}", app.stderr());
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
fn a_server_that_cannot_project_is_not_ready_and_says_why() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    damage_what_was_not_projected(&app, "UPDATE events SET envelope = 99 WHERE position = 2");

    app.restart();

    let not_ready = || {
        let answer = app.get("/readyz");
        let said = String::from_utf8_lossy(&answer.body).contains("event 2 cannot be read");
        answer.code == 503 && said
    };
    assert_eq!(app.get("/readyz").code, 503, "before the projection has tried");
    app.eventually("it is said on stderr", || app.stderr().contains("event 2 cannot be read"));
    app.eventually("it is said to probes", not_ready);
}

/// A store whose log cannot be read the first two times.
struct Stumbling {
    inner: Box<dyn Store>,
    projection: OnceLock<Handle>,
    /// For each read, whether the projection was said to fail at that time.
    reads: Mutex<Vec<bool>>,
}

impl Store for Stumbling {
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

    fn begin_rebuild(&self, rule: Rule) -> Result<Box<dyn Rebuild + '_>, StoreError> {
        self.inner.begin_rebuild(rule)
    }

    fn temporary_views(&self, rule: Rule) -> Result<Box<dyn Views>, StoreError> {
        self.inner.temporary_views(rule)
    }
}

/// It used to be said to get on each time before it was tried again.
#[test]
fn a_projection_is_said_to_fail_until_it_gets_on() {
    let ledger = Ledger::new();
    let store = Arc::new(Stumbling {
        inner: ledger.open(),
        projection: OnceLock::new(),
        reads: Mutex::default(),
    });
    store.append(&[event(sent(&sid(1)))]).unwrap();

    let (projection, thread) =
        worker::start(Arc::clone(&store) as _, Arc::new(Head::at(1)), Rule::default());
    assert!(store.projection.set(projection.clone()).is_ok());

    assert!(projection.wait_for(1, Instant::now() + Duration::from_secs(20)));
    assert_eq!(*store.reads.lock().unwrap(), [false, true, true]);
    projection.stop();
    thread.join().unwrap();
    assert_eq!(projection.failed(), None);
}

#[test]
fn a_message_is_told_of_from_the_log_while_its_views_are_away() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.caught_up();
    app.stop();
    std::fs::remove_file(app.views_file()).unwrap();

    let audit: Value = app.json(&["audit", &sid(1), "--format", "json"]);

    assert_eq!(audit["status"], "delivered");
    assert!(!app.views_file().exists(), "a question makes no views");
}

/// It compared the log with views that were not there, and found no difference.
#[test]
fn a_dry_run_on_deleted_views_still_names_what_would_stand_elsewhere() {
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
fn an_envelope_that_cannot_be_read_does_not_keep_callbacks_out() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.stop();
    damage_what_was_not_projected(&app, "UPDATE envelopes SET headers = 'no JSON' WHERE id = 1");

    app.restart();

    assert_eq!(app.receive(delivered(&sid(2))).code, 200);
    assert_eq!(head_of(&app.log_file()), 4);
}

/// It exported by the server's rule without a word.
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
fn far_behind_an_event_that_cannot_be_read_ends_the_reading_ahead_where_it_lies() {
    for (change, said) in [
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

        assert!(stopped.to_string().contains(said), "{stopped}");
        assert_eq!(
            store.views().checkpoint().unwrap().position,
            32_999,
            "a batch and a part of one"
        );
    }
}
