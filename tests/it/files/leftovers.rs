//! Two writers on one ledger, and files that do not belong together: each is refused with the file's name.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::store::{self, Access, Database, StoreError};
use rusqlite::Connection;

use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{App, delivered, sent, sid};

const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
/// The beginning of `serve`'s error.
const THE_LEDGER: &str =
    "error: the ledger sqlite:ledger.db (--database or DELIVERY_LEDGER_DATABASE): ";

#[track_caller]
fn refusal(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    stderr.strip_prefix(THE_LEDGER).expect("it names the ledger").trim_end().to_owned()
}

/// A server that was killed after these callbacks, before it checkpointed the WAL.
fn killed(callbacks: Range<u32>) -> App {
    let mut app = App::start();
    receive(&app, callbacks);
    app.kill();
    app
}

fn receive(app: &App, callbacks: Range<u32>) {
    callbacks.for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
}

/// A stopped server with 60 events, and its WAL from when it had 20.
fn with_an_older_wal() -> (App, Vec<u8>) {
    let mut app = killed(0..20);
    let older = wal(&app);
    app.restart();
    receive(&app, 20..60);
    app.stop();
    (app, older)
}

fn wal(app: &App) -> Vec<u8> {
    std::fs::read(app.folder().join("ledger.db-wal")).unwrap()
}

fn put_wal(app: &App, bytes: &[u8]) {
    std::fs::write(app.folder().join("ledger.db-wal"), bytes).unwrap();
    let _of_another_wal = std::fs::remove_file(app.folder().join("ledger.db-shm"));
}

fn count(log: &Path) -> u64 {
    let log = Connection::open(log).unwrap();
    log.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap()
}

/// Asserts that `serve` refuses a log and its WAL, and changes neither.
#[track_caller]
fn assert_wal_is_refused(app: &App, because: &str) {
    let before = (std::fs::read(app.log_file()).unwrap(), wal(app));
    let refused = refusal(&app.run(&SERVE));
    assert_eq!(
        refused,
        format!(
            "ledger.db-wal does not belong to ledger.db: {because}; if the ledger was restored from \
             a copy, move this file away; otherwise put back the ledger that it belongs to"
        )
    );
    assert!(before == (std::fs::read(app.log_file()).unwrap(), wal(app)), "something was changed");
}

// Two writers.

#[test]
fn after_a_kill_exactly_one_new_writer_can_open_the_ledger_at_once() {
    let mut app = killed(0..3);
    app.restart();

    let second = refusal(&app.run(&SERVE));

    assert!(second.starts_with("ledger.db is held by another process"), "{second}");
    assert_eq!(app.message(&sid(2))["events"], 1);
}

#[test]
fn a_link_uses_the_same_lock_views_and_log_as_its_target() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    let aside = app.folder().join("aside");
    std::fs::create_dir(&aside).unwrap();
    symlink(app.log_file(), aside.join("link.db")).unwrap();
    let link = Database::Sqlite(aside.join("link.db"));

    let refused = store::open(&link, Access::Write).err().expect("the server holds it");

    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert_eq!(store::open(&link, Access::Read).unwrap().head().unwrap(), 1);
    assert_eq!(
        std::fs::read_dir(&aside).unwrap().count(),
        1,
        "nothing is created next to the link"
    );
}

#[test]
fn a_link_to_a_missing_file_uses_the_lock_of_its_target() {
    let ledger = Ledger::new();
    std::fs::create_dir(ledger.file("aside")).unwrap();
    symlink("../ledger.db", ledger.file("aside/link.db")).unwrap();
    let link = Database::Sqlite(ledger.file("aside/link.db"));

    let _made = store::open(&link, Access::Create).unwrap();

    let refused = store::open(&ledger.database(), Access::Write).err().expect("it is held");
    assert!(matches!(refused, StoreError::Locked { .. }), "{refused}");
    assert!(ledger.views_file().exists());
    assert_eq!(std::fs::read_dir(ledger.file("aside")).unwrap().count(), 1);
}

#[test]
fn files_next_to_a_ledger_are_named_after_the_target_of_a_link() {
    let ledger = Ledger::new();
    symlink("ledger.db", ledger.file("link.db")).unwrap();
    let link = Database::Sqlite(ledger.file("link.db"));

    assert_eq!(link.local_path(), ledger.log_file(), "before there is a file");
    drop(ledger.open());
    assert_eq!(link.local_path(), ledger.log_file().canonicalize().unwrap());
    assert_eq!(link.to_string(), format!("sqlite:{}", ledger.file("link.db").display()));
}

#[test]
fn a_log_with_a_hard_link_is_refused() {
    let mut app = App::start();
    app.stop();
    std::fs::hard_link(app.log_file(), app.folder().join("other.db")).unwrap();

    assert_eq!(
        refusal(&app.run(&SERVE)),
        "ledger.db has a second name (a hard link), under which SQLite could write to it unnoticed; \
         remove that name or copy the file"
    );

    std::fs::remove_file(app.folder().join("other.db")).unwrap();
    app.restart();
}

// A WAL of another log.

#[test]
fn an_older_wal_next_to_a_newer_log_is_refused() {
    // SQLite would replace newer pages by older ones, and acknowledged events would be lost.
    let (mut app, older) = with_an_older_wal();
    put_wal(&app, &older);

    assert_wal_is_refused(&app, "with it there is no event 60 any more");

    // What SQLite makes of them on its own.
    let aside = Ledger::new();
    for name in ["ledger.db", "ledger.db-wal"] {
        std::fs::copy(app.folder().join(name), aside.file(name)).unwrap();
    }
    assert_eq!(count(&aside.log_file()), 20);

    std::fs::remove_file(app.folder().join("ledger.db-wal")).unwrap();
    app.restart();
    assert_eq!(app.message(&sid(59))["events"], 1);
}

#[test]
fn a_reader_also_refuses_an_older_wal() {
    // Regression: the WAL was accepted, and a third of the events was reported as all of them.
    let (app, older) = with_an_older_wal();
    let aside = Ledger::new();
    std::fs::copy(app.log_file(), aside.log_file()).unwrap();
    std::fs::write(aside.file("ledger.db-wal"), older).unwrap();

    for command in [&["verify"][..], &["backup", "a.db"], &["export", "events"], &["audit", "SM1"]]
    {
        let output = aside.run(command);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{stderr}");
        let why =
            "ledger.db-wal does not belong to ledger.db: with it there is no event 60 any more";
        assert!(stderr.contains(why), "{stderr}");
    }
    for access in [Access::Replay, Access::Append] {
        let refused = store::open(&aside.database(), access).err().expect("it is another's");
        assert!(matches!(refused, StoreError::ForeignWal { .. }), "{refused}");
    }
    assert!(!aside.file("ledger.db.lock").exists(), "a reader makes no lock");

    // A server holds the ledger and writes to both files while a reader compares them.
    let held = File::create(aside.file("ledger.db.lock")).unwrap();
    held.lock().unwrap();
    assert_eq!(aside.open_for_reading().head().unwrap(), 20);
}

#[test]
fn a_reader_can_open_a_ledger_while_a_server_starts() {
    let mut app = killed(0..40);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let log = Database::Sqlite(app.log_file());
        let done = &done;
        let reader = scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                let opened = store::open(&log, Access::Read).err();
                let foreign = opened.filter(|error| matches!(error, StoreError::ForeignWal { .. }));
                assert!(foreign.is_none(), "{foreign:?}");
            }
        });
        for number in 0..4 {
            app.restart();
            assert_eq!(app.receive(delivered(&sid(number))).code, 200);
            app.kill();
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
}

#[test]
fn a_newer_wal_next_to_an_older_log_is_refused() {
    let mut app = App::start();
    receive(&app, 0..5);
    app.stop();
    let older = std::fs::read(app.log_file()).unwrap();
    app.restart();
    receive(&app, 5..200);
    app.stop();
    app.restart();
    receive(&app, 200..220);
    app.kill();
    std::fs::write(app.log_file(), older).unwrap();

    let refused = refusal(&app.run(&SERVE));

    assert!(refused.starts_with("ledger.db-wal does not belong to ledger.db: "), "{refused}");
}

#[test]
fn the_wal_of_another_ledger_is_refused() {
    let (mut app, other) = (killed(0..9), killed(100..130));
    app.restart();
    app.stop();
    put_wal(&app, &wal(&other));

    let refused = refusal(&app.run(&SERVE));

    assert!(refused.starts_with("ledger.db-wal does not belong to ledger.db: "), "{refused}");
}

#[test]
fn a_wal_without_its_log_is_refused_and_not_deleted() {
    // SQLite deletes a WAL that it finds next to an empty database.
    let mut app = killed(0..9);
    let kept = wal(&app);
    for make_way in [&std::fs::remove_file as &dyn Fn(_) -> _, &|log| std::fs::write(log, "")] {
        let whole = std::fs::read(app.log_file()).unwrap();
        make_way(app.log_file()).unwrap();
        assert_eq!(
            refusal(&app.run(&SERVE)),
            "ledger.db-wal was left by a database that no longer exists and may hold acknowledged \
             events; put it back next to its ledger, or move it away"
        );
        assert!(wal(&app) == kept);
        std::fs::write(app.log_file(), whole).unwrap();
    }
    app.restart();
    assert_eq!(app.message(&sid(8))["events"], 1);
}

#[test]
fn a_log_interrupted_during_a_wal_checkpoint_is_accepted() {
    // Any of the WAL's pages may have reached the file, whole or by sectors, in any order.
    let mut app = App::start();
    receive(&app, 0..40);
    app.stop();
    app.restart();
    (40..100).for_each(|number| assert_eq!(app.receive(delivered(&sid(number))).code, 200));
    app.kill();
    let (before, wal) = (std::fs::read(app.log_file()).unwrap(), wal(&app));
    drop(store::open(&Database::Sqlite(app.log_file()), Access::Write).unwrap());
    let after = std::fs::read(app.log_file()).unwrap();
    let sectors = after.len() / 512;
    let mut random = fastrand::Rng::with_seed(4);
    let mut images = 0;
    for _ in 0..60 {
        // A page is written whole, or torn at a sector; a file grows by what is written to it.
        let mut image = before.clone();
        image.resize(after.len(), 0);
        let how_many = random.f64();
        for page in 0..sectors / 8 {
            if random.f64() < how_many {
                let torn = if random.f64() < 0.3 { random.usize(0..8) } else { 8 };
                let from = if random.bool() { 0 } else { 8 - torn };
                let at = |sector: usize| (page * 8 + sector) * 512;
                image[at(from)..at(from + torn)].copy_from_slice(&after[at(from)..at(from + torn)]);
            }
        }
        images += usize::from(image != after && image != before);
        let ledger = Ledger::new();
        std::fs::write(ledger.log_file(), image).unwrap();
        std::fs::write(ledger.file("ledger.db-wal"), &wal).unwrap();
        assert_eq!(ledger.open().head().unwrap(), 100);
    }
    assert!(images > 40, "these images are no test");
}

#[test]
fn a_new_log_interrupted_during_its_first_wal_checkpoint_is_accepted() {
    // Its first page is on disk; of all others, any sector may be missing.
    let made = Ledger::new();
    drop(made.open());
    let log = Connection::open(made.log_file()).unwrap();
    log.execute_batch("PRAGMA wal_autocheckpoint = 0; VACUUM").unwrap();
    let file = |name| std::fs::read(made.file(name)).unwrap();
    let (whole, wal) = (file("ledger.db"), file("ledger.db-wal"));
    assert!(wal.len() > whole.len(), "all pages are in the WAL");

    for sector in 4096 / 512..whole.len() / 512 {
        let mut image = whole.clone();
        image[sector * 512..][..512].fill(0);
        let ledger = Ledger::new();
        std::fs::write(ledger.log_file(), image).unwrap();
        std::fs::write(ledger.file("ledger.db-wal"), &wal).unwrap();
        assert_eq!(ledger.open().head().unwrap(), 0, "without sector {sector}");
    }
}

// Views that are ahead of the log.

#[test]
fn a_log_that_lost_its_wal_is_reported_as_older_than_its_views() {
    let mut app = App::start();
    receive(&app, 0..4);
    app.stop();
    app.restart();
    // The first projection of a process takes so long that the WAL may be emptied in the pause.
    receive(&app, 4..6);
    app.caught_up();
    receive(&app, 6..9);
    app.caught_up();
    app.kill();
    std::fs::remove_file(app.folder().join("ledger.db-wal")).unwrap();
    assert!(count(&app.log_file()) < 9, "the WAL held nothing that could be lost");

    app.restart();

    app.eventually("it is logged", || app.stderr().contains("the log is older than its views"));
    let stderr = app.stderr();
    assert!(stderr.contains("they have read up to 9; events that were acknowledged"), "{stderr}");
    app.caught_up();
    assert_eq!(app.run(&["verify"]).status.code(), Some(0));
}

#[test]
fn a_log_restored_from_an_older_copy_is_reported_as_older_than_its_views() {
    let ledger = Ledger::with_events(&[event(sent(&sid(1)))]);
    assert!(ledger.run(&["backup", "older.db"]).status.success());
    ledger.append(&[event(delivered(&sid(1))), event(sent(&sid(2)))]);
    ledger.project();
    std::fs::rename(ledger.file("older.db"), ledger.log_file()).unwrap();

    let output = ledger.run(&["export", "messages"]);

    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("it ends at position 1, they have read up to 3"), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}
