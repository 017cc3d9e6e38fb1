//! Exports as of a position, in three formats, with filters and a manifest.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use delivery_ledger::domain::{NewEvent, Status};
use delivery_ledger::store::{self, Access, Database};
use serde_json::{Value, json};
use sha2::Digest;

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, Request, delivered, failed, sent, sid};

/// Three messages: one delivered, one failed, and one only sent.
fn ledger() -> Ledger {
    Ledger::with_events(&one_a_second([
        event(sent(&sid(1))),
        event(delivered(&sid(1))),
        event(sent(&sid(2)).with("To", "whatsapp:+15550002671").with("AccountSid", OTHER_ACCOUNT)),
        event(
            failed(&sid(2), "30003")
                .with("To", "whatsapp:+15550002671")
                .with("AccountSid", OTHER_ACCOUNT),
        ),
        event(sent(&sid(3))),
    ]))
}

fn stdout(ledger: &Ledger, arguments: &[&str]) -> Vec<u8> {
    let output = ledger.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn lines(ledger: &Ledger, arguments: &[&str]) -> Vec<Value> {
    let text = String::from_utf8(stdout(ledger, arguments)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn sids(ledger: &Ledger, filter: &[&str]) -> Vec<u32> {
    let rows = lines(ledger, &[&["export", "messages"][..], filter].concat());
    let number = |row: &Value| row["message_sid"].as_str().unwrap()[2..].parse().unwrap();
    rows.iter().map(number).collect()
}

#[test]
fn every_filter_of_the_api_selects_messages() {
    let ledger = ledger();
    for (filter, expected) in [
        (&[][..], &[1, 2, 3][..]),
        (&["--status", "delivered"], &[1]),
        (&["--status", "SENT"], &[3]),
        (&["--status", "unknown"], &[]),
        (&["--error-code", "30003"], &[2]),
        (&["--to", "whatsapp:+15550002671"], &[2]),
        (&["--to", "*2671"], &[2]),
        (&["--to", "*9999"], &[]),
        (&["--from", "+15017250604", "--status", "sent"], &[3]),
        (&["--account-sid", OTHER_ACCOUNT], &[2]),
        (&["--account-sid", ACCOUNT, "--channel", "sms"], &[1, 3]),
        (&["--channel", "whatsapp"], &[2]),
        (&["--since", "2026-01-02T03:04:07Z"], &[2, 3]),
        (&["--until", "2026-01-02T03:04:07Z"], &[1]),
        (&["--since", "2026-01-02", "--until", "2026-01-03"], &[1, 2, 3]),
        (&["--since", "2026-01-03"], &[]),
        (&["--conflict"], &[]),
        (&["--conflict=false", "--late=false", "--duplicate=false"], &[1, 2, 3]),
        (&["--stuck", "6h"], &[3]),
    ] {
        assert_eq!(sids(&ledger, filter), expected, "{filter:?}");
    }
}

#[test]
fn an_invalid_filter_value_is_rejected_with_the_valid_ones() {
    let ledger = ledger();
    for (flags, expected) in [
        (&["--status", "sending!"][..], "--status: `sending!` is not one of scheduled"),
        (&["--error-code", "x"], "--error-code: `x` is not 1 to 9 digits"),
        (&["--to", "*671"], "--to: `*671` is not an address, * and at least four digits"),
        (&["--since", "tomorrow"], "--since: `tomorrow` is not a time, such as"),
        (&["--since", "2026-02-30"], "--since: `2026-02-30` is not a time, such as"),
        (
            &["--since", "2026-02-02", "--until", "2026-02-01"],
            "--since: `2026-02-02T00:00:00.000000Z` is not before until",
        ),
        (&["--late=perhaps"], "--late: `perhaps` is not true or false"),
        (&["--stuck", "6"], "--stuck: `6` is not a length of time, such as 90m or 6h"),
        (&["--message-sid", "SM1"], "--message-sid: use audit for one message"),
    ] {
        let output = ledger.run(&[&["export", "messages"][..], flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{flags:?}: {stderr}");
    }
    let output = ledger.run(&["export", "events", "--late"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn events_can_be_filtered_by_account_message_and_arrival() {
    let ledger = ledger();
    let positions = |filter: &[&str]| -> Vec<u64> {
        let rows = lines(&ledger, &[&["export", "events"][..], filter].concat());
        rows.iter().map(|row| row["position"].as_u64().unwrap()).collect()
    };
    assert_eq!(positions(&["--account-sid", OTHER_ACCOUNT]), [3, 4]);
    assert_eq!(positions(&["--message-sid", &sid(1)]), [1, 2]);
    assert_eq!(positions(&["--since", "2026-01-02T03:04:08Z"]), [4, 5]);
    assert_eq!(positions(&["--as-of-position", "2"]), [1, 2]);
}

/// Callbacks after the position change nothing in any format, whether they start a new message or update
/// an existing one.
#[test]
fn an_export_as_of_a_position_always_has_the_same_bytes() {
    let ledger = ledger();
    let pinned = |what: &str, format: &str| {
        stdout(&ledger, &["export", what, "--format", format, "--as-of-position", "4"])
    };
    let asked: Vec<_> = ["messages", "events"]
        .into_iter()
        .flat_map(|what| ["ndjson", "csv", "parquet"].map(|format| (what, format)))
        .collect();
    let before: Vec<_> = asked.iter().map(|(what, format)| pinned(what, format)).collect();
    let message_1 = lines(&ledger, &["export", "messages", "--as-of-position", "1"]);
    assert_eq!(message_1.len(), 1);
    assert_eq!((&message_1[0]["status"], &message_1[0]["events"]), (&json!("sent"), &json!(1)));

    ledger.append(&one_a_second([event(failed(&sid(1), "30005")), event(sent(&sid(4)))]));
    assert_eq!(sids(&ledger, &["--conflict"]), [1]);

    let after: Vec<_> = asked.iter().map(|(what, format)| pinned(what, format)).collect();
    assert!(before == after, "the bytes differ");
    let beyond = ledger.run(&["export", "messages", "--as-of-position", "99"]);
    assert_eq!(beyond.status.code(), Some(2));
    let error = String::from_utf8(beyond.stderr).unwrap();
    assert!(error.contains("the log ends at position 7, before position 99"), "{error}");
}

fn csv_rows(text: &[u8]) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn csv_columns_have_the_names_and_order_of_the_json() {
    let ledger = ledger();
    let rows = csv_rows(&stdout(&ledger, &["export", "messages", "--format", "csv"]));
    let json = &lines(&ledger, &["export", "messages"])[1];

    let mut names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    names.extend(Status::ALL.map(|status| format!("{}_at", status.name())));
    assert_eq!(rows[0], names);
    let cell = |name: &str| &rows[2][names.iter().position(|each| each == name).unwrap()];
    assert_eq!(cell("status"), "failed");
    assert_eq!(cell("error_codes"), "30003");
    assert_eq!(cell("failed_at"), "2026-01-02T03:04:08.000000Z");
    assert_eq!(cell("read_at"), "");
    assert_eq!(cell("conflict"), "false");
    assert_eq!(cell("messaging_service_sid"), "");
    assert_eq!(
        cell("status_times"),
        "sent=2026-01-02T03:04:07.000000Z failed=2026-01-02T03:04:08.000000Z"
    );
    assert_eq!(rows[1][9], "+15558675310", "a plain number is unchanged");
}

/// A cell that a spreadsheet would evaluate as a formula gets a leading quote.
#[test]
fn csv_escapes_values_that_a_spreadsheet_would_evaluate() {
    let odd = ["=1+1", "+1 555", "-1", "+15550001111", "@SUM", "\tx", "a,\"b\"\r\nc", "-x"];
    let events =
        odd.iter().enumerate().map(|(number, to)| event(sent(&sid(number as u32)).with("To", to)));
    let ledger = Ledger::with_events(&one_a_second(events.collect::<Vec<NewEvent>>()));
    let rows = csv_rows(&stdout(&ledger, &["export", "messages", "--format", "csv"]));
    let to: Vec<_> = rows[1..].iter().map(|row| row[9].as_str()).collect();
    assert_eq!(
        to,
        ["'=1+1", "'+1 555", "-1", "+15550001111", "'@SUM", "'\tx", "a,\"b\"\r\nc", "'-x"]
    );
}

#[test]
fn a_manifest_describes_the_request_and_its_result() {
    let ledger = ledger();
    let verified = ledger.verify(&[]).1;
    let arguments = [
        "export",
        "messages",
        "--format",
        "csv",
        "--status",
        "sent",
        "--since",
        "2025-12-31T23:00",
        "--time-zone",
        "America/New_York",
        "--output",
        "out",
        "--manifest",
    ];
    stdout(&ledger, &arguments);

    let folder = ledger.file("out");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let file = std::fs::read(folder.join("messages.csv")).unwrap();
    let sha256: String =
        sha2::Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        manifest["files"],
        json!([{
            "name": "messages.csv", "rows": 1, "bytes": file.len(), "sha256": sha256,
        }])
    );
    assert_eq!(manifest["as_of_position"], 5);
    assert_eq!(manifest["root"], verified["hash"]);
    let filters = json!({
        "status": "sent", "since": "2026-01-01T04:00:00.000000Z", "time_zone": "America/New_York",
    });
    assert_eq!(manifest["filters"], filters);
    assert!(Path::new(&folder).join("messages.csv").is_file());
    assert_eq!(ledger.run(&arguments).status.code(), Some(1), "the file already exists");
}

// Over HTTP.

#[test]
fn an_export_over_http_has_the_same_bytes_as_the_command() {
    let app = App::start();
    for number in 1..30 {
        app.receive(sent(&sid(number)));
        app.receive(delivered(&sid(number)));
    }
    app.caught_up();
    for what in ["messages", "events"] {
        for format in ["ndjson", "csv", "parquet", "xlsx"] {
            let answer = app.get(&format!("/v1/exports/{what}?format={format}&as_of_position=31"));
            assert_eq!(answer.code, 200, "{answer:?}");
            assert_eq!(answer.header("x-as-of-position"), Some("31"));
            let name = format!("attachment; filename=\"{what}-31.{format}\"");
            assert_eq!(answer.header("content-disposition"), Some(&*name));
            let by_command =
                app.run(&["export", what, "--format", format, "--as-of-position", "31"]).stdout;
            assert!(answer.body == by_command, "{what} as {format}");
        }
    }
    let filtered = app.get("/v1/exports/messages?status=delivered&as_of_position=31").body;
    assert_eq!(filtered.iter().filter(|byte| **byte == b'\n').count(), 15);
}

#[test]
fn an_invalid_export_request_gets_a_problem() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    for (target, expected) in [
        ("messages?format=xml", "format `xml` is not one of ndjson, csv, parquet, xlsx"),
        ("messages?as_of_position=99", "as_of_position `99` is beyond 1"),
        ("messages?as_of_position=x", "as_of_position `x` is not a position, such as 42"),
        ("messages?tag_columns=order", "tag_columns: ndjson has all tags in `tags`; leave it out"),
        ("messages?limit=3", "there is no parameter `limit` here"),
        ("events?late=true", "there is no parameter `late` here"),
        ("events?since=2026-02-02&until=2026-01-01", "is not before until"),
    ] {
        let answer = app.get(&format!("/v1/exports/{target}"));
        let state = ["is not before until", "is beyond 1", "leave it out"]
            .iter()
            .any(|end| expected.ends_with(end));
        assert_eq!(answer.code, if state { 409 } else { 400 }, "{target}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(expected), "{target}: {detail}");
    }
}

/// Regression: four stalled readers occupied the four export slots until the server was restarted.
#[test]
fn a_stalled_reader_is_disconnected_and_a_slow_one_is_not() {
    const EVENTS: usize = 300;
    const LONG: usize = 48_000;
    let mut app = App::not_started(&[]);
    let log = store::open(&Database::Sqlite(app.log_file()), Access::Create).unwrap();
    let long = "x".repeat(LONG);
    let events = (0..EVENTS).map(|n| event(sent(&sid(n as u32)).with("Body", &long)));
    log.append(&events.collect::<Vec<_>>()).unwrap();
    drop(log);
    app.restart();
    let open = || {
        let mut stream = TcpStream::connect(app.admin()).unwrap();
        let request = Request::new("GET", "/v1/exports/events");
        stream.write_all(&request.bytes(app.admin())).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 1, "the export has begun");
        stream
    };
    app.caught_up();
    let begun = Instant::now();
    let mut slow = open();
    // With a large buffer, a slow reader would look stalled to the server on a busy machine.
    socket2::SockRef::from(&slow).set_recv_buffer_size(64 << 10).unwrap();
    let mut silent: Vec<_> = (0..3).map(|_| open()).collect();
    assert_eq!(app.get("/v1/exports/events").code, 503);

    let mut read = 0;
    while app.stderr().matches("read nothing for too long and is disconnected").count() < 3 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the stalled readers are never disconnected"
        );
        read += slow.read(&mut [0; 4096]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }

    assert!(begun.elapsed() > Duration::from_secs(30));
    app.eventually("a slot is free", || app.get("/v1/exports/events").code == 200);
    assert!(read < EVENTS * LONG / 2, "{read} bytes are too many for a slow reader");
    let mut end = Vec::new();
    while !end.ends_with(b"\r\n0\r\n\r\n") {
        let mut piece = [0; 8192];
        let count = slow.read(&mut piece).unwrap();
        assert_ne!(count, 0, "a reader that was still reading was disconnected");
        read += count;
        end.extend_from_slice(&piece[..count]);
        end.drain(..end.len().saturating_sub(16));
    }
    assert!(read > EVENTS * LONG, "{read} bytes are not the whole export");
    let mut rest = Vec::new();
    let _cut = silent[0].read_to_end(&mut rest);
    assert!(
        rest.len() < EVENTS * LONG,
        "the server buffered the whole export for a stalled reader"
    );
}

#[test]
fn masked_exports_show_only_the_last_four_digits() {
    let ledger = ledger();
    for (what, format) in [("messages", "csv"), ("events", "ndjson"), ("events", "csv")] {
        let text =
            String::from_utf8(stdout(&ledger, &["export", what, "--format", format, "--mask"]))
                .unwrap();
        assert!(!text.contains("5558675310") && !text.contains("15550002671"), "{text}");
        assert!(text.contains("5310") && text.contains("2671"), "{text}");
    }
}
