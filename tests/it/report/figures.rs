//! What each figure of a report means, by example.

use delivery_ledger::domain::NewEvent;
use delivery_ledger::report::output::ReportJson;
use delivery_ledger::report::{Dimension, ReportQuery, report};
use serde_json::{Value, json};

use super::at;
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid, status};

fn by(by: Dimension, events: &[NewEvent]) -> Value {
    let ledger = Ledger::with_events(events);
    let report = report(&*ledger.open(), &ReportQuery::new([by])).unwrap();
    serde_json::to_value(ReportJson::new(&report, &Default::default(), false)).unwrap()
}

fn total(events: &[NewEvent]) -> Value {
    by(Dimension::Day, events)["total"].clone()
}

#[test]
fn time_to_sent_runs_from_the_first_unscheduled_status_to_the_first_sent() {
    let total = total(&[
        at(0, status(&sid(1), "scheduled")),
        at(5_000, status(&sid(1), "queued")),
        at(5_020, sent(&sid(1))),
        at(9_000, sent(&sid(1)).with("ApiVersion", "2")),
        at(9_020, delivered(&sid(1))),
    ]);
    assert_eq!(
        total["time_to_sent_ms"],
        json!({ "known": 1, "unknown": 0, "negative": 0, "p50": 20, "p95": 20, "p99": 20 })
    );
    // 4,000 ms lie in a bucket from 3,968 to 4,095.
    assert_eq!(
        total["sent_to_delivered_ms"],
        json!({ "known": 1, "unknown": 0, "negative": 0, "p50": 4032, "p95": 4032, "p99": 4032 })
    );
}

#[test]
fn a_duration_without_both_ends_is_unknown() {
    let total = total(&[
        at(0, sent(&sid(1))),
        at(0, status(&sid(2), "queued")),
        at(0, status(&sid(3), "scheduled")),
        at(1, sent(&sid(3))),
        at(0, status(&sid(4), "read")),
    ]);
    for times in ["time_to_sent_ms", "sent_to_delivered_ms"] {
        assert_eq!(
            total[times],
            json!({ "known": 0, "unknown": 4, "negative": 0, "p50": null, "p95": null, "p99": null })
        );
    }
}

#[test]
fn negative_durations_are_counted_separately() {
    let total = total(&[at(0, delivered(&sid(1))), at(1, sent(&sid(1)))]);
    assert_eq!(total["sent_to_delivered_ms"]["negative"], 1);
    assert_eq!(total["sent_to_delivered_ms"]["p50"], Value::Null);
}

#[test]
fn rates_are_relative_to_settled_messages() {
    let total = total(&[
        at(0, delivered(&sid(1))),
        at(0, delivered(&sid(2))),
        at(0, status(&sid(3), "read").with("To", "whatsapp:+14155552671")),
        at(0, failed(&sid(4), "30003")),
        at(0, status(&sid(5), "canceled")),
        at(0, sent(&sid(6))),
        at(0, status(&sid(7), "partially_delivered")),
        at(0, status(&sid(8), "tunnelled")),
        at(0, delivered(&sid(9)).with("To", "rcs:+14155552671")),
    ]);
    assert_eq!(total["messages"], 9);
    assert_eq!(total["open"], 3);
    assert_eq!(total["delivery_rate"], 0.8);
    assert_eq!(total["failure_rate"], 0.2);
    // Nobody can tell whether an SMS was read.
    assert_eq!(total["read_rate"], 0.5);
    assert_eq!(
        total["statuses"],
        json!({
            "scheduled": 0, "accepted": 0, "queued": 0, "sending": 0, "sent": 1,
            "partially_delivered": 1, "delivered": 3, "read": 1, "canceled": 1, "undelivered": 0,
            "failed": 1, "unknown": 1,
        })
    );
}

#[test]
fn a_rate_over_no_messages_is_null() {
    let total = total(&[at(0, sent(&sid(1)))]);
    for rate in ["delivery_rate", "failure_rate", "read_rate"] {
        assert_eq!(total[rate], Value::Null, "{rate}");
    }
    let nothing = by(Dimension::Country, &[]);
    assert_eq!(nothing["rows"], json!([]));
    assert_eq!(nothing["total"]["messages"], 0);
}

#[test]
fn a_conflict_counts_once_by_its_status_and_once_as_a_conflict() {
    let total = total(&[at(0, failed(&sid(1), "30003")), at(1, delivered(&sid(1)))]);
    assert_eq!(total["messages"], 1);
    assert_eq!(total["statuses"]["failed"], 1);
    assert_eq!(total["conflicts"], 1);
}

#[test]
fn a_message_belongs_to_the_hour_and_day_of_its_first_arrival_in_utc() {
    let hour = 3_600_000;
    let events = [
        at(hour - 1, sent(&sid(1))),
        at(hour, delivered(&sid(1))),
        at(hour, sent(&sid(2))),
        at(21 * hour, sent(&sid(3))),
    ];
    let keys = |report: Value| -> Vec<Value> {
        report["rows"].as_array().unwrap().iter().map(|row| row["key"].clone()).collect()
    };
    assert_eq!(
        keys(by(Dimension::Hour, &events)),
        ["2026-01-02T03:00:00Z", "2026-01-02T04:00:00Z", "2026-01-03T00:00:00Z"]
    );
    assert_eq!(keys(by(Dimension::Day, &events)), ["2026-01-02", "2026-01-03"]);
}

#[test]
fn an_error_code_has_a_title_and_a_responsibility() {
    let report = by(
        Dimension::ErrorCode,
        &[
            at(0, failed(&sid(1), "30003")),
            at(0, failed(&sid(2), "987654321")),
            at(0, delivered(&sid(3))),
        ],
    );
    let shown =
        |row: &Value| ["key", "title", "fault"].map(|name| row[name].as_str().map(str::to_owned));
    let rows: Vec<_> = report["rows"].as_array().unwrap().iter().map(shown).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            [None, None, None],
            [text("30003"), text("Unreachable destination handset"), text("recipient")],
            [text("987654321"), text("unknown code 987654321"), text("unknown")],
        ]
    );
}

#[test]
fn the_largest_row_comes_first_unless_rows_have_an_order() {
    let report = by(
        Dimension::From,
        &[
            at(0, sent(&sid(1)).with("From", "Small")),
            at(0, sent(&sid(2)).with("From", "Zeppelin")),
            at(0, sent(&sid(3)).with("From", "Zeppelin")),
            at(0, sent(&sid(4)).without("From")),
        ],
    );
    let keys: Vec<_> =
        report["rows"].as_array().unwrap().iter().map(|row| row["key"].clone()).collect();
    assert_eq!(keys, [json!("Zeppelin"), Value::Null, json!("Small")]);
}

#[test]
fn a_masked_report_hides_senders_and_nothing_else() {
    let ledger = Ledger::with_events(&[at(0, sent(&sid(1)))]);
    let masked = |by: Dimension| {
        let report = report(&*ledger.open(), &ReportQuery::new([by])).unwrap();
        ReportJson::new(&report, &Default::default(), true).rows.remove(0).key
    };
    assert_eq!(masked(Dimension::From).as_deref(), Some("+*******0604"));
    assert_eq!(masked(Dimension::Day).as_deref(), Some("2026-01-02"));
}
