//! docs/LOG_FORMAT.md against the code: its worked example, and the script an auditor runs.

mod digests;
mod erased;
mod tree;
mod vectors;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use delivery_ledger::domain::digest::Digester;
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::store::{self, Access, Database};
use delivery_ledger::twilio::event_sids::EventSids;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::vectors::recorded_event;
use crate::support::Command;

const PAGE: &str = include_str!("../../../docs/LOG_FORMAT.md");
const EXAMPLE: &str = include_str!("../../data/log_format_example.json");

#[test]
fn the_example_has_the_bytes_and_hashes_that_the_page_shows() {
    let event = example();
    let pairs = event.headers.iter().map(|(name, value)| [text(name), framed(value)].concat());
    let content = [
        b"delivery-ledger content 1\n".to_vec(),
        event.salt.as_bytes().to_vec(),
        text(&event.method),
        text(&event.url),
        count(event.headers.iter().len()),
        pairs.collect::<Vec<_>>().concat(),
        framed(&event.body),
        count(0),
    ];
    let sids = EventSids::parse(&event);
    let message = [
        b"delivery-ledger message 1\n".to_vec(),
        count(1),
        text(sids.account_sid.as_deref().unwrap()),
        text(sids.message_sid.as_deref().unwrap()),
    ];
    let entry = [
        b"delivery-ledger event 1\n".to_vec(),
        event.position.to_be_bytes().to_vec(),
        event.event_id.as_bytes().to_vec(),
        event.received_at.micros().to_be_bytes().to_vec(),
        text(event.source.name()),
        [count(1), text("primary")].concat(),
        sha256(&message.concat()),
        sha256(&content.concat()),
    ];

    for shown in [content[0].as_slice(), &content[1], &content[2], &entry[0]] {
        assert_shown(shown);
    }
    for encoded in [&content.concat(), &message.concat(), &entry.concat()] {
        assert_shown(encoded);
    }
    assert_shown(&sha256(&content.concat()));
    assert_shown(&sha256(&message.concat()));
    let mut digester = Digester::default();
    assert_eq!(digester.entry(&event, sids.as_sids()), entry.concat());
    let digest = digester.digest(&event, sids.as_sids());
    assert_eq!(digest.to_vec(), sha256(&[vec![0], entry.concat()].concat()));
    assert_shown(&digest);
}

#[test]
fn the_example_is_stored_as_the_page_shows() {
    let ledger = ledger_with(&[example().event]);

    let log = rusqlite::Connection::open(ledger.path().join("ledger.db")).unwrap();
    let row = "SELECT envelope, variables FROM events";
    let (envelope, variables): (i64, Vec<u8>) =
        log.query_row(row, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let headers = "SELECT headers FROM envelopes";
    let headers: String = log.query_row(headers, [], |row| row.get(0)).unwrap();

    assert_eq!(envelope, 1);
    assert_shown(&variables);
    assert!(PAGE.contains(&headers), "the page does not show {headers}");
}

#[test]
fn the_example_is_exported_as_the_page_shows() {
    let ledger = ledger_with(&[example().event]);

    let export = run(ledger.path(), &["export", "events"]);

    let mut exported = json(&export);
    for derived in ["status", "error_code", "from", "to", "tags", "occurred_at"] {
        exported.as_object_mut().unwrap().remove(derived).expect(derived);
    }
    assert_eq!(exported, json(EXAMPLE.as_bytes()));
    assert_eq!(json(fenced("json").as_bytes()), json(EXAMPLE.as_bytes()));
}

#[test]
fn the_script_finds_the_hash_that_verify_finds() {
    let plain = example().event;
    let odd = NewEvent {
        event_id: Uuid::now_v7(),
        received_at: Timestamp::from_micros(1),
        source: Source::Import,
        headers: Headers::new([
            ("x-twilio-odd".to_owned(), b"\xff\xfe".to_vec()),
            ("x-twilio-odd".to_owned(), "\u{2028}\u{e9}".into()),
        ]),
        body: b"\xff not UTF-8".to_vec(),
        verified_by: None,
        notes: BTreeMap::from([("\u{e9}".into(), "a\nb".into()), ("z".into(), String::new())]),
        ..plain.clone()
    };
    let ledger = ledger_with(&[plain, odd]);

    let events = run(ledger.path(), &["export", "events"]);
    let verified = json(&run(ledger.path(), &["verify", "--format", "json"]));

    let expected = format!("2:{}\n", verified["hash"].as_str().unwrap());
    assert_eq!(python(&fenced("python"), &events), expected);
}

/// The event in tests/data.
fn example() -> RecordedEvent {
    recorded_event(&json(EXAMPLE.as_bytes()))
}

fn ledger_with(events: &[NewEvent]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("ledger.db"));
    store::open(&database, Access::Create).unwrap().append(events).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(folder, arguments).output();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Runs a script as the page tells an auditor to.
fn python(script: &str, stdin: &[u8]) -> String {
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    child.stdin.take().unwrap().write_all(stdin).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the script ended with {}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// The page's first block of this language.
fn fenced(language: &str) -> String {
    let (_, rest) =
        PAGE.split_once(&format!("```{language}\n")).expect("the page has such a block");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

/// Whether the page has these bytes in hex, over as many lines as it likes.
fn assert_shown(bytes: &[u8]) {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let page: String = PAGE.split_whitespace().collect();
    assert!(page.contains(&hex), "the page does not show {hex}");
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

fn count(count: usize) -> Vec<u8> {
    (count as u32).to_be_bytes().to_vec()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&count(bytes.len()), bytes].concat()
}

fn text(text: &str) -> Vec<u8> {
    framed(text.as_bytes())
}
