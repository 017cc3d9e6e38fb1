//! The `demo` command: its output, its files, and that it touches no other ledger.

use std::collections::BTreeMap;
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::Command;
use crate::support::ledger::findings;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `demo` with these arguments, run in this folder, which is also its TMPDIR.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let path = folder.path().to_str().unwrap().to_owned();
    Command::new(folder.path(), &[arguments, &["--exit", "--format", "json"]].concat())
        .env("TMPDIR", &path)
}

#[test]
fn the_demo_prints_the_same_as_json() {
    let folder = TempDir::new().unwrap();
    let demo = Command::new(folder.path(), &["demo", "--exit", "--format", "json"]);
    let output = demo.env("TMPDIR", folder.path().to_str().unwrap()).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();

    let all = shown["by_status"].as_array().unwrap().last().unwrap();
    assert_eq!((&all["status"], &all["messages"]), (&"all".into(), &shown["messages"]));
    assert_eq!(all["events"], shown["acknowledged"]);
    assert_eq!(shown["featured"]["status"], "delivered");
    assert!(shown["callbacks"].is_null() && shown["questions"].is_null());
    let ledger = std::path::Path::new(shown["ledger"].as_str().unwrap());
    assert!(ledger.is_file());
    assert_eq!(ledger.parent().unwrap().to_str(), shown["folder"].as_str());
}

#[test]
fn the_demo_shows_a_complete_run_and_leaves_a_ledger_that_verifies() {
    let folder = TempDir::new().unwrap();
    let began = time::OffsetDateTime::now_utc();
    let demo = Command::new(folder.path(), &["demo", "--exit"]);
    let output = demo.env("TMPDIR", folder.path().to_str().unwrap()).output();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));

    for expected in [
        " signed callbacks arrived, in any order; ",
        "One message whose callbacks arrived in the wrong order:",
        "  late ",
        "the same as position ",
        "status       messages  events  late  duplicates  conflicts",
        "delivered ",
        "read ",
        "The log is ",
        "The folder stays when the demo ends; `rm -r ",
        "Try next:",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing from:\n{text}");
    }
    let total = text.lines().find(|line| line.starts_with("all ")).unwrap();
    let counts: Vec<u64> = total
        .split_whitespace()
        .skip(1)
        .map(|count| count.replace(',', "").parse().unwrap())
        .collect();
    assert!(counts.len() == 5 && counts.iter().all(|count| *count > 0), "{total}");

    let (_, path) = text.split_once("The log is ").unwrap();
    let database = format!("sqlite:{}", path.split_once(',').unwrap().0);
    assert!(database.starts_with(&format!("sqlite:{}", folder.path().display())));
    let verify = ["--database", &database, "verify", "--format", "json"];
    let output = Command::new(folder.path(), &verify).output();
    let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(findings(&verified), [""; 0]);
    assert_eq!(verified["head"], counts[1], "every event of the table is in the log");

    // Receipts have today's date; midnight may pass while the test runs.
    let day = |time: time::OffsetDateTime| {
        let (year, month, day) = time.date().to_calendar_date();
        format!("{:02}{:02}{day:02}", year % 100, u8::from(month))
    };
    let (_, receipt) = text.split_once("\nreceipt  ").unwrap();
    assert!([day(began), day(time::OffsetDateTime::now_utc())].contains(&receipt[..6].to_owned()));

    // The commands that it suggests work.
    let (_, next) = text.split_once("Try next:\n").unwrap();
    let commands: Vec<_> = next.lines().take_while(|line| line.starts_with("  ")).collect();
    assert!(commands.len() >= 4, "{commands:?}");
    for command in commands {
        let status = std::process::Command::new("sh")
            .args(["-ec", command])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{command}");
    }
}

/// The rows of a report on the demo's ledger, by key.
fn report(folder: &TempDir, database: &str, by: &str) -> BTreeMap<String, Value> {
    let arguments = ["--database", database, "report", "--by", by, "--format", "json"];
    let output = Command::new(folder.path(), &arguments).output();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = report["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["key"].as_str().unwrap_or("-").to_owned(), row.clone())).collect()
}

#[test]
fn every_figure_of_a_report_on_the_demo_is_filled() {
    let folder = TempDir::new().unwrap();
    let output = demo(&folder, &["demo"]).output();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let database = format!("sqlite:{}", shown["ledger"].as_str().unwrap());
    let keys = |by: &str| report(&folder, &database, by).into_keys().collect::<Vec<_>>();

    assert_eq!(keys("country"), ["AU", "CA", "DE", "FR", "GB", "SE", "US"]);
    assert_eq!(keys("channel"), ["mms", "rcs", "sms", "whatsapp"]);
    assert!(keys("messaging-service").len() == 3, "{:?}", keys("messaging-service"));
    assert!(keys("error-code").len() >= 4, "{:?}", keys("error-code"));
    for by in ["day", "hour", "from", "account"] {
        assert!(!keys(by).is_empty(), "--by {by}");
    }
    let us = &report(&folder, &database, "country")["US"];
    for time in ["time_to_sent_ms", "sent_to_delivered_ms"] {
        assert!(us[time]["known"].as_u64() > Some(5), "{time}: {us:#}");
    }
}

#[test]
fn the_demo_touches_no_other_ledger() {
    let folder = TempDir::new().unwrap();
    for arguments in
        [["--database", "sqlite:other.db", "demo"], ["demo", "--database", "sqlite:other.db"]]
    {
        let output = demo(&folder, &arguments).output();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(
            stderr(&output),
            "error: --database: demo makes a temporary ledger of its own and never touches another; \
             leave the flag out, or send traffic to a ledger with serve and simulate\n"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was created");
    }
    // These settings belong to other commands.
    let output =
        demo(&folder, &["demo"]).env("DELIVERY_LEDGER_DATABASE", "sqlite:other.db").output();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        stderr(&output).starts_with(
            "warning: demo makes a temporary ledger of its own; DELIVERY_LEDGER_DATABASE has no \
             effect on it\n"
        ),
        "{}",
        stderr(&output)
    );
    std::fs::write(folder.path().join("delivery-ledger.toml"), "database = \"sqlite:other.db\"\n")
        .unwrap();
    let output = demo(&folder, &["demo"]).output();
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("; database has no effect on it\n"), "{}", stderr(&output));
    assert!(!folder.path().join("other.db").exists());
}

#[test]
fn the_demos_callbacks_are_marked_as_simulated() {
    let folder = TempDir::new().unwrap();
    let output = demo(&folder, &["demo"]).output();
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    let database = format!("sqlite:{}", shown["ledger"].as_str().unwrap());
    let export = Command::new(folder.path(), &["--database", &database, "export", "events"]);
    let events = stdout(&export.output());
    let mark =
        format!("[\"user-agent\",\"delivery-ledger-simulate/{}\"]", env!("CARGO_PKG_VERSION"));
    assert!(events.lines().count() > 500);
    assert!(events.lines().all(|line| line.contains(&mark)), "{events}");
}
