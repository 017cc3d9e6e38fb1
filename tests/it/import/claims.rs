//! Implausible events: an import rejects a line that no ledger could have exported.

use serde_json::{Value, json};

use super::{export, file, imported, outcome};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, delivered, sid};

fn line() -> Value {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    serde_json::from_str(&export(&ledger, &["events"])).unwrap()
}

/// The reason for which the line with these changes is rejected, if it is.
fn refusal(line: &Value, changes: &[(&str, Value)]) -> Option<String> {
    let mut line = line.clone();
    changes.iter().for_each(|(name, value)| line[*name] = value.clone());
    let refusals = outcome(format!("{line}\n")).refusals;
    refusals.first().cloned()
}

#[test]
fn an_implausible_event_is_rejected_with_its_value() {
    let line = line();
    let id = "018f0000-0000-4000-8000-000000000000";
    let cases = [
        ("event_id", json!(id), format!("`event_id`, `{id}`: events have UUIDs of version 7")),
        (
            "received_at",
            json!("0000-01-01T00:00:00.000000Z"),
            "`received_at`, `0000-01-01T00:00:00.000000Z`: Twilio sent nothing before 2008".into(),
        ),
        (
            "received_at",
            json!("2007-12-31T23:59:59.999999Z"),
            "`received_at`, `2007-12-31T23:59:59.999999Z`: Twilio sent nothing before 2008".into(),
        ),
        (
            "received_at",
            json!("2026-06-02T00:00:00.000001Z"),
            "`received_at`, `2026-06-02T00:00:00.000001Z`: it is more than a day in the future"
                .into(),
        ),
        (
            "position",
            json!(0),
            "`position`, `0`: the first event of a ledger has position 1".into(),
        ),
        ("verified_by", json!(""), "`verified_by`, ``: ".into()),
        ("verified_by", json!("\u{1b}[31mprimary"), "`verified_by`, `\\u{1b}[31mprimary`: ".into()),
        ("verified_by", json!("pri\u{202e}mary"), "`verified_by`, `pri\\u{202e}mary`: ".into()),
        ("verified_by", json!("k".repeat(129)), format!("`verified_by`, `{}`: ", "k".repeat(60))),
        ("method", json!("post"), "`method`, `post`: ".into()),
        ("method", json!(""), "`method`, ``: a callback was received by one".into()),
        (
            "url",
            json!("javascript:x"),
            "`url`, `javascript:x`: it begins with http:// or https://".into(),
        ),
        (
            "url",
            json!("https://a.example/ x"),
            "`url`, `https://a.example/ x`: it has blanks".into(),
        ),
        ("url", json!(""), "`url`, ``: a callback was received at one".into()),
        ("headers", json!([["a b", "x"]]), "`headers`, `a b`: no header can be called that".into()),
        (
            "headers",
            json!([["a", "x\r\ny"]]),
            "`headers`, `a`: its value has control characters".into(),
        ),
    ];
    for (name, value, expected) in cases {
        let refusal = refusal(&line, &[(name, value)]).unwrap_or_default();
        assert!(refusal.starts_with(&format!("1: {expected}")), "{refusal}");
    }
}

#[test]
fn notes_that_only_the_program_writes_cannot_be_forged() {
    let line = line();
    let cases = [
        (json!({ "origin_position": "x" }), "`notes.origin_position`, `x`: it is a position"),
        (json!({ "origin_position": "0" }), "`notes.origin_position`, `0`: it is a position"),
        (json!({ "origin_position": "+1" }), "`notes.origin_position`, `+1`: it is a position"),
        (json!({ "origin_position": "01" }), "`notes.origin_position`, `01`: it is a position"),
        (
            json!({ "origin_ledger": "mine" }),
            "`notes.origin_ledger`, `mine`: it is the id of a ledger",
        ),
        (
            json!({ "origin_format": "csv" }),
            "`notes`, `origin_format`: only events of source import",
        ),
        (json!({ "origin_file": "x" }), "`notes`, `origin_file`: only events of source import"),
        (json!({ "origin_line": "1" }), "`notes`, `origin_line`: only events of source import"),
        (json!({ "repaired": "to" }), "`notes`, `repaired`: only events of source import"),
        (json!({ "content": "kept" }), "`notes.content`, `kept`: it is `removed`"),
        (json!({ "quarantine": "signature" }), "`notes` has `quarantine` or `rechecked_at` alone"),
        (
            json!({ "quarantine": "no such", "rechecked_at": "2026-01-02T03:04:05.000000Z" }),
            "`notes.quarantine`, `no such`: it is a reason, one word",
        ),
        (
            json!({ "quarantine": "signature", "rechecked_at": "today" }),
            "`notes.rechecked_at`, `today`: it is RFC 3339",
        ),
        (json!({ "A": "x" }), "`notes`, `A`: a note's name is"),
        (json!({ "": "x" }), "`notes`, ``: a note's name is"),
        (json!({ "a": "\u{1b}[2J" }), "`notes.a`, `\\u{1b}[2J`: it has control characters"),
        (json!({ "a": "x".repeat(4097) }), "`notes.a`, "),
    ];
    for (notes, expected) in cases {
        let refusal = refusal(&line, &[("notes", notes)]).unwrap_or_default();
        assert!(refusal.starts_with(&format!("1: {expected}")), "{refusal}");
    }
    let send = refusal(
        &line,
        &[("source", json!("send")), ("notes", json!({ "quarantine": "x", "rechecked_at": "y" }))],
    );
    assert_eq!(send.unwrap(), "1: `notes`, `quarantine`: only events of source callback have it");
}

#[test]
fn events_that_ledgers_export_are_accepted() {
    let line = line();
    for changes in [
        vec![("verified_by", Value::Null)],
        vec![("verified_by", json!("secondary"))],
        vec![("verified_by", json!("ie1 spare"))],
        vec![("received_at", json!("2008-01-01T00:00:00.000000Z"))],
        vec![("received_at", json!("2026-06-02T00:00:00.000000Z"))],
        vec![(
            "notes",
            json!({ "quarantine": "signature", "rechecked_at": "2026-01-02T03:04:05.000000Z" }),
        )],
        vec![(
            "notes",
            json!({ "origin_position": "7", "origin_ledger": "018f0000-0000-7000-8000-000000000000" }),
        )],
        vec![
            ("source", json!("import")),
            ("method", json!("")),
            ("url", json!("")),
            ("verified_by", Value::Null),
            (
                "notes",
                json!({ "origin_format": "csv", "origin_file": "a\u{7}.csv", "origin_line": "2", "content": "removed" }),
            ),
        ],
    ] {
        assert_eq!(refusal(&line, &changes), None);
    }
}

#[test]
fn verify_report_and_audit_show_imported_events() {
    let ledger = Ledger::with_events(&[event(delivered(&sid(1)))]);
    let other = Ledger::with_events(&[event(delivered(&sid(2)))]);
    let events = file(&ledger, "events.ndjson", export(&other, &["events"]));
    let csv = format!("Sid,AccountSid,Status,To\n{},{ACCOUNT},sent,'+15558675310\n", sid(3));
    let csv = file(&ledger, "log.csv", csv);
    assert_eq!(imported(&ledger, &[&events, &csv]), [2, 0, 0, 0]);

    let (_, verified) = ledger.verify(&[]);
    assert_eq!((&verified["events"], &verified["imported"]), (&json!(3), &json!(2)));
    let people = String::from_utf8(ledger.run(&["verify"]).stdout).unwrap();
    assert!(people.starts_with("events     3, 2 of them imported, head 3\n"), "{people}");

    let report = ledger.run(&["report", "--by", "account", "--format", "json"]).stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (&report["total"]["messages"], &report["total"]["imported"]),
        (&json!(3), &json!(2))
    );

    let people = String::from_utf8(ledger.run(&["report", "--by", "account"]).stdout).unwrap();
    assert!(people.ends_with("\n2 messages have imported events.\n"), "{people}");

    let audit = |number| String::from_utf8(ledger.run(&["audit", &sid(number)]).stdout).unwrap();
    assert!(!audit(1).contains("imported"));
    assert!(audit(2).contains("imported, position 1 of another ledger"), "{}", audit(2));
    let repaired = "imported from log.csv, line 2, repaired (to: an apostrophe before it)";
    assert!(audit(3).contains(repaired), "{}", audit(3));
}
