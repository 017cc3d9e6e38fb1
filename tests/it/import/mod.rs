//! The `import` command: events of other ledgers, Twilio's own records, and what is rejected.

mod claims;
mod cut_off;
mod damaged;
mod events;
mod hostile;
mod ours;
mod records;
mod refused;
mod tables;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::import::{Counts, ImportFormat, Options, stage};
use serde_json::Value;

use crate::support::ledger::Ledger;

/// Returns the path of a sample file of the repository.
fn sample(name: &str) -> String {
    format!("{}/tests/data/import/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Writes a file next to a ledger and returns its path.
fn file(ledger: &Ledger, name: &str, content: impl AsRef<[u8]>) -> String {
    let path: PathBuf = ledger.file(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs `import`; returns its exit code and its report.
fn import(ledger: &Ledger, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = ledger.run(&[&["import", "--report", "json"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|_| panic!("no report: {stderr}")))
}

/// Runs an import that must succeed; returns the numbers of appended, known, inbound and rejected rows.
fn imported(ledger: &Ledger, arguments: &[&str]) -> [u64; 4] {
    let (code, report) = import(ledger, arguments);
    assert_eq!(code, Some(0), "{report}");
    ["appended", "known", "inbound", "refused"].map(|name| report[name].as_u64().unwrap())
}

/// The result of an import in this process: the counts, the events, and the rejected rows.
struct Outcome {
    counts: Counts,
    events: Vec<NewEvent>,
    refusals: Vec<String>,
}

impl Outcome {
    /// The body of the only event, as JSON.
    fn body(&self) -> Value {
        assert_eq!(self.refusals, [""; 0]);
        let [event] = &self.events[..] else { panic!("{} events", self.events.len()) };
        serde_json::from_slice(&event.body).unwrap()
    }

    /// The repairs noted in the only event, if any.
    fn repaired(&self) -> Option<&str> {
        self.events[0].notes.get("repaired").map(String::as_str)
    }
}

/// Imports bytes into an empty ledger.
fn outcome(content: impl AsRef<[u8]>) -> Outcome {
    outcome_as(None, content)
}

/// Imports bytes of this format, if given, into an empty ledger.
fn outcome_as(format: Option<ImportFormat>, content: impl AsRef<[u8]>) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    std::fs::write(&path, content).unwrap();
    let options = Options {
        format,
        keep_content: false,
        account_sid: None,
        now: Timestamp::parse("2026-06-01T00:00:00.000000Z").unwrap(),
        spool_folder: folder.path().to_owned(),
    };
    let go_on = &mut |_| ControlFlow::Continue(());
    let mut staged = stage(&[path], options, go_on).unwrap();
    let refusal = |refusal: &delivery_ledger::import::RejectedRow| match refusal.line {
        Some(line) => format!("{line}: {}", refusal.reason),
        None => refusal.reason.clone(),
    };
    let refusals = staged.rejected.first().iter().map(refusal).collect();
    let mut events = Vec::new();
    let (counts, appended) = staged.append(
        None,
        &mut |batch| {
            events.extend_from_slice(batch);
            Ok(())
        },
        go_on,
    );
    appended.unwrap();
    Outcome { counts, events, refusals }
}

/// Each rejected row as `line: reason`; the line is `-` if the whole file is rejected.
fn refusals(report: &Value) -> Vec<String> {
    let refusals = report["refusals"].as_array().unwrap().iter();
    let refusal = |refusal: &Value| {
        let line = refusal["line"].as_u64().map_or("-".to_owned(), |line| line.to_string());
        format!("{line}: {}", refusal["reason"].as_str().unwrap())
    };
    refusals.map(refusal).collect()
}

/// Runs `export` and returns its output.
fn export(ledger: &Ledger, arguments: &[&str]) -> String {
    let output = ledger.run(&[&["export"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the events of a ledger.
fn events(ledger: &Ledger) -> Vec<Value> {
    let text = export(ledger, &["events"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns each message's SID and status.
fn statuses(ledger: &Ledger) -> Vec<(String, String)> {
    let text = export(ledger, &["messages"]);
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.map(|row| (text(&row, "message_sid"), text(&row, "status"))).collect()
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
