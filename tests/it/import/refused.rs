//! Rejected rows and files: each is reported with its line and reason, and nothing is imported.

use serde_json::{Value, json};

use super::records::gzipped;
use super::{events, export, file, import, imported, refusals, sample};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, delivered, sid};

/// An exported event.
fn line() -> Value {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    serde_json::from_str(&export(&ledger, &["events"])).unwrap()
}

fn changed(name: &str, value: Value) -> String {
    let mut line = line();
    match value {
        Value::Null => drop(line.as_object_mut().unwrap().remove(name)),
        value => line[name] = value,
    }
    line.to_string()
}

#[test]
fn every_rejected_event_is_listed_with_its_line_and_reason() {
    let ledger = Ledger::new();
    let doubled = line().to_string().replacen('{', r#"{"url":"x","#, 1);
    let cases = [
        ("{\"event_id\":1".to_owned(), "not one JSON object, by line 1, column 13 of it"),
        ("7".to_owned(), "not one JSON object, by line 1, column 1 of it"),
        (changed("url", Value::Null), "`url` is missing"),
        (changed("body", Value::Null), "`body` is missing"),
        (changed("position", json!("1")), "`position` is not a number"),
        (changed("secret\n", json!(1)), "this version does not know what `secret\\n` is"),
        (doubled, "`url` is there twice"),
        (changed("event_id", json!("x")), "`event_id` is not a UUID in lower case with hyphens"),
        (
            changed("received_at", json!("2026-01-02T03:04:05Z")),
            "`received_at` is not RFC 3339 in UTC with six fractional digits and Z",
        ),
        (
            changed("source", json!("elsewhere")),
            "`source` is none of callback, send, reconcile, import",
        ),
        (changed("method", json!({})), "`method` is not text"),
        (changed("headers", json!([["a"]])), "`headers` is not a list of [name, value]"),
        (changed("headers", json!([["a", {"base64": "!"}]])), "a header is not base64"),
        (
            changed("headers", json!([["b", ""], ["A", ""]])),
            "`headers` are not in lower case and sorted by name",
        ),
        (
            changed("headers", json!([["authorization", "Basic x"]])),
            "the header `authorization` is never kept",
        ),
        (changed("body_base64", json!("")), "there are both `body` and `body_base64`"),
        (changed("notes", json!({"a": 1})), "`notes` is not an object of texts"),
        (
            changed("notes", json!({}))
                .replace("\"notes\":{}", "\"notes\":{\"a\":\"\",\"a\":\"\"}"),
            "a name in `notes` is there twice",
        ),
        (changed("verified_by", json!(["x"])), "`verified_by` is not text or null"),
        (" ".repeat(9 << 20), "longer than 8388608 bytes"),
    ];
    // The first line is valid, so that the format is recognised.
    let lines = [line().to_string()].into_iter();
    let lines = lines.chain(cases.iter().map(|(line, _)| line.clone()));
    let path = file(&ledger, "events.ndjson", lines.collect::<Vec<_>>().join("\n"));

    let (code, report) = import(&ledger, &[&path]);

    assert_eq!(code, Some(1));
    let expected = cases.iter().zip(2..).map(|((_, why), line)| format!("{line}: {why}"));
    assert_eq!(refusals(&report), expected.collect::<Vec<_>>());
    assert!(!ledger.log_file().exists(), "nothing was imported");

    assert_eq!(imported(&ledger, &["--skip-refused", &path]), [1, 0, 0, cases.len() as u64]);
}

#[test]
fn every_rejected_record_is_listed_with_its_line_and_reason() {
    let ledger = Ledger::new();
    let good = json!({ "sid": sid(1), "account_sid": ACCOUNT, "status": "sent" });
    let lines = [
        good.to_string(),
        "not JSON".to_owned(),
        json!({ "account_sid": ACCOUNT, "status": "sent" }).to_string(),
        json!({ "sid": sid(1), "account_sid": ACCOUNT }).to_string(),
        json!({ "sid": sid(1), "status": "sent" }).to_string(),
        json!({ "message_sid": sid(1), "AccountSid": ACCOUNT, "MessageStatus": "sent" })
            .to_string(),
    ];
    let bulk = file(&ledger, "day.ndjson", lines.join("\n"));
    let csv = file(
        &ledger,
        "log.csv",
        format!("Sid,AccountSid,Status\n{},{ACCOUNT},sent\nSM2\n", sid(2)),
    );
    let page = file(&ledger, "page.json", format!("[{good},\n{{}}]\n{{\"messages\": 1}}\n{{oh"));

    let (code, report) = import(&ledger, &[&bulk, &csv, &page]);

    assert_eq!(code, Some(1));
    let expected = [
        "2: not one JSON object, by line 1, column 2 of it",
        "3: it names no message (`sid`)",
        "4: it has no `status`",
        "5: it names no account (`account_sid`); --account-sid says whose it is",
        "6: it names its message `message_sid`; Twilio's records call that `sid`",
        "3: 1 columns where the header has 3",
        "2: it names no message (`sid`)",
        "3: the page's `messages` is no list",
        "4: from here on it is no JSON, by column 2 of this line",
    ];
    assert_eq!(refusals(&report), expected);
    let paths = report["refusals"].as_array().unwrap().iter().map(|one| one["file"].as_str());
    assert_eq!(paths.filter(|path| *path == Some(&*csv)).count(), 1);
    assert!(!ledger.log_file().exists());
}

#[test]
fn one_rejected_row_prevents_the_import_of_all_files() {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    let bad = file(&ledger, "bad.ndjson", line().to_string() + "\n{}\n");
    let output = ledger.run(&["import", &sample("page.json"), &bad]);
    assert_eq!(output.status.code(), Some(1));
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("Nothing was imported."), "{stdout}");
    assert!(stdout.contains(&format!("  {bad}:2  `position` is missing")), "{stdout}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = "error: 1 row is refused, so nothing was imported; --skip-refused imports the \
                    others\n";
    assert_eq!(stderr, expected);
    assert_eq!(events(&ledger).len(), 1);
}

#[test]
fn the_text_output_shows_the_first_rejected_rows_and_json_all() {
    let ledger = Ledger::new();
    let bad = file(&ledger, "bad.ndjson", line().to_string() + &"\n{}".repeat(100));
    let stdout = String::from_utf8(ledger.run(&["import", &bad]).stdout).unwrap();
    assert_eq!(stdout.matches("is missing").count(), 20, "{stdout}");
    assert!(stdout.ends_with("  and 80 more; --report json has all\n"), "{stdout}");
    assert_eq!(refusals(&import(&ledger, &[&bad]).1).len(), 100);
}

#[test]
fn unsupported_files_are_rejected_with_their_kind() {
    let from = Ledger::with_events(&[event(delivered(&sid(1)))]);
    let ledger = Ledger::new();
    let csv = export(&from, &["events", "--format", "csv"]);
    for (name, content, expected) in [
        ("events.csv", csv.into_bytes(), "only NDJSON can be imported, CSV cannot"),
        ("x.parquet", b"PAR1\x15\0".to_vec(), "only NDJSON can be imported, Parquet cannot"),
        ("messages", export(&from, &["messages"]).into_bytes(), "this is an export of messages"),
        ("text", b"hello".to_vec(), "it is neither JSON, nor CSV with a column `Sid`"),
        ("other.json", b"{\"a\":1}".to_vec(), "its first JSON object is neither an event"),
    ] {
        let (code, report) = import(&ledger, &[&file(&ledger, name, content)]);
        assert_eq!(code, Some(1));
        assert!(refusals(&report)[0].contains(expected), "{report}");
    }
}

#[test]
fn a_truncated_gzip_stream_is_rejected_with_the_line_where_it_ends() {
    let ledger = Ledger::new();
    let good = json!({ "sid": sid(1), "account_sid": ACCOUNT, "status": "sent" }).to_string();
    let whole = gzipped(format!("{good}\n{good}\n").as_bytes());
    let cut = file(&ledger, "day.json.gz", &whole[..whole.len() - 4]);
    let (code, report) = import(&ledger, &[&cut]);
    assert_eq!(code, Some(1));
    assert_eq!(refusals(&report), ["3: the gzip stream is damaged or cut off here"]);
}

#[test]
fn invalid_arguments_are_reported() {
    let ledger = Ledger::new();
    let not_there = ledger.run(&["import", "not-there.json"]);
    assert_eq!(not_there.status.code(), Some(1));
    let stderr = String::from_utf8(not_there.stderr).unwrap();
    assert!(stderr.starts_with("error: cannot read not-there.json: "), "{stderr}");
    let page = sample("page.json");
    assert_eq!(ledger.run(&["import", &page, &page]).status.code(), Some(2));
    assert_eq!(ledger.run(&["import"]).status.code(), Some(2));
}

#[test]
fn an_empty_file_is_rejected_unless_its_format_is_given() {
    const WHY: &str = "-: it is empty; if that is right, say with --format what it would hold";
    let ledger = Ledger::new();
    for content in ["", "\n \r\n", "\u{feff}"] {
        let file = file(&ledger, "empty", content);

        let (code, report) = import(&ledger, &[&file]);

        assert_eq!((code, refusals(&report)), (Some(1), vec![WHY.to_owned()]));
        assert_eq!(imported(&ledger, &["--format", "events", &file]), [0, 0, 0, 0]);
    }
    let empty = file(&ledger, "empty.gz", gzipped(b""));
    assert_eq!(refusals(&import(&ledger, &[&empty]).1), [WHY]);
}

#[test]
fn an_empty_export_is_recognised_by_its_manifest() {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    let folder = ledger.file("export");
    let path = folder.to_str().unwrap();
    export(&ledger, &["events", "--message-sid", &sid(2), "--output", path, "--manifest"]);
    let file = folder.join("events.ndjson").to_str().unwrap().to_owned();
    assert_eq!(std::fs::read(&file).unwrap(), b"");

    assert_eq!(imported(&Ledger::new(), &[&file]), [0, 0, 0, 0]);
}

#[test]
fn a_rejected_import_counts_files_and_rows_separately() {
    let ledger = Ledger::new();
    let not_ours = file(&ledger, "a.pdf", "%PDF-1.7");
    let damaged = file(&ledger, "b.ndjson", format!("{}\n{}\n", line(), "7"));
    let error_of = |files: &[&str]| {
        let output = ledger.run(&[&["import"], files].concat());
        String::from_utf8(output.stderr).unwrap()
    };

    assert_eq!(error_of(&[&not_ours]), "error: 1 file is refused, so nothing was imported\n");
    assert_eq!(
        error_of(&[&not_ours, &damaged]),
        "error: 1 file and 1 row are refused, so nothing was imported; --skip-refused imports the \
         others\n"
    );
}
