//! Importing tables as programs write them: delimiters, encodings, and lines that are not rows.

use serde_json::json;

use super::{file, imported, outcome, statuses};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, sid};

fn table() -> String {
    let row = |number| format!("{},{ACCOUNT},delivered,\"Müller, Köln\"", sid(number));
    format!("Sid,AccountSid,Status,Campaign\n{}\n{}\n", row(1), row(2))
}

/// The imported rows with the lines they come from.
fn lines(content: impl AsRef<[u8]>) -> Vec<String> {
    let outcome = outcome(content);
    assert_eq!(outcome.refusals, [""; 0]);
    outcome.events.iter().map(|event| event.notes["origin_line"].clone()).collect()
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn the_delimiter_is_detected_from_the_header() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = table().replace("\"Müller, Köln\"", "M").replace(',', delimiter);
        assert_eq!(lines(&text), ["2", "3"], "{delimiter:?}");
        assert_eq!(lines(format!("sep={delimiter}\r\n{}", text.replace('\n', "\r\n"))), ["3", "4"]);
        assert_eq!(lines(format!("\u{feff}\"sep={delimiter}\"\n{text}")), ["3", "4"]);
    }
    // A delimiter that cannot be guessed, but is declared.
    let text = table().replace("\"Müller, Köln\"", "M").replace(',', "^");
    assert_eq!(lines(format!("sep=^\n{text}")), ["3", "4"]);
}

#[test]
fn utf_16_is_read_with_or_without_a_byte_order_mark_and_other_encodings_are_rejected_by_name() {
    let text = table();
    let campaign = |content: Vec<u8>| {
        let outcome = outcome(content);
        let body = String::from_utf8(outcome.events[0].body.clone()).unwrap();
        assert!(body.contains("\"Campaign\":\"Müller, Köln\""), "{body}");
        outcome.counts.appended
    };
    let marked = format!("\u{feff}{text}");
    for bytes in [
        text.clone().into_bytes(),
        marked.clone().into_bytes(),
        utf16(&text, u16::to_le_bytes),
        utf16(&text, u16::to_be_bytes),
        utf16(&marked, u16::to_le_bytes),
        utf16(&marked, u16::to_be_bytes),
    ] {
        assert_eq!(campaign(bytes), 2);
    }

    let record = json!({ "sid": sid(1), "account_sid": ACCOUNT, "status": "sent" }).to_string();
    assert_eq!(lines(utf16(&record, u16::to_le_bytes)), ["1"]);

    let mut cut = utf16(&text, u16::to_le_bytes);
    cut.pop();
    assert!(outcome(cut).refusals[0].ends_with("the UTF-16 text is damaged or cut off here"));
    let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let refusals = outcome(latin).refusals;
    assert!(
        refusals[0]
            .starts_with("2: column 4 (`Campaign`): it is not UTF-8, but perhaps Windows-1252")
    );
    let utf32: Vec<u8> = marked.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert_eq!(outcome(utf32).refusals, ["this is UTF-32: save it as UTF-8"]);
}

#[test]
fn blank_lines_repeated_headers_and_footers_are_skipped() {
    let (header, rows) =
        { table() }.split_once('\n').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (first, second) = rows.trim_end().split_once('\n').unwrap();
    let cases: [(String, [&str; 2]); 12] = [
        (format!("{header}\n{first}\n{second}"), ["2", "3"]),
        (format!("{header}\n{first}\n{second}\n\n"), ["2", "3"]),
        (format!("{header}\r\n{first}\r\n{second}\r\n\r\n"), ["2", "3"]),
        (format!("{header}\n{first}\n{second}\n   \n\t\n"), ["2", "3"]),
        (format!("\n\n{header}\n\n{first}\n\n{second}"), ["5", "7"]),
        (format!("{header}\n,,,\n{first}\n , ,,\n{second}\n,,,\n"), ["3", "5"]),
        (format!("{header},\n{first},\n{second},\n"), ["2", "3"]),
        (format!("{header}\n{first},\n{second},,\n"), ["2", "3"]),
        (format!("{header}\n{first}\n{header}\n{second}\n"), ["2", "4"]),
        (format!("{header}\n{first}\n\u{feff}{header}\n{second}\n"), ["2", "4"]),
        (format!("{header}\n{first}\n{second}\nTotal: 2\n"), ["2", "3"]),
        (format!("{header}\n{first}\n{second}\n\n(2 rows)\n,,,Total\n"), ["2", "3"]),
    ];
    for (content, expected) in cases {
        assert_eq!(lines(&content), expected, "{content}");
    }
    // The index column of a data frame has no name.
    assert_eq!(lines(format!(",{header}\n0,{first}\n1,{second}\n")), ["2", "3"]);
}

#[test]
fn a_truncated_or_shifted_row_is_rejected_even_if_it_looks_like_a_footer() {
    let text = table();
    for (cut, expected) in [
        (format!("{text}{}", sid(3)), "4: 1 columns where the header has 4"),
        (format!("{text}Totally,{ACCOUNT}\n"), "4: 2 columns where the header has 4"),
        (
            format!("{text}{},{ACCOUNT},sent,x,y\n", sid(3)),
            "4: column 5: there is a value, and the header has no name for it",
        ),
    ] {
        assert_eq!(outcome(cut).refusals, [expected]);
    }
}

#[test]
fn json_and_tsv_of_twilios_cli_are_accepted_and_its_column_layout_is_rejected_by_name() {
    let message = json!({
        "accountSid": ACCOUNT, "body": "Hi", "dateCreated": "2023-08-24T05:01:45.000Z", "errorCode": 30003,
        "numSegments": "1", "messagingServiceSid": null, "from": "+15017250604", "sid": sid(1),
        "status": "failed", "to": "+15558675310",
    });
    let expected = json!({
        "account_sid": ACCOUNT, "date_created": "2023-08-24T05:01:45.000Z", "error_code": 30003,
        "num_segments": "1", "messaging_service_sid": null, "from": "+15017250604", "sid": sid(1),
        "status": "failed", "to": "+15558675310",
    });
    for text in [json!([message]).to_string(), format!("{message:#}"), message.to_string()] {
        assert_eq!(outcome(text).body(), expected);
    }

    let ledger = Ledger::new();
    let tsv = format!(
        "sid\tfrom\tto\tstatus\tdirection\tdateSent\n{}\t+15017250604\t+15558675310\tdelivered\toutbound-api\tAug 24 2023 05:01:45 GMT+0000\n",
        sid(1)
    );
    let path = file(&ledger, "list.tsv", tsv);
    assert_eq!(imported(&ledger, &["--account-sid", ACCOUNT, &path]), [1, 0, 0, 0]);
    assert_eq!(statuses(&ledger), [(sid(1), "delivered".to_owned())]);

    let columns = format!(
        "SID                                 From          Status\n{}  +15017250604  sent\n",
        sid(1)
    );
    let refusals = outcome(columns).refusals;
    assert!(
        refusals[0].starts_with("this is a table for people, as Twilio's command line prints it"),
        "{refusals:?}"
    );
}

#[test]
fn binary_files_are_recognised_and_rejected_with_advice() {
    let zip = |name: &str| [b"PK\x03\x04\x14\0\0\0\x08\0".as_slice(), name.as_bytes()].concat();
    for (content, expected) in [
        (zip("[Content_Types].xml"), "this is an Excel workbook (.xlsx)"),
        (
            zip("mimetypeapplication/vnd.oasis.opendocument.spreadsheet"),
            "this is an OpenDocument spreadsheet",
        ),
        (zip("log.csv"), "this is a zip archive: unpack it"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec(), "this is an old Excel workbook (.xls)"),
        (b"%PDF-1.7".to_vec(), "this is a PDF"),
        (b"\n<!DOCTYPE html><html>".to_vec(), "this is a page of the web (HTML)"),
        (b"<?xml version='1.0'?><TwilioResponse>".to_vec(), "this is XML"),
        (b"SQLite format 3\0".to_vec(), "this is a SQLite database"),
        (b"\x28\xb5\x2f\xfd".to_vec(), "this is compressed by zstd"),
        (
            b"{\"code\":20003,\"message\":\"x\",\"more_info\":\"y\"}".to_vec(),
            "this is an error of Twilio's API",
        ),
    ] {
        for format in [None, Some(delivery_ledger::import::ImportFormat::Csv)] {
            let refusals = super::outcome_as(format, &content).refusals;
            let is_json = content.starts_with(b"{");
            assert!(
                is_json && format.is_some() || refusals[0].starts_with(expected),
                "{refusals:?}"
            );
        }
    }
}
