//! Every response and every masked export of a log that has a phone number in each possible place.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use delivery_ledger::store::{self, Access, Database};
use parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;
use uuid::Uuid;

use super::readings::revealed;
use super::spelled::{ESCAPES, Number, PLACES, number, percent};
use crate::support::events::one_a_second;
use crate::support::{App, Request, sid};

const FORMATS: [&str; 3] = ["ndjson", "csv", "parquet"];
/// Every how many numbers one is looked up in every way.
const QUESTIONS_STEP: usize = 17;
const BY: [&str; 8] =
    ["day", "hour", "channel", "from", "messaging-service", "country", "error-code", "account"];

#[test]
fn masked_responses_and_exports_reveal_no_number() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    let numbers = numbers_in_every_place(&app);
    app.restart();
    app.caught_up();
    let count = numbers.len();
    let is_silent = |what: &str, text: &[u8]| {
        let found = revealed(&without_ids(text), numbers.iter().map(|number| &*number.digits));
        assert_eq!(found, None, "{what} reveals a number: {}", String::from_utf8_lossy(text));
    };
    let ask = |target: &str| app.ask(Request::new("GET", target));
    let silent = |target: &str, code: u16| {
        let answer = ask(target);
        assert_eq!(answer.code, code, "{target}: {}", answer.head);
        is_silent(target, answer.head.as_bytes());
        match target.contains("parquet") {
            true => is_silent(target, parquet_text(answer.body).as_bytes()),
            false => is_silent(target, &answer.body),
        }
    };

    silent("/v1/messages?limit=1000", 200);
    silent("/v1/events?limit=1000", 200);
    (1..=count).for_each(|position| silent(&format!("/v1/events/{position}"), 200));
    silent("/v1/events/1/body", 403);
    for by in BY {
        silent(&format!("/v1/reports/delivery?by={by}"), 200);
    }
    for format in FORMATS {
        silent(&format!("/v1/exports/messages?format={format}"), 200);
        silent(&format!("/v1/exports/events?format={format}"), 200);
    }
    let listed = ask("/v1/messages?limit=1000").json();
    let listed = listed["data"].as_array().unwrap().clone();
    assert!(listed.len() > count / 2, "{}", listed.len());
    for message in &listed {
        let (sid, account) = (message["message_sid"].as_str().unwrap(), &message["account_sid"]);
        let account = account.as_str().unwrap_or_default();
        if [sid, account].iter().all(|sid| !sid.contains('*')) {
            let target = format!("/v1/messages/{}", percent(sid, false));
            silent(&format!("{target}?account_sid={account}"), 200);
        }
    }
    let events = stream(&app, count);
    is_silent("the stream", events.as_bytes());
    assert_eq!(events.matches("data: ").count(), count);

    let start = |body: serde_json::Value| {
        let request = Request::new("POST", "/v1/jobs").header("Content-Type", "application/json");
        let answer = app.ask(request.body(body.to_string()));
        is_silent("a job's start", &answer.body);
        answer
    };
    for body in [
        json!({ "kind": "verify" }),
        json!({ "kind": "dry-run", "rule": "delivery-wins" }),
        json!({ "kind": "export", "content": "messages" }),
        json!({ "kind": "export", "content": "events" }),
    ] {
        let job = start(body).json();
        let job = format!("/v1/jobs/{}", job["id"].as_str().unwrap());
        app.eventually("the job is done", || ask(&job).json()["state"] == "done");
        silent(&job, 200);
        if ask(&job).json()["kind"] == "export" {
            silent(&format!("{job}/file"), 200);
            silent(&format!("{job}/manifest"), 200);
        }
    }
    let by_number = json!({ "to": numbers[0].written });
    let refused = start(json!({ "kind": "export", "content": "messages", "filters": by_number }));
    assert_eq!(refused.code, 403);

    for number in numbers.iter().step_by(QUESTIONS_STEP) {
        let text = percent(&number.written, true);
        for (question, code) in [
            (format!("/v1/messages/{text}"), 403),
            (format!("/v1/messages/SM1?account_sid={text}"), 403),
            (format!("/v1/messages?to={text}"), 403),
            (format!("/v1/messages?messaging_service_sid={text}"), 403),
            (format!("/v1/messages?channel={text}"), 403),
            (format!("/v1/exports/events?message_sid={text}"), 403),
            (format!("/v1/exports/messages?account_sid={text}"), 403),
            (format!("/v1/reports/delivery?by=day&from={text}"), 403),
            (format!("/v1/messages?status={text}"), 400),
            (format!("/v1/messages?after={text}"), 400),
            (format!("/v1/messages?{text}=1"), 400),
            (format!("/v1/events/{text}"), 400),
            (format!("/v1/events?after={text}"), 400),
            (format!("/v1/reports/delivery?by={text}"), 400),
            (format!("/v1/{text}"), 404),
        ] {
            silent(&question, code);
        }
    }
    app.stop();

    for (content, format) in ["messages", "events"].map(|what| FORMATS.map(|f| (what, f))).concat()
    {
        let folder = format!("{content}-{format}");
        let (to, number) = (&*folder, &*numbers[0].written);
        let mut arguments = vec!["export", content, "--mask", "--format", format];
        arguments.extend(["--manifest", "--output", to]);
        is_silent(&folder, &exported(&app, &arguments, &format!("{content}.{format}")));
        std::fs::remove_dir_all(app.folder().join(to)).unwrap();
        let filter = if content == "events" { "--message-sid" } else { "--to" };
        arguments.extend([filter, number]);
        exported(&app, &arguments, &format!("{content}.{format}"));
        let manifest = std::fs::read(app.folder().join(to).join("manifest.json")).unwrap();
        is_silent("manifest.json", &manifest);
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        assert!(manifest["chain"].is_null(), "a hash over what is masked: {manifest}");
    }
}

/// A text without its UUIDs, whose random digits may be those of a number.
fn without_ids(text: &[u8]) -> Vec<u8> {
    const LENGTH: usize = 36;
    let mut rest = text;
    let mut left = Vec::new();
    while let Some(byte) = rest.first() {
        let id = rest.get(..LENGTH).and_then(|id| std::str::from_utf8(id).ok());
        match id.is_some_and(|id| id.contains('-') && Uuid::try_parse(id).is_ok()) {
            true => rest = &rest[LENGTH..],
            false => {
                left.push(*byte);
                rest = &rest[1..];
            }
        }
    }
    left
}

#[test]
fn a_number_next_to_an_id_is_still_found() {
    let text = "\"0198d2c4-1234-7567-8901-234567890123\",\"+15550001234\"";
    assert_eq!(without_ids(text.as_bytes()), b"\"\",\"+15550001234\"");
}

/// A masked token must not learn whether a message with a number as its SID exists.
#[test]
fn a_masked_lookup_by_number_does_not_reveal_whether_it_exists() {
    let mut app = App::not_started(&[]);
    app.use_token_with_scope("read:masked");
    app.restart();
    let number = "+15558675310";
    assert_eq!(app.receive(crate::support::sent(number)).code, 200);
    let ask = |sid: &str| {
        let answer = app.ask(Request::new("GET", &format!("/v1/messages/{sid}")));
        (answer.code, answer.json()["detail"].as_str().unwrap().to_owned())
    };
    assert_eq!(ask("%2B15558675310"), ask("%2B15558675311"));
    assert_eq!(ask("8675310").0, 403, "as many digits as a local number");
    assert_eq!(ask("SM1").0, 404);
    assert_eq!(ask(&sid(1)).0, 404);
}

/// Fills a log with a different number in each place, escaped in each way.
fn numbers_in_every_place(app: &App) -> Vec<Number> {
    let mut runner = TestRunner::deterministic();
    let (mut numbers, mut events) = (Vec::new(), Vec::new());
    for place in PLACES {
        for escape in ESCAPES {
            let number = number().new_tree(&mut runner).unwrap().current();
            let sid = sid(0xf000_0000 + numbers.len() as u32);
            events.push(place(&sid, &escape(&number.written)));
            numbers.push(number);
        }
    }
    let store = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    store.append(&one_a_second(events)).unwrap();
    numbers
}

fn stream(app: &App, count: usize) -> String {
    let request = app.with_token(Request::new("GET", "/v1/events/stream?after=0"));
    let mut stream = TcpStream::connect(app.admin()).unwrap();
    stream.write_all(&request.bytes(app.admin())).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let (mut text, mut events) = (String::new(), 0);
    while events < count {
        let line = lines.next().expect("the stream goes on");
        events += usize::from(line.starts_with("data: "));
        text += &(line + "\n");
    }
    text
}

/// Runs an export and returns what is in the file.
fn exported(app: &App, arguments: &[&str], file: &str) -> Vec<u8> {
    let output = app.run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = arguments.iter().skip_while(|argument| **argument != "--output").nth(1).unwrap();
    let bytes = std::fs::read(app.folder().join(Path::new(folder)).join(file)).unwrap();
    match file.ends_with("parquet") {
        true => parquet_text(bytes).into_bytes(),
        false => bytes,
    }
}

fn parquet_text(bytes: Vec<u8>) -> String {
    let reader = SerializedFileReader::new(actix_web::web::Bytes::from(bytes)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().to_string() + "\n").collect()
}
