//! Ledgers of released versions, opened by this one: nothing that they contain is lost or reads differently.
//!
//! Each folder of tests/data/ledgers is a ledger that one release has made, with what that release said
//! about it; tests/data/ledgers/make adds one. Every test here runs on all of them.

mod make;
mod release;
mod schemas;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use self::make::{RECHECK, make};
use self::release::{Release, assert_same_facts, audits, lines};
use crate::support::ledger::findings;
use crate::support::{App, delivered, sid};

const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");

#[test]
fn every_released_version_has_a_ledger_here() {
    let headings = CHANGELOG.lines().filter_map(|line| line.strip_prefix("## "));
    let heading = |heading: &'static str| heading.strip_prefix('[')?.split_once("] - ");
    let released: Option<Vec<_>> = headings.map(heading).collect();
    let released = released.expect("each heading is `## [VERSION] - DATE`").into_iter();
    let released = released.filter(|(_, date)| *date != "unreleased").map(|(version, _)| version);
    let here: Vec<_> = Release::all().into_iter().map(|release| release.version).collect();
    for version in released {
        assert!(here.iter().any(|have| have == version), "tests/data/ledgers has no {version}");
    }
}

#[test]
fn a_server_continues_the_ledger_of_every_release() {
    Release::all().iter().for_each(a_server_continues);
}

fn a_server_continues(release: &Release) {
    let mut app = release.ledger();

    app.restart();

    app.caught_up();
    assert_same_facts(&audits(&app), &release.audits());
    assert_eq!(app.receive(delivered(&sid(0xfff))).code, 200, "{}", release.version);
    app.caught_up();
    assert_eq!(app.message(&sid(0xfff))["status"], "delivered");
    assert_eq!(verified(&app, &release.expected("root")), [""; 0], "{}", release.version);
    app.stop();
    assert_eq!(verified(&app, &release.expected("root")), [""; 0], "{}", release.version);
    assert_eq!(poor_checks(&app), [""; 0], "{}", release.version);
}

#[test]
fn commands_alone_upgrade_the_ledger_of_every_release() {
    Release::all().iter().for_each(commands_upgrade);
}

fn commands_upgrade(release: &Release) {
    let app = release.ledger();
    assert_same_facts(&audits(&app), &release.audits());
    assert_eq!(verified(&app, &release.expected("root")), [""; 0], "{}", release.version);
    assert_eq!(poor_checks(&app), [""; 0], "{}", release.version);
}

#[test]
fn the_views_of_every_release_agree_with_those_of_a_replay() {
    Release::all().iter().for_each(views_agree_with_a_replay);
}

fn views_agree_with_a_replay(release: &Release) {
    let (kept, rebuilt) = (release.ledger(), release.ledger());
    std::fs::remove_file(rebuilt.views_file()).unwrap();
    assert_eq!(audits(&kept), audits(&rebuilt));
    let digest = |app: &App| app.json(&["verify", "--format", "json"])["digest"].clone();
    assert_eq!(digest(&kept), digest(&rebuilt), "{}", release.version);
}

#[test]
fn exports_of_the_ledger_of_every_release_say_the_same_as_before() {
    Release::all().iter().for_each(exports_say_the_same);
}

fn exports_say_the_same(release: &Release) {
    let app = release.ledger();
    assert_same_facts(&app.events(), &lines(&release.file("events.ndjson.gz")));
    assert_same_facts(&app.messages(), &lines(&release.file("messages.ndjson.gz")));
}

#[test]
fn the_quarantine_of_every_release_is_rechecked() {
    Release::all().iter().for_each(quarantine_is_rechecked);
}

fn quarantine_is_rechecked(release: &Release) {
    let app = release.ledger();
    let list = ["quarantine", "list", "--format", "json"];
    let before = release.expected("quarantine");
    let before = before.as_array().unwrap();
    assert_same_facts(app.json(&list)["data"].as_array().unwrap(), before);
    let events = app.events().len();

    let outcome = app.json(&RECHECK);

    assert_eq!((&outcome["appended"], &outcome["refused"]), (&json!(2), &json!(1)));
    let appended: Vec<_> =
        app.events()[events..].iter().map(|event| event["event_id"].clone()).collect();
    let ids: Vec<_> = before.iter().map(|request| request["id"].clone()).collect();
    assert!(appended.iter().all(|id| ids.contains(id)), "{appended:?}");
    assert_eq!(verified(&app, &release.expected("root")), [""; 0], "{}", release.version);
}

/// The way back in docs/operations/upgrading.md, and the way to a new machine in backups.md.
#[test]
fn the_backup_of_every_release_is_restored_and_completed_from_its_export() {
    Release::all().iter().for_each(backup_is_restored_and_completed);
}

fn backup_is_restored_and_completed(release: &Release) {
    let app = App::not_started(&[]);
    let write = |name: &str, file: &str| {
        std::fs::write(app.folder().join(name), release.file(file)).unwrap();
    };
    write("backup.db", "backup.db.gz");
    write("events.ndjson", "events.ndjson.gz");

    let restored = app.run(&["restore", "backup.db"]);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(verified(&app, &release.expected("backup")), [""; 0], "{}", release.version);

    let imported = app.json(&["import", "events.ndjson", "--report", "json"]);
    assert_eq!((&imported["refused"], app.events().len()), (&json!(0), release.events()));
    assert_eq!(statuses(&audits(&app)), statuses(&release.audits()), "{}", release.version);
    assert_eq!(verified(&app, &release.expected("backup")), [""; 0], "{}", release.version);
}

#[test]
fn the_export_of_every_release_is_imported_into_a_new_ledger() {
    Release::all().iter().for_each(export_is_imported);
}

fn export_is_imported(release: &Release) {
    let app = App::not_started(&[]);
    let events = release.file("events.ndjson.gz");
    std::fs::write(app.folder().join("events.ndjson"), &events).unwrap();
    let imported = app.json(&["import", "events.ndjson", "--report", "json"]);
    assert_eq!(imported["appended"], json!(release.events()), "{imported}");
    assert_eq!(statuses(&audits(&app)), statuses(&release.audits()), "{}", release.version);
}

/// So that a release can add its ledger. `LEDGER_TO` is a new folder for it; otherwise it is not stored.
#[test]
fn this_version_makes_a_ledger_that_it_accepts() {
    let temporary = TempDir::new().unwrap();
    let folder = std::env::var_os("LEDGER_TO")
        .map_or_else(|| temporary.path().join(env!("CARGO_PKG_VERSION")), PathBuf::from);
    make(&folder);
    let release = Release::new(folder);
    for check in [
        a_server_continues,
        commands_upgrade,
        views_agree_with_a_replay,
        exports_say_the_same,
        quarantine_is_rechecked,
        backup_is_restored_and_completed,
        export_is_imported,
    ] {
        check(&release);
    }
}

/// What an older version does with a ledger of a newer one, which may keep its journal in another way, or may
/// have been killed with its last events in the WAL.
#[test]
fn a_log_that_a_newer_version_has_migrated_is_refused_and_left_as_it_is() {
    for (release, journal_mode) in
        Release::all().iter().flat_map(|release| [(release, "DELETE"), (release, "WAL")])
    {
        let app = release.ledger();
        let log = Connection::open(app.log_file()).unwrap();
        log.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        log.pragma_update(None, "journal_mode", journal_mode).unwrap();
        let history = "INSERT INTO refinery_schema_history";
        log.execute_batch(&format!("{history} VALUES (99, 'tomorrow', '2030-01-01', '1')"))
            .unwrap();
        drop(log);
        let before = files(app.folder());
        assert_eq!(before.contains_key("ledger.db-wal"), journal_mode == "WAL");

        let serve = ["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
        let import = ["import", "delivery-ledger.toml"];
        let read = [&["verify"][..], &["export", "events"], &["audit", "SM1"], &["messages"]];
        let write = [&serve[..], &["replay"], &["backup", "b.db"], &import, &RECHECK];
        for command in read.into_iter().chain(write) {
            let output = app.run(command);
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{command:?}: {stderr}");
            assert!(stderr.contains("was written by a newer version (schema 99"), "{stderr}");
            assert_eq!(files(app.folder()), before, "{command:?} in {journal_mode}");
        }
    }
}

// Helpers.

/// Verifies the log against `POSITION:HASH`, and returns the names of the findings.
fn verified(app: &App, expected: &Value) -> Vec<String> {
    let expected = expected.as_str().unwrap();
    let output = app.run(&["verify", "--expect", expected, "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    findings(&json).into_iter().map(str::to_owned).collect()
}

/// Checks whose result depends on the day and the machine of the test.
const NOT_OF_THE_LEDGER: [&str; 3] = ["stuck messages", "disk", "growth"];

/// The checks of `doctor` on files and ledger that are not ok.
fn poor_checks(app: &App) -> Vec<String> {
    let output = app.run(&["doctor", "--format", "json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap().iter();
    let checks: Vec<_> = checks
        .filter(|check| check["area"] == "files" || check["area"] == "ledger")
        .filter(|check| !NOT_OF_THE_LEDGER.iter().any(|name| check["name"] == *name))
        .collect();
    assert!(checks.len() > 5, "{report}");
    let poor = checks.into_iter().filter(|check| check["outcome"] != "ok");
    poor.map(Value::to_string).collect()
}

/// The status, and the status and effect of each event, of every message.
fn statuses(audits: &[Value]) -> BTreeMap<String, Value> {
    let of = |audit: &Value| {
        let timeline = audit["timeline"].as_array().unwrap().iter();
        let events =
            timeline.map(|event| json!([event["event_id"], event["status"], event["effect"]]));
        json!([audit["status"], audit["conflict"], audit["error_code"], events.collect::<Vec<_>>()])
    };
    audits.iter().map(|audit| (audit["message_sid"].to_string(), of(audit))).collect()
}

/// Every file of a folder with the hash of its content, except for locks, and for empty files.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let content = std::fs::read(entry.path()).unwrap();
        (name, content.len(), Sha256::digest(&content))
    });
    let files = files.filter(|(name, bytes, _)| *bytes > 0 && !name.ends_with("-shm"));
    files.map(|(name, bytes, hash)| (name, format!("{bytes} bytes, {hash:x?}"))).collect()
}
