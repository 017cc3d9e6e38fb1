//! Segments, prices, carriers, clicks, feedback and Twilio's clock in reports, by example.

use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use serde_json::{Value, json};

use super::{EPOCH, at};
use crate::support::events::{event, headers, resource};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, App, delivered, failed, sent, sid};

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Safari/604.1";

/// The event so many milliseconds after [`EPOCH`].
fn later(ms: i64, event: NewEvent) -> NewEvent {
    let epoch = Timestamp::parse(EPOCH).unwrap().micros();
    NewEvent { received_at: Timestamp::from_micros(epoch + ms * 1000), ..event }
}

fn cloud_event(kind: &str, data: &Value) -> NewEvent {
    let id = format!("EZ{kind}{}", data["timestamp"]);
    let body = json!({ "specversion": "1.0", "type": kind, "source": "/", "id": id, "data": data });
    NewEvent {
        headers: headers(&[("content-type", "application/json")]),
        ..event(body.to_string())
    }
}

/// A CloudEvent that a message reached a status, carried by T-Mobile.
fn stream(message: u32, status: &str, timestamp: &str, segments: u32) -> NewEvent {
    let data = json!({
        "accountSid": ACCOUNT, "messageSid": sid(message), "messageStatus": status.to_uppercase(),
        "to": "+14155552671", "timestamp": timestamp, "numberOfSegments": segments,
        "mcc": "310", "mnc": "260",
    });
    cloud_event(&format!("com.twilio.messaging.message.{status}"), &data)
}

fn click(message: u32, agent: &str) -> NewEvent {
    let data = json!({ "account_sid": ACCOUNT, "message_sid": sid(message), "user_agent": agent,
        "click_time": "2025-12-31T23:30:00Z", "link": "https://example.com/" });
    cloud_event("com.twilio.daptbt.link-shortening.link-clicked", &data)
}

fn priced(message: u32, price: &str, unit: &str) -> NewEvent {
    let record = json!({ "account_sid": ACCOUNT, "sid": sid(message), "status": "delivered",
        "price": price, "price_unit": unit });
    resource(Source::Reconcile, record)
}

fn feedback(message: u32, outcome: &str) -> NewEvent {
    let answer = json!({ "account_sid": ACCOUNT, "message_sid": sid(message), "outcome": outcome });
    let url = format!("https://api.twilio.com/2010-04-01/Messages/{}/Feedback.json", sid(message));
    NewEvent { url, ..resource(Source::Send, answer) }
}

/// Four messages of the last evening of 2025, and one of which Twilio said nothing.
fn events() -> Vec<NewEvent> {
    let events = [
        stream(1, "sent", "2025-12-31T23:00:00Z", 2),
        stream(1, "delivered", "2025-12-31T23:00:04Z", 2),
        priced(1, "-0.0079", "USD"),
        click(1, IPHONE),
        feedback(1, "confirmed"),
        stream(2, "sent", "2025-12-31T23:10:00Z", 1),
        stream(2, "delivered", "2025-12-31T23:10:08Z", 1),
        priced(2, "-0.0079", "USD"),
        click(2, "facebookexternalhit/1.1"),
        feedback(2, "unconfirmed"),
        stream(3, "sent", "2025-12-31T23:20:00Z", 3),
        priced(3, "-0.05", "EUR"),
        // It failed, and the recipient entered the code all the same.
        stream(4, "failed", "2025-12-31T23:30:00Z", 1),
        feedback(4, "confirmed"),
        click(4, IPHONE),
        at(0, sent(&sid(5)).with("To", "+14155552671")),
    ];
    (0..).zip(events).map(|(second, event)| later(second * 1000, event)).collect()
}

fn says(ledger: &Ledger, arguments: &[&str]) -> String {
    let output = ledger.run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn report(ledger: &Ledger, arguments: &[&str]) -> Value {
    let arguments = [&["report", "--format", "json", "--by"], arguments].concat();
    serde_json::from_str(&says(ledger, &arguments)).unwrap()
}

#[test]
fn sums_rates_and_counts_are_of_what_is_known() {
    let ledger = Ledger::with_events(&events());
    let made = report(&ledger, &["carrier"]);
    let keys: Vec<_> = made["rows"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, [&json!("T-Mobile"), &Value::Null]);
    let expected = json!({
        "segments": 7, "segments_known": 4,
        "prices": { "EUR": "-0.05", "USD": "-0.0158" }, "priced": 3,
        // The click on a failed message is a click, but its message does not count as clicked.
        "clicks": 2, "clicked": 1, "click_rate": 1.0 / 3.0,
        "feedback_confirmed": 2, "feedback_unconfirmed": 1, "feedback_unknown": 2,
        // Four were sent, of which one is confirmed.
        "conversion_rate": 0.25,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&made["total"][name], value, "{name}");
    }
}

#[test]
fn by_twilios_clock_messages_count_when_they_happened() {
    let ledger = Ledger::with_events(&events());
    let days = |arguments: &[&str]| {
        let made = report(&ledger, &[&["day"], arguments].concat());
        let rows = made["rows"].as_array().unwrap().iter();
        let rows: Vec<_> = rows.map(|row| format!("{} {}", row["key"], row["messages"])).collect();
        (rows.join(", "), made["clock"].clone(), made["clock_known"].clone())
    };
    let of = |rows: &str, clock: &str, known: i64| (rows.to_owned(), json!(clock), json!(known));
    assert_eq!(days(&[]), of(r#""2026-01-02" 5"#, "ledger", 5));
    let twilio = ["--clock", "twilio"];
    assert_eq!(days(&twilio), of(r#""2025-12-31" 4, "2026-01-02" 1"#, "twilio", 4));
    let until = ["--clock", "twilio", "--until", "2025-12-31T23:20:00Z"];
    assert_eq!(days(&until), of(r#""2025-12-31" 2"#, "twilio", 2));
    let berlin = ["--clock", "twilio", "--time-zone", "Europe/Berlin", "--since", "2026-01-01"];
    assert_eq!(days(&berlin), of(r#""2026-01-01" 4, "2026-01-02" 1"#, "twilio", 4));
    let made = report(&ledger, &["day", "--clock", "twilio", "--until", "2026-01-01"]);
    let times = &made["total"]["sent_to_delivered_ms"];
    assert_eq!(
        *times,
        json!({ "known": 2, "unknown": 2, "negative": 0, "p50": 4032, "p95": 8064, "p99": 8064 })
    );
}

#[test]
fn the_table_has_columns_for_what_is_known_and_says_whose_the_times_are() {
    let ledger = Ledger::with_events(&events());
    let table = says(&ledger, &["report", "--by", "country", "--clock", "twilio"]);
    assert_eq!(
        table,
        "\
country  messages  reached  failed  open  conflict  delivery  read  sent p50  p95  delivered p50   p95  segments                   price  clicked  converted
US              5        3       1     1         0     75.0%     -         -    -           4.0s  8.1s         7  -0.05 EUR, -0.0158 USD    33.3%      25.0%
total           5        3       1     1         0     75.0%     -         -    -           4.0s  8.1s         7  -0.05 EUR, -0.0158 USD    33.3%      25.0%

Messages by country, times in UTC, rule failure-terminal, as of position 16.
Times are Twilio's for 4 of 5 messages, and the arrival's for the others.
sent: from the first event before `sent` to the first `sent`; delivered: from there to the first `delivered`; if both are known.
segments: known of 4 of 5 messages; price: of 3 of 5; clicked: of those delivered or read; converted: confirmed, of those sent; 1 unconfirmed, 2 unknown.
"
    );
}

#[test]
fn csv_has_them_at_its_end_and_prices_in_one_cell() {
    let ledger = Ledger::with_events(&events());
    let lines = |arguments: &[&str]| -> Vec<Vec<String>> {
        let csv =
            says(&ledger, &[&["report", "--format", "csv", "--by", "country"], arguments].concat());
        let cells = |line: &str| line.split(',').map(str::to_owned).collect();
        csv.split_terminator("\r\n").map(cells).collect()
    };
    let plain = lines(&[]);
    let details = plain[0].len() - 11;
    assert_eq!(
        plain[0][details - 1..details + 3],
        ["duplicate", "segments", "segments_known", "prices"]
    );
    assert_eq!(
        plain[1][details..],
        [
            "7",
            "4",
            "EUR=-0.05 USD=-0.0158",
            "3",
            "2",
            "1",
            "0.3333333333333333",
            "2",
            "1",
            "2",
            "0.25"
        ]
    );
    // Nothing before them moves in a report that is compared.
    let period = ["--since", "2026-01-02", "--compare", "previous"];
    let compared = lines(&period);
    assert!(compared.iter().all(|line| line.len() == compared[0].len()));
    let end = compared[0].len() - 33;
    assert_eq!(compared[0][end], "segments");
    assert_eq!(compared[0][end + 11], "compared_segments");
    assert_eq!(compared[1][end + 24], "EUR=-0.05 USD=-0.0158", "{:?}", compared[0][end + 24]);
    assert_eq!(compared[0][end + 24], "prices_difference");
}

#[test]
fn rows_are_sorted_by_conversion() {
    let ledger = Ledger::with_events(&events());
    let made = report(&ledger, &["carrier", "--sort", "conversion-rate:asc"]);
    assert_eq!(made["rows"][0]["key"], Value::Null);
    assert_eq!(made["rows"][0]["conversion_rate"], 0.0);
}

#[test]
fn a_report_without_details_looks_as_before() {
    let ledger = Ledger::with_events(&[at(0, delivered(&sid(1))), at(0, failed(&sid(2), "30003"))]);
    let table = says(&ledger, &["report", "--by", "country"]);
    for word in ["segments", "price", "clicked", "converted", "Twilio"] {
        assert!(!table.contains(word), "{table}");
    }
}

#[test]
fn imported_records_are_reported_at_twilios_dates() {
    for file in ["page.json", "bulkexport.ndjson", "console.csv"] {
        let ledger = Ledger::new();
        let path = format!("{}/tests/data/import/{file}", env!("CARGO_MANIFEST_DIR"));
        says(&ledger, &["import", &path]);
        let arguments = ["month", "--since", "2023-08-01", "--until", "2023-09-01"];
        assert_eq!(report(&ledger, &arguments)["total"]["messages"], 0, "{file}");
        let made = report(&ledger, &[&arguments[..], &["--clock", "twilio"]].concat());
        let rows = made["rows"].as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["key"]), (1, &json!("2023-08")), "{file}");
        assert_eq!(rows[0]["messages"], made["clock_known"], "{file}");
        assert!(rows[0]["messages"].as_i64().unwrap() > 0, "{file}");
    }
}

#[test]
fn the_api_takes_the_clock_and_names_what_would_be_right() {
    let app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    let path = |clock: &str| format!("/v1/reports/delivery?by=day&clock={clock}");
    let made = app.get(&path("twilio")).json();
    assert_eq!((&made["clock"], &made["clock_known"]), (&json!("twilio"), &json!(0)));
    let answer = app.get(&path("carrier"));
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert_eq!(
        (answer.code, detail.as_str()),
        (400, "clock `carrier` is not `ledger` or `twilio`")
    );
}
