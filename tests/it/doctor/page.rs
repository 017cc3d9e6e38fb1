//! `doctor`'s page as a whole: its JSON, its table, and that the command changes nothing.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Page, delivered_just_now, doctor, examine, sent_days_ago};
use crate::support::ledger::Ledger;
use crate::support::{App, TOKEN, delivered, sid, signature};

/// Every file of a folder with its content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())
    };
    let mut content: Vec<_> = files.map(named).collect();
    content.sort();
    content
}

#[test]
fn a_healthy_ledger_without_a_server_only_gets_warnings_about_server_and_backup() {
    let page = examine(&Ledger::with_events(&[delivered_just_now()]));

    assert_eq!(page.problems(), ["backup", "ready"]);
    assert_eq!(
        (page.code, &page.json["failed"], &page.json["warned"]),
        (Some(0), &json!(0), &json!(2))
    );
}

#[test]
fn rejections_are_reported_with_their_cause_until_it_is_fixed() {
    let mut app = App::start();
    assert!(Page::from_command(doctor(app.folder(), &[])).find("quarantine").is_none());
    let body = delivered(&sid(1)).bytes();
    // Signed for the host that Twilio calls, which differs from the configured one.
    let theirs = signature(TOKEN, "https://other.example.com/message-status", &body);
    let refused = app.form("/message-status").header("Host", "other.example.com");
    let refused = refused.header("X-Twilio-Signature", &theirs).body(body);
    assert_eq!(refused.send(app.callbacks()).code, 403);
    app.eventually("the request is stored", || {
        Page::from_command(doctor(app.folder(), &[]))
            .find("quarantine")
            .is_some_and(|check| check["outcome"] == "warn")
    });
    let page = Page::from_command(doctor(app.folder(), &[]));
    assert_eq!(
        page.detail("quarantine"),
        "1 stored; of the newest 1, 1: matches if the public URL has the host that the request names"
    );
    assert_eq!(
        page.detail("quarantine recognised"),
        "1 of 1 have a signature that matches, or would match after a known edit"
    );

    app.stop();
    let page =
        Page::from_command(doctor(app.folder(), &["--public-url", "https://other.example.com"]));
    assert_eq!(page.detail("quarantine"), "1 stored; of the newest 1, 1 would be accepted now");
    let page = Page::from_command(doctor(app.folder(), &["--quick"]));
    assert!(page.find("quarantine").is_none());
}

#[test]
fn the_json_always_has_the_same_structure() {
    let ledger = Ledger::with_events(&[delivered_just_now(), delivered_just_now()]);
    let page = examine(&ledger);

    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&page.json), ["checks", "failed", "warned", "at", "figures"]);
    for check in page.checks() {
        assert_eq!(keys(check), ["name", "area", "outcome", "detail", "advice", "origin"]);
        assert_eq!(check["advice"].is_null(), check["outcome"] == "ok", "{check}");
    }
    assert_eq!(
        page.names(),
        [
            "silence",
            "file",
            "setting listen",
            "setting admin_listen",
            "setting admin_hosts",
            "setting api_tokens",
            "setting callback_path",
            "setting event_streams_path",
            "setting public_url",
            "setting callback_overrides",
            "setting twilio_api_base_url",
            "setting twilio_api_timeout",
            "setting twilio_api_key",
            "setting database",
            "setting database_password",
            "setting rule",
            "setting tags.names",
            "setting verify_every",
            "setting reconcile.every",
            "setting reconcile.older_than",
            "setting reconcile.give_up_after",
            "setting reconcile.max_requests",
            "setting reconcile.keep_content",
            "setting reconcile.prices",
            "setting seal.key_file",
            "setting seal.every",
            "setting seal.origin",
            "setting seal.file",
            "setting seal.timestamp_url",
            "setting seal.timestamp_certificates",
            "setting seal.witnesses",
            "setting retention.erase_after",
            "setting quarantine",
            "setting quarantine_requests",
            "setting quarantine_mib",
            "setting access_log",
            "setting forward",
            "setting wal_checkpoints",
            "setting error_codes",
            "setting default_country",
            "setting time_zone",
            "serve",
            "keys AC0123456789abcdef0123456789abcdef",
            "key files",
            "public URL",
            "callback URL",
            "signing key AC0123456789abcdef0123456789abcdef",
            "permissions",
            "access",
            "file system",
            "names",
            "leftovers",
            "disk",
            "growth",
            "write-ahead log",
            "log",
            "engine",
            "guards",
            "views",
            "rule",
            "stuck messages",
            "clock",
            "order of arrival",
            "reconcile",
            "backup",
            "seals",
            "ready",
            "open files",
        ]
    );
}

#[test]
fn the_table_has_the_same_content_as_the_json() {
    let ledger = Ledger::with_events(&[delivered_just_now()]);
    let arguments = ["doctor", "--admin-listen", "127.0.0.1:1"];

    let output = ledger.run(&arguments);

    assert_eq!(output.status.code(), Some(3), "no account is configured");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "configuration\n  ok    file                            none; flags, environment and defaults\n",
        "  ok    setting admin_listen            127.0.0.1:1 (--admin-listen)\n",
        "  fail  keys                            no Twilio account is configured: set TWILIO_ACCOUNT_SID",
        "                                        → serve does not start without an account and its token\n",
        "\nserver\n  warn  ready                           no server answers on 127.0.0.1:1\n",
        "\n1 failed, 3 warnings, ",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn a_missing_ledger_is_not_created() {
    let folder = tempfile::tempdir().unwrap();

    let page = Page::from_command(doctor(folder.path(), &["--database", "sqlite:books/2026.db"]));

    assert_eq!(page.code, Some(0));
    assert_eq!(page.problems(), ["log", "ready"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn doctor_changes_no_file_of_the_ledger() {
    let ledger = Ledger::with_events(&[delivered_just_now(), sent_days_ago()]);
    let before = content(&ledger.file(""));

    examine(&ledger);

    let after = content(&ledger.file(""));
    // A reader may leave SQLite's empty lock files.
    let is_reader_file = |name: &str| name.ends_with("-shm") || name.ends_with("-wal");
    let kept: Vec<_> = after.iter().filter(|(name, _)| !is_reader_file(name)).cloned().collect();
    assert_eq!(kept, before);
    assert!(after.iter().all(|(name, bytes)| !name.ends_with("-wal") || bytes.is_empty()));
}
