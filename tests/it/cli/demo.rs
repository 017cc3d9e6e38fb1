//! The `demo` command: its output, its files, and that it touches no other ledger.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::support::Command;
use crate::support::ledger::findings;
use crate::support::terminal::Terminal;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// `demo` with these arguments and fewer messages than by default, run in this folder, which is also its
/// TMPDIR.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let path = folder.path().to_str().unwrap().to_owned();
    let few = ["--exit", "--format", "json", "--messages", "800"];
    Command::new(folder.path(), &[arguments, &few].concat()).env("TMPDIR", &path)
}

/// What `demo` prints as JSON, without another argument.
fn shown(folder: &TempDir) -> Value {
    let output = demo(folder, &["demo"]).output();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The events of a demo's ledger, in order.
fn events(folder: &TempDir, shown: &Value) -> Vec<Value> {
    let database = format!("sqlite:{}", shown["ledger"].as_str().unwrap());
    let export = Command::new(folder.path(), &["--database", &database, "export", "events"]);
    stdout(&export.output()).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_demo_prints_the_same_as_json() {
    let folder = TempDir::new().unwrap();
    let shown = shown(&folder);

    let all = shown["by_status"].as_array().unwrap().last().unwrap();
    assert_eq!((&all["status"], &all["messages"]), (&"all".into(), &shown["messages"]));
    let number = |name: &str| shown[name].as_u64().unwrap();
    assert_eq!(all["events"], number("imported") + number("acknowledged"));
    assert_eq!(number("sent"), number("acknowledged"));
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
    let demo = Command::new(folder.path(), &["demo", "--exit", "--messages", "1000"]);
    let output = demo.env("TMPDIR", folder.path().to_str().unwrap()).output();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));

    for expected in [
        " messages of the last two days: ",
        " callbacks were imported, as from another ledger. Then ",
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
    let shown = shown(&folder);
    let database = format!("sqlite:{}", shown["ledger"].as_str().unwrap());
    let keys = |by: &str| report(&folder, &database, by).into_keys().collect::<Vec<_>>();

    assert_eq!(keys("country"), ["AU", "CA", "DE", "FR", "GB", "SE", "US"]);
    assert_eq!(keys("channel"), ["mms", "rcs", "sms", "whatsapp"]);
    assert!(keys("messaging-service").len() == 4, "{:?}", keys("messaging-service"));
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
    let events = events(&folder, &shown(&folder));
    let mark =
        json!(["user-agent", format!("delivery-ledger-simulate/{}", env!("CARGO_PKG_VERSION"))]);
    assert!(events.len() > 500);
    for event in events {
        assert!(event["headers"].as_array().unwrap().contains(&mark), "{event:#}");
    }
}

#[test]
fn the_past_is_two_days_of_imported_events_and_the_last_minutes_are_received() {
    let folder = TempDir::new().unwrap();
    let began = OffsetDateTime::now_utc();
    let shown = shown(&folder);
    let events = events(&folder, &shown);
    let imported = usize::try_from(shown["imported"].as_u64().unwrap()).unwrap();
    let (past, received) = events.split_at(imported);
    let time = |event: &Value| {
        OffsetDateTime::parse(event["received_at"].as_str().unwrap(), &Rfc3339).unwrap()
    };
    for event in past {
        let labelled = json!({ "origin_position": event["position"].to_string() });
        assert_eq!(event["notes"], labelled, "{event:#}");
        assert!(time(event) <= OffsetDateTime::now_utc());
    }
    assert!(past.is_sorted_by_key(time));
    let hours = (began - time(&past[0])).whole_hours();
    assert!((47..=48).contains(&hours), "the first was {hours} hours ago");
    assert_eq!(received.len() as u64, shown["acknowledged"]);
    for event in received {
        assert_eq!(event["notes"], json!({}), "{event:#}");
        assert!(time(event) >= began - time::Duration::seconds(1));
    }
    let tagged = |event: &&Value| {
        event["url"].as_str().unwrap().contains("/message-status?campaign=shipping&order=")
    };
    assert!(events.iter().filter(tagged).count() > events.len() / 4);
    assert!(!folder.path().join("past.ndjson").exists());
}

#[test]
fn a_seed_has_its_messages() {
    let folder = TempDir::new().unwrap();
    let sid = |seed: &str| {
        let output = demo(&folder, &["demo", "--seed", seed]).output();
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        (shown["featured"]["message_sid"].clone(), shown["messages"].clone())
    };
    let (first, again, other) = (sid("1"), sid("1"), sid("2"));
    assert_eq!(first.0, again.0);
    assert_ne!(first.0, other.0);
    // The two that are shown, and those of which no callback has arrived yet.
    assert!((790..=802).contains(&first.1.as_u64().unwrap()), "{first:?}");
}

#[test]
fn a_demo_of_no_messages_is_a_usage_error() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(folder.path(), &["demo", "--messages", "0"]).output();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("0 is not in 1..=1000000"), "{}", stderr(&output));
}

/// A running demo, as JSON; dropping it stops it.
struct Running {
    child: Child,
    shown: Value,
}

impl Running {
    fn start(folder: &TempDir) -> Self {
        let path = folder.path().to_str().unwrap();
        let command =
            Command::new(folder.path(), &["demo", "--format", "json", "--messages", "6000"]);
        let mut child = command.env("TMPDIR", path).stderr(Stdio::null()).spawn();
        // The demo ends if nobody reads its output any more, and the last byte may not be written yet.
        let mut values =
            serde_json::Deserializer::from_reader(child.stdout.as_mut().unwrap()).into_iter();
        let shown = values.next().expect("the demo starts").unwrap();
        Self { child, shown }
    }

    fn get(&self, target: &str) -> String {
        let address = self.shown["questions"].as_str().unwrap().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "GET {target} HTTP/1.0\r\nHost: {address}\r\nAccept: text/html, */*\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(
            response.starts_with("HTTP/1.0 200") || response.starts_with("HTTP/1.1 200"),
            "{response}"
        );
        response
    }

    fn head(&self) -> u64 {
        let response = self.get("/readyz");
        let state: Value =
            serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap();
        state["head"].as_u64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::INT).unwrap();
        let _waited = self.child.wait();
    }
}

#[test]
fn the_pages_of_a_demo_find_the_carrier_that_filters_and_callbacks_keep_arriving() {
    let folder = TempDir::new().unwrap();
    let demo = Running::start(&folder);
    let head = demo.head();
    let overview = demo.get("/");
    let headline = overview.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    assert!(headline.starts_with("Carrier failures are up since "), "{headline}");
    assert!(overview.contains("30007"), "{overview}");
    let errors = demo.get("/errors");
    assert!(errors.contains("One code makes the difference"), "{errors}");
    let deadline = Instant::now() + Duration::from_secs(120);
    while demo.head() == head {
        assert!(Instant::now() < deadline, "no callback arrives");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A folder with a program that opens URLs: it writes them into the file `opened`.
fn with_opener(folder: &TempDir) -> String {
    let programs = folder.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let opened = folder.path().join("opened");
    let script =
        format!("#!/bin/sh\n[ \"$1\" = --version ] || echo \"$1\" > {}\n", opened.display());
    for name in ["xdg-open", "open"] {
        let path = programs.join(name);
        std::fs::write(&path, &script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    programs.to_str().unwrap().to_owned()
}

const QUESTION: &str = "Open them in the browser? [Y/n] ";

#[test]
fn on_a_terminal_the_demo_offers_to_open_the_pages() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    let programs = with_opener(&folder);
    let demo = |programs: &str, flags: &[&str]| {
        let arguments = [&["demo", "--messages", "500"], flags].concat();
        Command::new(folder.path(), &arguments).env("TMPDIR", &path).env("PATH", programs)
    };
    let opened = folder.path().join("opened");
    let file = opened.clone();
    let is_opened = move || std::fs::read_to_string(&file).is_ok_and(|url| url.ends_with('\n'));
    let shown = Terminal::of(120).talk(demo(&programs, &[]), QUESTION, "\n", is_opened);
    let url = std::fs::read_to_string(&opened).unwrap();
    assert!(shown.contains(&format!("The pages are on {}.\n", url.trim())), "{shown}");
    std::fs::remove_file(&opened).unwrap();

    let shown = Terminal::of(120).talk(demo(&programs, &[]), QUESTION, "n\n", || true);
    assert!(shown.contains(QUESTION));
    // Without a program that opens URLs, and with --quiet, nothing is asked.
    for (programs, flags) in [("/nonexistent", &[][..]), (&*programs, &["--quiet"][..])] {
        let shown =
            Terminal::of(120).talk(demo(programs, flags), "Ctrl-C ends the demo.", "", || true);
        assert!(!shown.contains("browser"), "{flags:?}: {shown}");
    }
    assert!(!opened.exists());
}
