//! Reports as an analyst asks for them: two properties, zones, comparisons, orders.

use serde_json::{Value, json};

use super::at;
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid};

const DAY: i64 = 24 * 3_600_000;

fn report(ledger: &Ledger, arguments: &[&str]) -> Value {
    let output = ledger.run(&[&["report", "--format", "json"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The keys of each row with its number of messages.
fn counts(report: &Value) -> Vec<(String, i64)> {
    let rows = report["rows"].as_array().unwrap().iter();
    let count = |row: &Value| {
        let key = row["key"].as_str().unwrap_or("(none)").to_owned();
        (key, row["messages"].as_i64().unwrap())
    };
    rows.map(count).collect()
}

/// In each of two weeks messages to Germany and the United States; the second week has a failure more.
fn two_weeks() -> Ledger {
    let to_us = |number| delivered(&sid(number)).with("To", "+14155552671");
    let to_de = |number| delivered(&sid(number)).with("To", "+491711234567");
    Ledger::with_events(&[
        at(0, to_us(1)),
        at(1, to_us(2)),
        at(2, to_de(3)),
        at(7 * DAY, to_us(4)),
        at(7 * DAY, to_de(5)),
        at(7 * DAY, failed(&sid(6), "30003").with("To", "+491711234567")),
        at(8 * DAY, sent(&sid(7)).with("To", "+447400123456")),
    ])
}

#[test]
fn a_report_by_country_and_week_has_a_row_for_each_pair() {
    let report = report(&two_weeks(), &["--by", "country,week"]);
    let expected = [
        ("DE / 2026-W01", 1),
        ("DE / 2026-W02", 2),
        ("US / 2026-W01", 2),
        ("US / 2026-W02", 1),
        ("GB / 2026-W02", 1),
    ];
    assert_eq!(counts(&report), expected.map(|(key, count)| (key.to_owned(), count)));
    assert_eq!(report["by"], "country,week");
    assert_eq!(report["rows"][0]["keys"], json!({ "country": "DE", "week": "2026-W01" }));
}

#[test]
fn times_have_the_names_of_calendars() {
    let ledger = two_weeks();
    let keys = |by: &str| -> Vec<String> {
        counts(&report(&ledger, &["--by", by])).into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(keys("month"), ["2026-01"]);
    assert_eq!(keys("week"), ["2026-W01", "2026-W02"]);
    assert_eq!(keys("weekday"), ["Friday", "Saturday"]);
    assert_eq!(keys("hour-of-day"), ["03"]);
}

#[test]
fn rows_are_sorted_and_limited_and_the_total_is_of_all() {
    let ledger = two_weeks();
    let sorted = |arguments: &[&str]| {
        let report = report(&ledger, &[&["--by", "country"], arguments].concat());
        let keys: Vec<_> = counts(&report).into_iter().map(|(key, _)| key).collect();
        (keys.join(" "), report["rows_in_all"].clone(), report["total"]["messages"].clone())
    };
    let all = |keys: &str| (keys.to_owned(), json!(3), json!(7));
    assert_eq!(sorted(&[]), all("DE US GB"));
    assert_eq!(sorted(&["--sort", "key"]), all("DE GB US"));
    assert_eq!(sorted(&["--sort", "messages:asc"]), all("GB DE US"));
    assert_eq!(sorted(&["--sort", "failure-rate"]), all("DE US GB"));
    assert_eq!(sorted(&["--sort", "delivery-rate"]), all("US DE GB"));
    assert_eq!(sorted(&["--sort", "delivery-rate", "--limit", "1"]), all("US"));
    let compared = ["--since", "2026-01-05", "--until", "2026-01-12", "--compare", "previous"];
    let by_change =
        report(&ledger, &[&["--by", "country", "--sort", "change:asc"], &compared[..]].concat());
    let keys: Vec<_> = counts(&by_change).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["US", "DE", "GB"]);
    let output = ledger.run(&["report", "--by", "country", "--sort", "change"]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("--sort: without another period there is no change"), "{stderr}");
}

#[test]
fn rows_sorted_by_a_duration_begin_with_the_longest_and_end_with_those_without() {
    let message = |number, to, seconds: i64| {
        let delivered = delivered(&sid(number)).with("To", to);
        [at(0, sent(&sid(number)).with("To", to)), at(seconds * 1000, delivered)]
    };
    let events = [
        message(1, "+14155552671", 1).to_vec(),
        message(2, "+491711234567", 60).to_vec(),
        vec![at(0, sent(&sid(3)).with("To", "+447400123456"))],
    ];
    let ledger = Ledger::with_events(&events.concat());
    let keys = |sort: &str| {
        let sorted = counts(&report(&ledger, &["--by", "country", "--sort", sort]));
        sorted.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(keys("sent-to-delivered"), ["DE", "US", "GB"]);
    assert_eq!(keys("sent-to-delivered:asc"), ["US", "DE", "GB"]);
}

#[test]
fn a_comparison_shows_the_period_before_and_the_differences() {
    let ledger = two_weeks();
    let week = ["--since", "2026-01-05", "--until", "2026-01-12"];
    let compared =
        report(&ledger, &[&["--by", "country", "--compare", "previous"], &week[..]].concat());

    let before =
        json!({ "since": "2025-12-29T00:00:00.000000Z", "until": "2026-01-05T00:00:00.000000Z" });
    assert_eq!(compared["compared_with"], before);
    let differences = |row: &Value| {
        let compared = &row["compared"];
        json!([
            row["key"],
            row["messages"],
            compared["messages"],
            compared["differences"]["messages"],
            compared["differences"]["statuses"]["failed"],
            compared["differences"]["delivery_rate"],
        ])
    };
    let rows: Vec<_> = compared["rows"].as_array().unwrap().iter().map(differences).collect();
    let expected = [
        json!(["DE", 2, 1, 1, 1, -0.5]),
        json!(["GB", 1, 0, 1, 0, null]),
        json!(["US", 1, 2, -1, 0, 0.0]),
    ];
    assert_eq!(rows, expected);
    assert_eq!(compared["compared_total"]["differences"]["messages"], 1);
    let chosen = ["--compare", "2025-12-29..2026-01-05"];
    assert_eq!(report(&ledger, &[&["--by", "country"], &chosen[..], &week].concat()), compared);
}

#[test]
fn days_are_compared_with_the_same_place_in_the_period_before() {
    let week = ["--since", "2026-01-09", "--until", "2026-01-11"];
    let compared = report(
        &two_weeks(),
        &[&["--by", "day", "--compare", "2026-01-02..2026-01-04"], &week[..]].concat(),
    );
    let rows: Vec<_> = compared["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["key"], row["messages"], row["compared"]["messages"]]))
        .collect();
    assert_eq!(rows, [json!(["2026-01-09", 3, 3]), json!(["2026-01-10", 1, 0])]);
}

#[test]
fn rows_of_error_codes_say_what_to_do_about_them() {
    let ledger = Ledger::with_events(&[
        at(0, failed(&sid(1), "30003")),
        at(0, failed(&sid(2), "30003")),
        at(0, failed(&sid(3), "30005")),
        at(0, failed(&sid(4), "30007")),
        at(0, delivered(&sid(5))),
    ]);
    let report = report(&ledger, &["--by", "error-code", "--sort", "messages", "--limit", "1"]);
    let row = &report["rows"][0];
    assert_eq!((&row["key"], &row["share_of_failures"]), (&json!("30003"), &json!(0.5)));
    assert_eq!(row["url"], "https://www.twilio.com/docs/api/errors/30003");
}

#[test]
fn a_country_and_the_first_digits_of_numbers_are_filters() {
    let ledger = two_weeks();
    let total = |arguments: &[&str]| {
        report(&ledger, &[&["--by", "month"], arguments].concat())["total"]["messages"].clone()
    };
    assert_eq!(total(&["--country", "de"]), 3);
    assert_eq!(total(&["--to", "+4*"]), 4);
    assert_eq!(total(&["--to", "+4474*"]), 1);
}
