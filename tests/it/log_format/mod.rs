//! docs/LOG_FORMAT.md against the code: its worked example, and the script an auditor runs.

mod tree;
mod vectors;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use delivery_ledger::domain::digest::{CHAIN_START, Digester, chain, digest};
use delivery_ledger::domain::event::Headers;
use delivery_ledger::domain::{NewEvent, RecordedEvent, Source, Timestamp};
use delivery_ledger::store::{self, Access, Database};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::support::Command;

const PAGE: &str = include_str!("../../../docs/LOG_FORMAT.md");
const EXAMPLE: &str = include_str!("../../data/log_format_example.json");

#[test]
fn the_example_has_the_bytes_that_the_page_shows() {
    let event = example();
    let request_line = [text(&event.method), text(&event.url)].concat();
    let pairs = event.headers.iter().map(|(name, value)| [text(name), framed(value)].concat());
    let headers = [count(event.headers.iter().len()), pairs.collect::<Vec<_>>().concat()].concat();
    let encoded = [
        b"delivery-ledger event 1\n".to_vec(),
        event.position.to_be_bytes().to_vec(),
        event.event_id.as_bytes().to_vec(),
        event.received_at.micros().to_be_bytes().to_vec(),
        text(event.source.name()),
        sha256(&request_line),
        sha256(&headers),
        sha256(&event.body),
        [count(1), text("primary")].concat(),
        count(0),
    ];

    for shown in [&request_line, &headers].into_iter().chain(&encoded) {
        assert_shown(shown);
    }
    assert_shown(&encoded.concat());
    assert_eq!(sha256(&encoded.concat()), digest(&event).digest);
}

#[test]
fn the_example_has_the_digest_and_chain_that_the_page_shows() {
    let digest = digest(&example()).digest;

    assert_shown(&digest);
    assert_shown(&chain(&CHAIN_START, &digest));
}

/// Its hash was all zeros where no other event had been digested before it, so that a log looked
/// changed for a reader that reads it in other pieces.
#[test]
fn an_event_without_method_and_url_has_one_digest_wherever_reading_begins() {
    let mut event = example();
    event.event.method.clear();
    event.event.url.clear();

    let mut digester = Digester::default();
    let first = digester.digest(&event);
    digester.digest(&example());

    assert_eq!(digester.digest(&event), first);
    let request_line = sha256(&[text(""), text("")].concat());
    let bytes = [
        b"delivery-ledger event 1\n".to_vec(),
        event.position.to_be_bytes().to_vec(),
        event.event_id.as_bytes().to_vec(),
        event.received_at.micros().to_be_bytes().to_vec(),
        text(event.source.name()),
        request_line,
    ];
    let headers = event.headers.iter().map(|(name, value)| [text(name), framed(value)].concat());
    let headers = [count(event.headers.iter().len()), headers.collect::<Vec<_>>().concat()];
    let rest = [
        sha256(&headers.concat()),
        sha256(&event.body),
        [count(1), text("primary")].concat(),
        count(0),
    ];
    assert_eq!(sha256(&[bytes.concat(), rest.concat()].concat()), first.digest);
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

    assert_eq!(json(&export), json(EXAMPLE.as_bytes()));
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
    let event = json(EXAMPLE.as_bytes());
    let text = |name: &str| event[name].as_str().unwrap().to_owned();
    let header = |pair: &Value| {
        (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().as_bytes().to_vec())
    };
    let event = NewEvent {
        event_id: text("event_id").parse().unwrap(),
        received_at: Timestamp::parse(&text("received_at")).unwrap(),
        source: Source::parse(&text("source")).unwrap(),
        method: text("method"),
        url: text("url"),
        headers: Headers::new(event["headers"].as_array().unwrap().iter().map(header)),
        body: text("body").into_bytes(),
        verified_by: Some(text("verified_by")),
        notes: BTreeMap::new(),
    };
    RecordedEvent { position: 1, event }
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
