//! Values that a spreadsheet changed: repaired if the original value is certain, otherwise rejected.

use serde_json::{Value, json};

use super::{Outcome, outcome};
use crate::support::{ACCOUNT, sid};

const HEADER: &str = "From,To,Status,SentDate,ApiVersion,NumSegments,ErrorCode,AccountSid,Sid,MessagingServiceSid,Price";

/// Imports a row with another value in one column.
fn cell(column: &str, value: &str) -> Outcome {
    let message = sid(1);
    let row = [
        "+15017250604",
        "+15558675310",
        "undelivered",
        "2023-08-24T05:01:45Z",
        "2010-04-01",
        "1",
        "30003",
        ACCOUNT,
        &message,
        "",
        "-0.0075",
    ];
    let at = HEADER.split(',').position(|name| name == column).unwrap();
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let row = row.iter().enumerate().map(|(n, cell)| quoted(if n == at { value } else { cell }));
    outcome(format!("{HEADER}\n{}\n", row.collect::<Vec<_>>().join(",")))
}

/// Imports a JSON record with another value of one member.
fn member(name: &str, value: &Value) -> Outcome {
    let mut record = json!({
        "from": "+15017250604", "to": "+15558675310", "status": "undelivered",
        "date_sent": "2023-08-24T05:01:45Z", "api_version": "2010-04-01", "num_segments": "1",
        "error_code": 30003, "account_sid": ACCOUNT, "sid": sid(1),
    });
    record[name] = value.clone();
    outcome(format!("{record}\n"))
}

const COLUMNS: [(&str, &str); 9] = [
    ("To", "to"),
    ("From", "from"),
    ("Status", "status"),
    ("SentDate", "date_sent"),
    ("ApiVersion", "api_version"),
    ("NumSegments", "num_segments"),
    ("ErrorCode", "error_code"),
    ("AccountSid", "account_sid"),
    ("Sid", "sid"),
];

#[test]
fn a_damaged_value_is_rejected_with_its_line_and_column() {
    let addresses = [
        "1.55587E+10",
        "1,55587E+10",
        "1.6E10",
        "15558675310",
        "5558675310",
        "15558675310.0",
        "-15558675310",
        "+1 555 867 5310",
        "(555) 867-5310",
        "+15558675310.0",
        "+1555867531000000",
        "#REF!",
        "#NAME?",
        "#n/a",
        "Err:502",
        "########",
        "TRUE",
        "false",
        "NaN",
        "None",
        "+*******5310",
        "whatsapp:+*******5310",
        "whatsapp:1.55587E+10",
        "+91848951XXXX",
    ];
    let dates = [
        "45162.2",
        "45162,209549",
        "45162",
        "4.51622E+04",
        "24.08.2023 05:01",
        "8/24/2023 5:01",
        "24-Aug-23",
        "Aug-23",
        "01:45.0",
        "2023-13-24T05:01:45Z",
        "0000-01-01T00:00:00Z",
        "1899-12-30",
        "Fri, 01 Jan 1904 00:00:00 +0000",
        "23:59:59 UTC 2007-12-31",
        "2026-06-02T00:00:01Z",
        "9999-12-31T23:59:59Z",
        "Aug 24 2093 05:01:45 GMT-0700",
        "#####",
    ];
    let cases: [(&str, &[&str]); 8] = [
        ("To", &addresses),
        ("From", &addresses),
        ("SentDate", &dates),
        (
            "ErrorCode",
            &["30003.0", "3.0003E+04", "30,003", "none", "n/a", "-1", "1234567890", "TRUE", "#N/A"],
        ),
        ("NumSegments", &["1.0", "1E+00", "one", "TRUE", "-1"]),
        ("Status", &["Zugestellt", "TRUE", "#NAME?", "delivrd", "1", "0.5"]),
        (
            "Sid",
            &[
                "SM1",
                "SM0000000000000000000000000000001",
                "XX00000000000000000000000000000001",
                "1.2E+32",
            ],
        ),
        ("AccountSid", &["AC1", "SM00000000000000000000000000000001", "0"]),
    ];
    for (column, values) in cases {
        let (_, name) = COLUMNS.iter().find(|(of_table, _)| *of_table == column).unwrap();
        let number = 1 + HEADER.split(',').position(|name| name == column).unwrap();
        for value in values {
            let refusals = cell(column, value).refusals;
            let place = format!("2: column {number} (`{column}`), `{value}`: ");
            assert!(refusals.len() == 1 && refusals[0].starts_with(&place), "{refusals:?}");

            let refusals = member(name, &json!(value)).refusals;
            let place = format!("1: `{name}`, `{value}`: ");
            assert!(refusals.len() == 1 && refusals[0].starts_with(&place), "{refusals:?}");
        }
    }
}

#[test]
fn a_json_value_of_the_wrong_type_is_rejected() {
    let cases = [
        ("to", json!(15_558_675_310_u64)),
        ("to", json!(true)),
        ("from", json!(["+1"])),
        ("error_code", json!(30003.5)),
        ("error_code", json!(true)),
        ("num_segments", json!(1.0)),
        ("date_sent", json!(45162.2)),
        ("status", json!(1)),
        ("sid", json!(1)),
    ];
    for (name, value) in cases {
        let refusals = member(name, &value).refusals;
        let place = format!("1: `{name}`, `{value}`: ");
        assert!(refusals[0].starts_with(&place.replace('"', "\\\"")), "{refusals:?}");
    }
}

#[test]
fn an_unambiguous_value_is_repaired_and_the_repair_is_noted() {
    let to = "+15558675310";
    let cases = [
        ("To", "'+15558675310", to, "to: an apostrophe before it"),
        ("To", "=\"+15558675310\"", to, "to: a formula around it"),
        ("To", "=+15558675310", to, "to: a formula around it"),
        ("To", "\u{a0} +15558675310\u{200e}", to, "to: blanks around it"),
        ("To", "\u{202a}+15558675310\u{202c}", to, "to: blanks around it"),
        ("To", "\u{feff}'+15558675310 ", to, "to: blanks around it, an apostrophe before it"),
        ("To", "\"+15558675310\"", to, "to: quotes around it"),
        ("ErrorCode", "'30003", "30003", "error_code: an apostrophe before it"),
        (
            "Status",
            "Partially delivered",
            "partially_delivered",
            "status: a blank for its underscore",
        ),
        ("Status", " undelivered\t", "undelivered", "status: blanks around it"),
        ("ApiVersion", "01.04.2010", "2010-04-01", "api_version: a spreadsheet's date"),
        ("ApiVersion", "4/1/2010", "2010-04-01", "api_version: a spreadsheet's date"),
        ("ApiVersion", "40269", "2010-04-01", "api_version: a spreadsheet's date"),
    ];
    for (column, value, expected, note) in cases {
        let (_, name) = COLUMNS.iter().find(|(of_table, _)| *of_table == column).unwrap();
        for outcome in [cell(column, value), member(name, &json!(value))] {
            assert_eq!(outcome.body()[*name], expected, "{value}");
            assert_eq!(outcome.repaired(), Some(note), "{value}");
        }
    }
    let price = cell("Price", "-0,0075");
    assert_eq!(
        (&price.body()["Price"], price.repaired()),
        (&json!("-0.0075"), Some("Price: a decimal comma"))
    );
    // Placeholders that programs write for a missing value count as missing.
    let none = cell("ErrorCode", "null");
    assert_eq!((&none.body()["error_code"], none.refusals.len()), (&Value::Null, 0));
}

#[test]
fn a_sid_in_the_wrong_letter_case_is_repaired() {
    const DIGITS: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let message = format!("MM{DIGITS}");
    let cases = [
        ("Sid", format!("MM{}", DIGITS.to_uppercase()), &message),
        ("Sid", message.to_lowercase(), &message),
        ("Sid", "mM0A1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned(), &message),
        ("AccountSid", format!("ac{DIGITS}"), &format!("AC{DIGITS}")),
        ("MessagingServiceSid", format!("mg{DIGITS}").to_uppercase(), &format!("MG{DIGITS}")),
    ];
    for (column, value, expected) in cases {
        let outcome = cell(column, &value);
        let name = match column {
            "Sid" => "sid",
            "AccountSid" => "account_sid",
            _ => "messaging_service_sid",
        };
        assert_eq!(outcome.body()[name], **expected, "{value}");
        let note = format!("{name}: its letters in the other case");
        assert_eq!(outcome.repaired(), Some(&*note), "{value}");
        assert_eq!(member(name, &json!(value)).body()[name], **expected, "{value}");
    }
}

#[test]
fn values_as_twilio_writes_them_are_not_changed() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "To",
            &[
                "+1",
                "22395",
                "04001234",
                "whatsapp:+15558675310",
                "rcs:acme_agent",
                "messenger:1234567890123",
                "ACME Inc",
                "E2E",
                "whatsapp:US.1234",
            ],
        ),
        ("Status", &["delivered", "Delivered", "READ", "partially_delivered"]),
        (
            "SentDate",
            &[
                "2023-08-24T05:01:45Z",
                "2023-08-24T05:01:45.000Z",
                "2023-08-24 05:01:45 UTC",
                "2023-08-24",
                "2023-08-24T05:01-0730",
                "2008-01-01",
                "2026-06-02T02:00:00+02:00",
                "Thu, 24 Aug 2023 05:01:45 +0000",
                "05:01:45 UTC 2023-08-24",
                "Thu Aug 24 2023 05:01:45 GMT+0000 (Coordinated Universal Time)",
                "Aug 24 2023 05:01:45 GMT-0700",
            ],
        ),
        ("ErrorCode", &["0", "30003"]),
        ("NumSegments", &["0", "12"]),
    ];
    for (column, values) in cases {
        let (_, name) = COLUMNS.iter().find(|(of_table, _)| *of_table == column).unwrap();
        for value in values {
            for outcome in [cell(column, value), member(name, &json!(value))] {
                assert_eq!(outcome.body()[*name], *value);
                assert_eq!(outcome.repaired(), None, "{value}");
            }
        }
    }
    for column in ["To", "From", "SentDate", "ErrorCode", "NumSegments", "MessagingServiceSid"] {
        assert_eq!(cell(column, " ").counts.appended, 1, "{column}");
    }
}

#[test]
fn an_inbound_message_is_counted_whatever_its_direction_is_called() {
    let counts = |direction: &str, status: &str| {
        let row = format!("{},{ACCOUNT},{status},{direction}", sid(1));
        let counts = outcome(format!("Sid,AccountSid,Status,Direction\n{row}\n")).counts;
        let record = json!({ "sid": sid(1), "account_sid": ACCOUNT, "status": status, "direction": direction });
        assert_eq!(outcome(record.to_string()).counts, counts);
        (counts.appended, counts.inbound)
    };
    for direction in ["inbound", "Incoming", "outbound-api", "Outgoing API", "new", ""] {
        assert_eq!(counts(direction, "received"), (0, 1), "{direction}");
        assert_eq!(counts(direction, "Receiving "), (0, 1), "{direction}");
    }
    assert_eq!(counts("Inbound", "delivered"), (0, 1));
    assert_eq!(counts(" incoming", "delivered"), (0, 1));
    for direction in ["outbound-api", "Outgoing API", "Outgoing Reply", "new", ""] {
        assert_eq!(counts(direction, "Delivered"), (1, 0), "{direction}");
    }
}
