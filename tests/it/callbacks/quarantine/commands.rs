//! `quarantine list`, `show` and `purge`, and the commands that leave a quarantine alone.

use serde_json::json;
use uuid::Uuid;

use super::{SIGNED_URL, WRONG_URL, contains, quarantine_file};
use crate::support::ledger::findings;
use crate::support::terminal::Terminal;
use crate::support::{App, sent, sid};

// The commands.

#[test]
fn the_list_fits_80_columns_and_has_everything_at_200() {
    let app = App::start_with(&["--public-url", WRONG_URL]);
    app.callback(sent(&sid(1)).bytes());
    app.kept(1);
    let id = app.only_id();
    let list = || app.command(&["quarantine", "list"]);

    let shown = Terminal::of(80).show(list());
    let heading =
        "id                                    received (UTC)  bytes  path             reason\n";
    let narrow = "id                                    received (UTC)  bytes  reason\n";
    assert!(shown.starts_with(narrow) && !shown.starts_with(heading), "{shown}");
    assert!(shown.contains(&id) && shown.contains("  signature_wrong\n"), "{shown}");
    let cause = "        a forgery, a token that is no longer in use, a body that was changed on\n        \
                 the way, or a URL that differs in more than is tried\n";
    assert!(shown.contains(cause), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");

    let shown = Terminal::of(200).show(list());
    let row = "  /message-status  signature_wrong  a forgery, a token that is no longer in use,";
    assert!(shown.contains(row), "{shown}");
    let piped = String::from_utf8(list().output().stdout).unwrap();
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&shown), words(&piped), "nothing is left out");
    assert_eq!(piped.lines().count(), 4, "a pipe has one line a request: {piped}");
}

#[test]
fn the_list_can_be_of_a_period() {
    let app = App::start();
    app.forged(3);
    app.kept(3);
    let ids = |flags: &[&str]| {
        let list = app.json(&[&["quarantine", "list", "--format", "json"], flags].concat());
        let requests = list["data"].as_array().unwrap().iter();
        requests.map(|it| it["received_at"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = ids(&[]);
    let [newest, middle, oldest] = &all[..] else { panic!("{all:?}") };
    assert_eq!(ids(&["--since", middle]), [newest.clone(), middle.clone()]);
    assert_eq!(ids(&["--until", middle]), std::slice::from_ref(oldest));
    assert_eq!(ids(&["--since", middle, "--limit", "1"]), std::slice::from_ref(newest));
    assert_eq!(ids(&["--until", "24h"]), [""; 0]);
    let (_, table, _) = app.run_as_text(&["quarantine", "list", "--time-zone=asia/kathmandu"]);
    assert!(table.contains("received at (Asia/Kathmandu)") && table.contains("+05:45"), "{table}");
    let (code, _, stderr) = app.run_as_text(&["quarantine", "list", "--since=1h", "--until=2h"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("exchange the two"), "{stderr}");
}

#[test]
fn an_unknown_id_exits_with_4_and_an_invalid_one_with_2() {
    let app = App::start();
    let id = Uuid::now_v7().to_string();
    let (code, stdout, stderr) = app.run_as_text(&["quarantine", "show", &id]);
    assert_eq!((code, &*stdout), (4, ""));
    assert!(stderr.contains(&format!("the quarantine has no request {id}")), "{stderr}");
    app.forged(1);
    app.kept(1);
    assert_eq!(app.run_as_text(&["quarantine", "show", &id]).0, 4);
    assert_eq!(app.run_as_text(&["quarantine", "show", "nonsense"]).0, 2);
    assert_eq!(app.run_as_text(&["quarantine", "show"]).0, 2);
    assert_eq!(app.run_as_text(&["quarantine"]).0, 2);
    assert_eq!(app.run_as_text(&["quarantine", "list", "--limit", "0"]).0, 2);
    assert_eq!(app.run_as_text(&["quarantine", "purge", "--before", "soon"]).0, 2);
    assert_eq!(app.run_as_text(&["quarantine", "list", "--format", "xml"]).0, 2);
}

#[test]
fn invalid_settings_stop_the_server_at_startup() {
    for (name, value, expected) in [
        ("DELIVERY_LEDGER_QUARANTINE", "maybe", "`maybe` is neither on nor off"),
        ("DELIVERY_LEDGER_QUARANTINE_REQUESTS", "0", "`0` is not a whole number from 1 on"),
        ("DELIVERY_LEDGER_QUARANTINE_MIB", "1.5", "`1.5` is not a whole number from 1 on"),
    ] {
        let app = App::not_started(&[(name, value)]);
        let (code, _, stderr) = app.run_as_text(&["serve"]);
        assert_eq!(code, 1);
        assert_eq!(stderr, format!("error: {name}: {expected}\n"));
    }
    let app = App::not_started(&[]);
    let before = std::fs::read_to_string(app.folder().join("delivery-ledger.toml")).unwrap();
    let text = format!("quarantine = \"off\"\nquarantine_requests = 0\n{before}");
    std::fs::write(app.folder().join("delivery-ledger.toml"), text).unwrap();
    // What is switched off need not be right.
    assert_eq!(app.run_as_text(&["quarantine", "recheck"]).0, 0);
}

#[test]
fn show_reports_what_would_make_the_signature_match_now() {
    let app = App::start_with(&["--public-url", WRONG_URL]);
    app.callback(sent(&sid(1)).bytes());
    app.kept(1);
    let id = app.only_id();

    let (_, wrong, _) =
        app.run_as_text(&["quarantine", "show", &id, "--public-url", "http://hooks.example.com"]);
    assert!(wrong.contains("now          the signature does not match"), "{wrong}");
    assert!(wrong.contains(": matches if the public URL begins with https\n"), "{wrong}");

    let right = ["quarantine", "show", &id, "--public-url", "https://hooks.example.com"];
    let (_, right, _) = app.run_as_text(&right);
    assert!(
        right.contains(&format!("now          valid over {SIGNED_URL}; recheck would append it\n")),
        "{right}"
    );
}

#[test]
fn a_purge_reports_its_count_with_and_without_a_server() {
    let mut app = App::start();
    app.forged(3);
    app.kept(3);
    assert_eq!(
        app.run_as_text(&["quarantine", "purge", "--before", "2020-01-01"]).1,
        "0 removed\n"
    );
    assert_eq!(app.run_as_text(&["quarantine", "purge"]).1, "3 removed\n");
    app.forged(1);
    app.eventually("it is kept", || app.value("quarantine_requests") == 1.0);
    app.stop();
    assert_eq!(app.json(&["quarantine", "purge", "--format", "json"]), json!({ "removed": 1 }));
    assert_eq!(app.run_as_text(&["quarantine", "list"]).1, "The quarantine is empty.\n");
}

#[test]
fn backup_verify_and_restore_do_not_touch_the_quarantine() {
    let mut app = App::start();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);
    app.forged(2);
    app.kept(2);

    let (code, _, stderr) = app.run_as_text(&["backup", "copy.db"]);
    assert_eq!(code, 0, "{stderr}");
    app.stop();
    assert!(!contains(&app.folder().join("copy.db"), b"forged"));
    assert!(contains(&quarantine_file(app.folder()), b"forged"), "what is looked for is there");
    assert_eq!(findings(&app.json(&["verify", "--format", "json"])), [""; 0]);

    for file in ["ledger.db", "ledger.views.db"] {
        std::fs::remove_file(app.folder().join(file)).unwrap();
    }
    let (code, _, stderr) = app.run_as_text(&["restore", "copy.db"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(app.events().len(), 1);
    assert_eq!(app.list().len(), 2);
}
