//! `doctor`'s checks on the ledger's files: permissions and leftover files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::{Page, delivered_just_now, examine, seconds_ago};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{delivered, sid};

#[test]
fn files_that_other_users_can_read_or_delete_are_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let with_mode = |file: &str, mode| {
        fs::set_permissions(ledger.file(file), fs::Permissions::from_mode(mode)).unwrap();
        let page = examine(&ledger);
        // Files left by a reader have the mode that the log had then.
        let _not_there = fs::remove_file(ledger.file("ledger.db-shm"));
        let _not_there = fs::remove_file(ledger.file("ledger.db-wal"));
        page.outcome("permissions").to_owned()
    };
    assert_eq!(with_mode("ledger.db", 0o640), "warn");
    assert_eq!(with_mode("ledger.db", 0o600), "ok");
    assert_eq!(with_mode("", 0o777), "warn");
    assert_eq!(with_mode("", 0o700), "ok");
}

/// Runs `doctor` as a user without permission to read the ledger, if the tests run as root.
fn examine_as_stranger(ledger: &Ledger) -> Page {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_delivery-ledger"));
    let database = format!("sqlite:{}", ledger.log_file().display());
    command.current_dir("/").env_clear().args(["--database", &database]);
    command.args(["doctor", "--format", "json", "--admin-listen", "127.0.0.1:1"]);
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = command.output().expect("the program starts");
    let json = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    Page { code: output.status.code(), json }
}

#[test]
fn a_ledger_without_read_permission_is_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    for file in [ledger.log_file(), ledger.views_file()] {
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
    }
    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o755)).unwrap();
    let page = examine_as_stranger(&ledger);
    assert_eq!((page.code, page.outcome("access"), page.outcome("log")), (Some(3), "fail", "fail"));

    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o000)).unwrap();
    let page = examine_as_stranger(&ledger);
    assert_eq!(page.outcome("log"), "fail");
    assert!(page.detail("log").contains("cannot look for"));
    fs::set_permissions(ledger.file(""), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_log_with_two_names_is_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::hard_link(ledger.log_file(), ledger.file("also.db")).unwrap();

    assert_eq!(examine(&ledger).outcome("names"), "fail");
}

#[test]
fn leftover_files_are_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    fs::write(ledger.file(".b.db.unfinished-x1y2"), "half a copy").unwrap();
    let page = examine(&ledger);
    assert_eq!(page.outcome("leftovers"), "warn");
    assert!(page.detail("leftovers").contains(".b.db.unfinished-x1y2"));

    let orphaned = Ledger::new();
    fs::write(orphaned.file("ledger.db-wal"), "another's").unwrap();
    let page = examine(&orphaned);
    assert_eq!((page.outcome("leftovers"), page.code), ("fail", Some(3)));
}

#[test]
fn a_wal_that_only_grows_is_reported() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let views = ledger.views_file().canonicalize().unwrap();
    let wal = fs::File::create(views.with_extension("db-wal")).unwrap();
    wal.set_len(200 << 20).unwrap();

    assert_eq!(examine(&ledger).outcome("write-ahead log"), "warn");
}

#[test]
fn growth_counts_the_events_of_the_last_week() {
    let week_ago = |number| seconds_ago(event(delivered(&sid(number))), 30 * 86_400);
    let old: Vec<_> = (0..900).map(week_ago).collect();
    let new: Vec<_> =
        (900..970).map(|number| seconds_ago(event(delivered(&sid(number))), 60)).collect();

    let page = examine(&Ledger::with_events(&[old, new].concat()));

    assert!(page.detail("growth").starts_with("10 events "), "{}", page.detail("growth"));
}
