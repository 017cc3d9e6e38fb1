//! Output of this program that is not an export of events is recognised and rejected.

use delivery_ledger::import::ImportFormat;

use serde_json::json;

use super::{export, outcome, outcome_as};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sid};

fn ledger() -> Ledger {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1))), event(failed(&sid(2), "30003"))]);
    ledger.project();
    ledger
}

fn run(ledger: &Ledger, arguments: &[&str]) -> String {
    String::from_utf8(ledger.run(arguments).stdout).unwrap()
}

/// Selects columns by their indexes, in this order.
fn columns(csv: &str, places: &[usize]) -> String {
    let mut written = String::new();
    for line in csv.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let cells: Vec<&str> = places.iter().map(|place| cells[*place]).collect();
        written += &(cells.join(",") + "\n");
    }
    written
}

#[test]
fn an_export_of_messages_is_not_mistaken_for_twilios_records() {
    let ledger = ledger();
    let csv = export(&ledger, &["messages", "--format", "csv"]);
    let ndjson = export(&ledger, &["messages"]);
    let array = format!("[{}]", ndjson.trim_end().replace('\n', ","));
    let masked = export(&ledger, &["messages", "--format", "csv", "--mask"]);
    let cases = [
        csv.clone(),
        masked,
        csv.replace(',', ";"),
        csv.replace(',', "\t"),
        format!("\u{feff}sep=;\r\n{}", csv.replace(',', ";")),
        csv.to_uppercase(),
        columns(&csv, &[0, 1, 6, 8, 9]),
        columns(&csv, &[9, 8, 0, 1]),
        columns(&csv, &[0, 1]),
        columns(&csv, &[1, 15, 6]),
        ndjson,
        array,
        run(&ledger, &["audit", &sid(1), "--format", "json"]),
    ];
    for content in cases {
        for format in [
            None,
            Some(ImportFormat::Csv),
            Some(ImportFormat::Rest),
            Some(ImportFormat::Bulkexport),
        ] {
            let outcome = outcome_as(format, &content);
            assert_eq!(outcome.counts.appended, 0, "{content}");
            assert!(!outcome.refusals.is_empty(), "{content}");
        }
        let refusals = outcome(&content).refusals;
        let is_named = refusals[0].contains("this is an export of messages")
            || refusals[0].contains("this is a message with its timeline (audit)");
        assert!(is_named, "{refusals:?} of {content}");
    }
}

#[test]
fn exported_events_in_other_forms_than_ndjson_are_rejected_as_such() {
    let ledger = ledger();
    let csv = export(&ledger, &["events", "--format", "csv"]);
    for content in [csv.clone(), csv.replace(',', ";"), columns(&csv, &[0, 1, 2])] {
        for format in [None, Some(ImportFormat::Csv)] {
            let refusals = outcome_as(format, &content).refusals;
            assert!(
                refusals[0].contains("only NDJSON can be imported, CSV cannot"),
                "{refusals:?}"
            );
        }
    }
    let events = export(&ledger, &["events"]);
    for format in [ImportFormat::Rest, ImportFormat::Bulkexport] {
        let refusals = outcome_as(Some(format), &events).refusals;
        assert!(refusals[0].contains("this is an event of `export events`"), "{refusals:?}");
    }
    let array = format!("[{}]", events.trim_end().replace('\n', ","));
    assert!(outcome(array).refusals[0].contains("this is an event of `export events`"));
}

#[test]
fn output_of_other_commands_is_recognised_and_rejected() {
    let ledger = ledger();
    let folder = ledger.file("export");
    let folder = folder.to_str().unwrap().to_owned();
    export(&ledger, &["events", "--manifest", "--output", &folder]);
    let manifest = std::fs::read_to_string(format!("{folder}/manifest.json")).unwrap();
    let report = run(&ledger, &["report", "--by", "channel", "--format", "csv"]);
    let cases = [
        (manifest, "the manifest of an export"),
        (report.replace(',', ";"), "a delivery report"),
        (report, "a delivery report"),
        (run(&ledger, &["report", "--by", "day", "--format", "json"]), "a delivery report"),
        (run(&ledger, &["verify", "--format", "json"]), "a result of verify"),
        (run(&ledger, &["replay", "--format", "json"]), "a result of replay"),
        (run(&ledger, &["doctor", "--format", "json"]), "a result of doctor"),
        (json!({ "dry_run": true, "to_fetch": 1, "lists": [] }).to_string(), "a plan of reconcile"),
        (json!({ "fetched": 1, "stopped_by": null }).to_string(), "a result of reconcile"),
        (json!({ "data": [], "requests": 0, "bytes": 0 }).to_string(), "a list of the quarantine"),
        (json!({ "data": [], "next_cursor": null }).to_string(), "a page of the API"),
    ];
    for (content, expected) in cases {
        let refusals = outcome(&content).refusals;
        let expected = format!("this is {expected}, which delivery-ledger wrote");
        assert!(
            refusals.first().is_some_and(|why| why.starts_with(&expected)),
            "{refusals:?} of {content}"
        );
    }
}
