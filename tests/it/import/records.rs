//! Importing Twilio's own records: lists, BulkExport files and the Console's CSV.

use std::io::Write;

use serde_json::{Value, json};

use super::{events, file, import, imported, refusals, sample, statuses};
use crate::support::events::event;
use crate::support::ledger::{Ledger, findings};
use crate::support::{ACCOUNT, delivered, sid};

/// Compresses bytes as Twilio's BulkExport does.
pub fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

fn expected() -> Vec<(String, String)> {
    let statuses = [(1, "delivered"), (2, "failed"), (4, "sent")];
    statuses.map(|(number, status)| (sid(number), status.to_owned())).into()
}

const SAMPLES: [(&str, &str); 3] =
    [("page.json", "rest"), ("bulkexport.ndjson", "bulkexport"), ("console.csv", "csv")];

#[test]
fn every_format_of_records_is_recognised_and_gives_the_same_result() {
    for (name, format) in SAMPLES {
        let ledger = Ledger::new();
        let (code, report) = import(&ledger, &[&sample(name)]);
        assert_eq!(code, Some(0), "{report}");
        assert_eq!(report["files"][0]["format"], format);
        assert_eq!(report["files"][0]["rows"], 4);
        assert_eq!((&report["appended"], &report["inbound"]), (&json!(3), &json!(1)), "{name}");

        assert_eq!(statuses(&ledger), expected(), "{name}");
        let message = ledger.run(&["audit", &sid(2), "--format", "json"]).stdout;
        let message: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!(message["error_code"], 30003);
        assert_eq!(message["account_sid"], ACCOUNT);
        let (code, verified) = ledger.verify(&[]);
        assert_eq!((code, findings(&verified)), (Some(0), vec![]));
    }
}

#[test]
fn importing_the_same_records_in_several_formats_adds_nothing() {
    for first in ["page.json", "console.csv"] {
        let ledger = Ledger::new();
        assert_eq!(imported(&ledger, &[&sample(first)]), [3, 0, 1, 0]);
        for (second, _) in SAMPLES {
            assert_eq!(imported(&ledger, &[&sample(second)]), [0, 3, 1, 0], "{first} {second}");
        }
    }
    // Also if all files are imported at once, when the views do not have any of them yet.
    let ledger = Ledger::new();
    let samples = SAMPLES.map(|(name, _)| sample(name));
    let samples: Vec<_> = samples.iter().map(String::as_str).collect();
    assert_eq!(imported(&ledger, &samples), [3, 6, 3, 0]);
}

#[test]
fn the_currency_of_a_price_is_a_new_fact() {
    // BulkExport has none.
    let ledger = Ledger::new();
    assert_eq!(imported(&ledger, &[&sample("bulkexport.ndjson")]), [3, 0, 1, 0]);
    assert_eq!(imported(&ledger, &[&sample("page.json")]), [3, 0, 1, 0]);
    assert_eq!(imported(&ledger, &[&sample("bulkexport.ndjson")]), [0, 3, 1, 0]);
}

#[test]
fn a_record_adds_facts_and_never_moves_a_message_backwards() {
    let ledger = Ledger::with_events(&[event(delivered(&sid(4))), event(delivered(&sid(1)))]);

    // The price of the first is new, too.
    assert_eq!(imported(&ledger, &[&sample("page.json")]), [3, 0, 1, 0]);

    let expected = [(4, "delivered"), (1, "delivered"), (2, "failed")];
    let expected = expected.map(|(number, status)| (sid(number), status.to_owned()));
    assert_eq!(statuses(&ledger), expected);
}

#[test]
fn a_record_repeated_within_one_import_counts_as_known() {
    let (from, to) = (Ledger::with_events(&[event(delivered(&sid(1)))]), Ledger::new());
    let exported = file(&to, "events.ndjson", super::export(&from, &["events"]));
    let page = sample("page.json");
    let again = file(&to, "again.json", std::fs::read(&page).unwrap());
    assert_eq!(imported(&to, &[&exported, &page, &again]), [4, 3, 2, 0]);
}

#[test]
fn message_texts_are_left_out_unless_requested() {
    for (name, _) in SAMPLES {
        let ledger = Ledger::new();
        imported(&ledger, &[&sample(name)]);
        for event in events(&ledger) {
            assert!(!event["body"].as_str().unwrap().contains("Your code is"), "{event}");
            assert_eq!(event["notes"]["content"], "removed");
        }
        let log = std::fs::read(ledger.log_file()).unwrap();
        assert!(!log.windows(12).any(|bytes| bytes == b"Your code is"));

        let ledger = Ledger::new();
        imported(&ledger, &["--keep-content", &sample(name)]);
        for event in events(&ledger) {
            assert!(event["body"].as_str().unwrap().contains("Your code is"), "{event}");
            assert_eq!(event["notes"].get("content"), None);
        }
    }
}

#[test]
fn a_record_keeps_its_bytes_and_notes_its_file_and_line() {
    let ledger = Ledger::new();
    let line = format!(
        r#"{{"new": [1.50,  null], "sid":"{}","account_sid":"{ACCOUNT}","status":"sent", "new":2}}"#,
        sid(9)
    );
    let path = file(&ledger, "day.json.gz", gzipped(format!("\n{line}\n").as_bytes()));
    imported(&ledger, &["--keep-content", &path]);
    let event = &events(&ledger)[0];
    assert_eq!(event["body"], line);
    assert_eq!(event["source"], "import");
    assert_eq!(event["verified_by"], Value::Null);
    let origin =
        json!({ "origin_file": "day.json.gz", "origin_format": "bulkexport", "origin_line": "2" });
    assert_eq!(event["notes"], origin);
}

#[test]
fn a_file_may_mix_pages_and_single_messages_in_any_layout() {
    let ledger = Ledger::new();
    let message = |number: u32| json!({ "sid": sid(number), "account_sid": ACCOUNT, "status": "sent", "body": "x" });
    let page = json!({ "messages": [message(1), message(2)], "next_page_uri": "/x" });
    let list = json!([message(4), { "messages": [message(5)] }]);
    let text = format!("{page}{:#}\n\n{:#} {list:#}", page, message(3));
    assert_eq!(imported(&ledger, &[&file(&ledger, "all.json", text)]), [5, 2, 0, 0]);
    let pretty = format!("{:#}", message(6));
    assert_eq!(imported(&ledger, &[&file(&ledger, "one.json", pretty)]), [1, 0, 0, 0]);
}

#[test]
fn columns_are_matched_by_name_and_unknown_ones_are_kept() {
    let ledger = Ledger::new();
    let csv = format!(
        "\u{feff}Message SID,\"Date Sent\",status,To,Campaign,message_body\n{},2026-01-02,Delivered,+1,\"a,b\",secret\n",
        sid(1)
    );
    let path = file(&ledger, "log.csv", csv);
    let (code, report) = import(&ledger, &[&path]);
    assert_eq!(code, Some(1));
    let expected = "2: it names no account (`account_sid`); --account-sid says whose it is";
    assert_eq!(refusals(&report), [expected]);

    assert_eq!(imported(&ledger, &["--account-sid", ACCOUNT, &path]), [1, 0, 0, 0]);
    let body = events(&ledger)[0]["body"].as_str().unwrap().to_owned();
    let expected = format!(
        r#"{{"account_sid":"{ACCOUNT}","sid":"{}","date_sent":"2026-01-02","status":"Delivered","to":"+1","Campaign":"a,b"}}"#,
        sid(1)
    );
    assert_eq!(body, expected);
    assert_eq!(statuses(&ledger), [(sid(1), "delivered".to_owned())]);
}

#[test]
fn a_dry_run_reports_the_result_and_appends_nothing() {
    let ledger = Ledger::new();
    assert_eq!(imported(&ledger, &["--dry-run", &sample("page.json")]), [3, 0, 1, 0]);
    assert_eq!(super::names(ledger.file("x").parent().unwrap()), [""; 0]);

    imported(&ledger, &[&sample("page.json")]);
    assert_eq!(imported(&ledger, &["--dry-run", &sample("console.csv")]), [0, 3, 1, 0]);
    assert_eq!(events(&ledger).len(), 3);
}
