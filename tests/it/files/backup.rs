//! `backup` and `restore`: a single verified file, and everything that they refuse.

use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use delivery_ledger::backup::{BackupError, backup};
use delivery_ledger::domain::message::tags::IndexedTags;
use delivery_ledger::domain::{NewEvent, Rule};
use delivery_ledger::server::RunningLedger;
use delivery_ledger::store::{self, Access, Database};
use serde_json::Value;

use crate::support::events::{event, with_token};
use crate::support::ledger::Ledger;
use crate::support::{App, delivered, failed, sent, sid};

/// More events than one read returns, with new envelopes in between and events that carry their own.
fn many_events() -> Vec<NewEvent> {
    let events = (0..4_200).map(|number| {
        let event = match number % 3 {
            0 => event(sent(&sid(number / 3))),
            1 => event(delivered(&sid(number / 3))),
            _ => with_token(event(failed(&sid(number / 3), "30003")), "not a UUID"),
        };
        let host = number / 1000;
        NewEvent { url: format!("https://hooks{host}.example.com/message-status"), ..event }
    });
    events.collect()
}

fn three_events() -> Vec<NewEvent> {
    vec![event(sent(&sid(1))), event(delivered(&sid(1))), event(failed(&sid(2), "30003"))]
}

fn json(output: &Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the single error line of a refused command.
#[track_caller]
fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let line = stderr.strip_prefix("error: ").and_then(|line| line.strip_suffix('\n'));
    line.filter(|line| !line.contains('\n')).expect("one line").to_owned()
}

/// The files of a folder, without the ledger's own.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("ledger.")).collect();
    names.sort();
    names
}

fn everything(ledger: &Ledger) -> Vec<u8> {
    let output = ledger.run(&["export", "events"]);
    assert!(output.status.success());
    output.stdout
}

// Backup.

#[test]
fn a_backup_is_one_file_with_all_events_and_the_same_hash() {
    let ledger = Ledger::with_events(&many_events());
    let (_, verified) = ledger.verify(&[]);
    std::fs::create_dir(ledger.file("backups")).unwrap();

    let output = json(&ledger.run(&["backup", "backups/monday.db", "--format", "json"]));

    assert_eq!(output["backup"], "backups/monday.db");
    assert_eq!(output["head"], 4_200);
    assert_eq!(output["hash"], verified["hash"]);
    assert_eq!(names(&ledger.file("backups")), ["monday.db"]);
    let mode = ledger.file("backups/monday.db").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let of_backup = ["--database", "sqlite:backups/monday.db"];
    assert_eq!(
        ledger.run(&[&["export", "events"][..], &of_backup].concat()).stdout,
        everything(&ledger)
    );
    let expected = format!("4200:{}", verified["hash"].as_str().unwrap());
    let (code, of_backup) = ledger.verify(&[&["--expect", &expected][..], &of_backup].concat());
    assert_eq!((code, &of_backup["findings"]), (Some(0), &serde_json::json!([])));
}

#[test]
fn backup_prints_the_hash_to_note_elsewhere() {
    let ledger = Ledger::with_events(&three_events());
    let hash = ledger.verify(&[]).1["hash"].as_str().unwrap().to_owned();

    let output = ledger.run(&["backup", "a.db"]);

    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!(
            "backup   a.db\nevents   3\nhash     {hash}\n\n\
             It was verified. Keep this elsewhere to prove it later:\n  verify --expect 3:{hash}\n"
        )
    );
}

#[test]
fn an_empty_ledger_can_be_backed_up() {
    let ledger = Ledger::with_events(&[]);
    assert_eq!(json(&ledger.run(&["backup", "a.db", "--format", "json"]))["head"], 0);
    std::fs::remove_file(ledger.log_file()).unwrap();

    assert!(ledger.run(&["restore", "a.db"]).status.success());

    ledger.append(&three_events());
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn a_backup_contains_every_event_acknowledged_before_it_began() {
    let app = App::start();
    let (acknowledged, done) = (AtomicU64::new(0), AtomicBool::new(false));
    let keep_sending = &|sender: u32| {
        for number in (0..).take_while(|_| !done.load(Ordering::SeqCst)) {
            assert_eq!(app.receive(sent(&sid(sender * 1_000_000 + number))).code, 200);
            acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|scope| {
        let senders = [1, 2, 3].map(|sender| scope.spawn(move || keep_sending(sender)));
        for number in 0..6 {
            let before = acknowledged.load(Ordering::SeqCst);
            let file = format!("{number}.db");
            let made = app.run(&["backup", &file, "--format", "json"]);
            if !made.status.success() {
                done.store(true, Ordering::SeqCst);
            }
            let head = json(&made)["head"].as_u64().unwrap();
            assert!(head >= before, "{head}, with {before} acknowledged before");
        }
        done.store(true, Ordering::SeqCst);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
    });
    let events = app.run(&["export", "events"]).stdout;
    let in_last_backup = app.run(&["--database", "sqlite:5.db", "export", "events"]).stdout;
    assert!(in_last_backup.len() > 1000 && events.starts_with(&in_last_backup));
}

#[test]
fn backup_never_overwrites_anything() {
    let ledger = Ledger::with_events(&three_events());
    std::fs::write(ledger.file("file"), "precious").unwrap();
    std::fs::create_dir(ledger.file("folder")).unwrap();
    symlink("nowhere", ledger.file("link")).unwrap();
    std::fs::write(ledger.file("new.db-wal"), "another database's").unwrap();
    let before = names(&ledger.file(""));

    for taken in ["file", "folder", "link", "ledger.db"] {
        assert_eq!(
            refusal(&ledger.run(&["backup", taken])),
            format!(
                "{taken} already exists and will not be overwritten; choose another path or move it first"
            )
        );
    }
    assert_eq!(
        refusal(&ledger.run(&["backup", "new.db"])),
        "new.db-wal was left by a database that no longer exists and may hold acknowledged events; \
         put it back next to its ledger, or move it away"
    );
    let nowhere = refusal(&ledger.run(&["backup", "no/such/folder.db"]));
    assert!(nowhere.starts_with("cannot write no/such/folder.db: No such file"), "{nowhere}");

    assert_eq!(names(&ledger.file("")), before);
    assert_eq!(std::fs::read_to_string(ledger.file("file")).unwrap(), "precious");
}

#[test]
fn a_damaged_log_is_not_backed_up_and_its_findings_are_reported() {
    let changed = |ledger: &Ledger| {
        ledger.damage_log(|log| {
            log.execute("UPDATE events SET body = X'41' WHERE position = 2", []).unwrap();
        });
    };
    let gap = |ledger: &Ledger| {
        ledger.damage_log(|log| {
            log.execute("DELETE FROM events WHERE position = 2", []).unwrap();
        });
    };
    let unguarded = |ledger: &Ledger| ledger.log_sql("DROP TRIGGER events_never_change").unwrap();
    for (damage, code, expected) in [
        (&changed as &dyn Fn(&Ledger), 3, "changed-events: positions 1 to 3 are not what was read"),
        (&unguarded, 3, "guard-missing: trigger events_never_change is missing from the log"),
        (&gap, 1, "error: there is no event at position 2"),
    ] {
        let ledger = Ledger::with_events(&three_events());
        damage(&ledger);
        let before = names(&ledger.file(""));

        let output = ledger.run(&["backup", "a.db"]);

        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.starts_with(expected), "{stderr}");
        assert!(output.stdout.is_empty());
        assert_eq!(names(&ledger.file("")), before);
    }
}

#[test]
fn an_interrupted_backup_leaves_no_files() {
    let ledger = Ledger::with_events(&many_events());
    let before = names(&ledger.file(""));
    // During the copy, during the verification of the log, and during that of the copy.
    for steps in [1, 5, 12] {
        let mut step = 0;
        let made = backup(&ledger.database(), &ledger.file("a.db"), &mut |_| {
            step += 1;
            match step == steps {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });

        assert!(
            matches!(made, Err(BackupError::Store(_) | BackupError::Projection(_))),
            "{made:?}"
        );
        assert_eq!(step, steps, "it continued although it was cancelled");
        assert_eq!(names(&ledger.file("")), before);
    }
}

#[test]
fn a_backup_may_have_hard_links_and_a_ledger_may_not() {
    // Snapshot tools hard-link unchanged files. A ledger opened by a second name would get a second
    // WAL, and the events in the first one would be missing.
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    std::fs::hard_link(ledger.file("a.db"), ledger.file("b.db")).unwrap();
    std::fs::hard_link(ledger.log_file(), ledger.file("other.db")).unwrap();

    assert_eq!(ledger.verify(&["--database", "sqlite:b.db"]).0, Some(0));
    for command in [&["verify"][..], &["backup", "c.db"], &["export", "events"]] {
        let refused = refusal(&ledger.run(&[command, &["--database", "sqlite:other.db"]].concat()));
        let why = "other.db has a second name (a hard link)";
        assert!(refused.starts_with(why), "{refused}");
    }
}

// Restore.

#[test]
fn backup_and_restore_follow_symbolic_links() {
    // Regression: the WAL was looked up next to the link, but SQLite read the one next to the target.
    let mut app = App::start();
    (0..20).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
    app.kill();
    let older = std::fs::read(app.folder().join("ledger.db-wal")).unwrap();
    app.restart();
    (20..60).for_each(|number| assert_eq!(app.receive(sent(&sid(number))).code, 200));
    app.stop();
    let ledger = Ledger::new();
    std::fs::copy(app.log_file(), ledger.file("copy.db")).unwrap();
    std::fs::write(ledger.file("copy.db-wal"), older).unwrap();
    std::fs::create_dir(ledger.file("aside")).unwrap();
    symlink("../copy.db", ledger.file("aside/from.db")).unwrap();
    symlink("../books.db", ledger.file("aside/to.db")).unwrap();
    let restore = ["--database", "sqlite:aside/to.db", "restore", "aside/from.db"];

    let refused = refusal(&ledger.run(&restore));
    assert!(refused.contains("with it there is no event 60 any more"), "{refused}");
    std::fs::remove_file(ledger.file("copy.db-wal")).unwrap();
    assert!(ledger.run(&restore).status.success());

    let restored = store::open(&Database::Sqlite(ledger.file("books.db")), Access::Read).unwrap();
    assert_eq!(restored.head().unwrap(), 60);
    assert_eq!(names(&ledger.file("aside")), ["from.db", "to.db"]);
}

#[test]
fn a_restored_ledger_equals_the_original() {
    let ledger = Ledger::with_events(&many_events());
    let (exported, verified) = (everything(&ledger), ledger.verify(&[]).1);
    let backup = json(&ledger.run(&["backup", "a.db", "--format", "json"]));
    for file in ["ledger.db", "ledger.views.db"] {
        std::fs::remove_file(ledger.file(file)).unwrap();
    }

    let restored = json(&ledger.run(&["restore", "a.db", "--format", "json"]));

    assert_eq!(restored["ledger"], "ledger.db");
    assert_eq!((&restored["head"], &restored["hash"]), (&backup["head"], &backup["hash"]));
    assert_eq!(everything(&ledger), exported);
    ledger.project();
    let (code, again) = ledger.verify(&[]);
    assert_eq!((code, &again["digest"]), (Some(0), &verified["digest"]));
    let mode = ledger.log_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    ledger.append(&[event(sent(&sid(7)))]);
    assert_eq!(ledger.open().head().unwrap(), 4_201);
}

#[test]
fn restore_does_not_overwrite_a_ledger_in_use() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    assert!(app.run(&["backup", "a.db"]).status.success());

    assert_eq!(
        refusal(&app.run(&["restore", "a.db"])),
        "ledger.db is held by another process, such as a running server; stop that process or choose \
         another ledger"
    );

    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    assert_eq!(app.message(&sid(1))["events"], 2);
}

#[test]
fn restore_does_not_overwrite_leftover_ledger_files() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    let there = refusal(&ledger.run(&["restore", "a.db"]));
    assert!(there.starts_with("ledger.db already exists and will not be overwritten"), "{there}");
    assert_eq!(ledger.verify(&[]).1["head"], 3);

    std::fs::remove_file(ledger.log_file()).unwrap();
    for left in ["ledger.db-wal", "ledger.db-journal"] {
        std::fs::write(ledger.file(left), "left").unwrap();
        let refused = refusal(&ledger.run(&["restore", "a.db"]));
        assert!(refused.starts_with(&format!("{left} was left by a database")), "{refused}");
        assert!(!ledger.log_file().exists());
        // Empty ones contain nothing; readers leave them behind.
        std::fs::write(ledger.file(left), "").unwrap();
    }
    assert!(ledger.run(&["restore", "a.db"]).status.success());
}

#[test]
fn a_file_that_is_not_a_backup_is_refused() {
    let ledger = Ledger::new();
    std::fs::write(ledger.file("diary"), "Dear diary, it rained today. ".repeat(50)).unwrap();
    std::fs::write(ledger.file("empty"), "").unwrap();
    for (file, expected) in [
        ("nowhere", "there is no file nowhere to restore from"),
        ("diary", "diary is not a delivery-ledger database: SQLite does not know its format"),
        ("empty", "empty is not a delivery-ledger database: it is empty"),
    ] {
        let refused = refusal(&ledger.run(&["restore", file]));
        assert!(refused.starts_with(expected), "{refused}");
        assert!(!ledger.log_file().exists());
    }
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let ledger = Ledger::with_events(&many_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    let mut bytes = std::fs::read(ledger.file("a.db")).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(ledger.file("a.db"), bytes).unwrap();
    std::fs::remove_file(ledger.log_file()).unwrap();

    let output = ledger.run(&["restore", "a.db"]);

    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("malformed"));
    assert!(!ledger.log_file().exists());
}

#[test]
fn restore_keeps_matching_views_and_empties_newer_ones_with_a_warning() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    let checkpoint = || ledger.open_for_reading().views().checkpoint().unwrap().position;

    std::fs::remove_file(ledger.log_file()).unwrap();
    let fitting = ledger.run(&["restore", "a.db"]);
    assert_eq!(String::from_utf8_lossy(&fitting.stderr), "");
    assert_eq!(checkpoint(), 3);

    ledger.append(&[event(sent(&sid(3)))]);
    ledger.project();
    assert_eq!(checkpoint(), 4);
    std::fs::remove_file(ledger.log_file()).unwrap();
    let newer = ledger.run(&["restore", "a.db"]);
    assert!(newer.status.success());
    let stderr = String::from_utf8_lossy(&newer.stderr);
    assert!(stderr.contains("the log is older than its views: it ends at position 3"), "{stderr}");
    assert_eq!(checkpoint(), 0);
    ledger.project();
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

// Files copied without the program.

#[test]
fn the_two_files_of_a_stopped_ledger_can_be_copied_as_a_backup() {
    let mut app = App::start();
    for number in 0..50 {
        app.receive(sent(&sid(number)));
    }
    app.caught_up();
    app.stop();
    let copy = Ledger::new();
    for name in ["ledger.db", "ledger.views.db"] {
        std::fs::copy(app.folder().join(name), copy.file(name)).unwrap();
    }

    let (code, verified) = copy.verify(&[]);

    assert_eq!(
        (code, &verified["head"], &verified["checkpoint"]),
        (Some(0), &50.into(), &50.into())
    );
    copy.append(&[event(delivered(&sid(1)))]);
    assert_eq!(copy.verify(&[]).1["head"], 51);
}

#[test]
fn the_files_of_a_stopped_ledger_are_complete_even_if_a_thread_still_has_them_open() {
    let ledger = Ledger::new();
    ledger.append(&three_events());
    let running = RunningLedger::start(
        &ledger.database(),
        Rule::default(),
        IndexedTags::All,
        &[],
        "node".to_owned(),
    )
    .unwrap();
    assert!(running.projection.wait_for(3, Instant::now() + Duration::from_secs(60)));
    // SQLite empties a WAL when the last connection is closed, which does not happen here.
    let _still_open = Arc::clone(&running.store);

    running.finish();

    let copy = Ledger::new();
    for name in ["ledger.db", "ledger.views.db"] {
        std::fs::copy(ledger.file(name), copy.file(name)).unwrap();
    }
    let (code, verified) = copy.verify(&[]);
    assert_eq!((code, &verified["head"], &verified["checkpoint"]), (Some(0), &3.into(), &3.into()));
}

#[test]
fn a_copy_of_a_killed_ledger_is_complete_only_with_its_wal() {
    let mut app = App::start();
    for number in 0..50 {
        app.receive(sent(&sid(number)));
    }
    app.kill();
    let copied = |names: &[&str]| {
        let copy = Ledger::new();
        std::fs::create_dir(copy.file("from")).unwrap();
        for name in names {
            std::fs::copy(app.folder().join(name), copy.file("from").join(name)).unwrap();
        }
        copy
    };

    let whole = copied(&["ledger.db", "ledger.db-wal"]);
    let restored = json(&whole.run(&["restore", "from/ledger.db", "--format", "json"]));
    assert_eq!(restored["head"], 50);
    assert_eq!(names(&whole.file("")), ["from"]);

    // A copy without the WAL may lack acknowledged events, because they are not in the file yet.
    let without = copied(&["ledger.db"]);
    let output = without.run(&["restore", "from/ledger.db", "--format", "json"]);
    let head = output.status.success().then(|| json(&output)["head"].as_u64().unwrap());
    assert!(head.is_none_or(|head| head < 50), "{head:?}");
}

#[test]
fn a_backup_can_be_read_from_a_read_only_folder() {
    let ledger = Ledger::with_events(&three_events());
    assert!(ledger.run(&["backup", "a.db"]).status.success());
    let header = std::fs::read(ledger.file("a.db")).unwrap();
    // 2 would mean WAL mode, in which a reader needs files next to the database.
    assert_eq!(header[18..20], [1, 1]);
    let reader = store::open(&Database::Sqlite(ledger.file("a.db")), Access::Read).unwrap();
    assert_eq!(reader.head().unwrap(), 3);
    let is_other = |name: &String| name.starts_with("a.db-");
    assert!(!names(&ledger.file("")).iter().any(is_other));
}
