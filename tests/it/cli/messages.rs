//! `messages`, and `audit` of a number or a tag.

use serde_json::Value;

use crate::support::events::{event, one_a_second, with_query};
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid};

/// Messages 1 to 3: order 17 to Germany, order 18 to Germany, order 19 to the United Kingdom.
fn ledger() -> Ledger {
    let to = |number: u32, to: &str| sent(&sid(number)).with("To", to);
    Ledger::with_events(&one_a_second([
        with_query(event(to(1, "+491711234567")), "order=17"),
        with_query(event(to(2, "whatsapp:+491711234567")), "order=18"),
        event(failed(&sid(2), "30003").with("To", "whatsapp:+491711234567")),
        with_query(event(delivered(&sid(3)).with("To", "+447400795454")), "order=19"),
    ]))
}

fn says(ledger: &Ledger, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = ledger.run(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn listed(ledger: &Ledger, arguments: &[&str]) -> Vec<Value> {
    let (code, stdout, stderr) =
        says(ledger, &[&["messages", "--format", "json"], arguments].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    let page: Value = serde_json::from_str(&stdout).unwrap();
    page["data"].as_array().unwrap().clone()
}

#[test]
fn messages_are_listed_newest_first_with_every_filter() {
    let ledger = ledger();
    let sids = |arguments: &[&str]| -> Vec<String> {
        let sid = |row: &Value| row["message_sid"].as_str().unwrap().to_owned();
        listed(&ledger, arguments).iter().map(sid).collect()
    };
    assert_eq!(sids(&[]), [sid(3), sid(2), sid(1)]);
    assert_eq!(sids(&["-n", "1"]), [sid(3)]);
    assert_eq!(sids(&["--tag", "order=17"]), [sid(1)]);
    assert_eq!(sids(&["--to", "0049 171 1234567"]), [sid(2), sid(1)]);
    assert_eq!(sids(&["--country", "GB"]), [sid(3)]);
    assert_eq!(sids(&["--status", "failed"]), [sid(2)]);
}

#[test]
fn a_table_has_a_line_for_each_message() {
    let (code, table, stderr) = says(&ledger(), &["messages", "--status", "failed"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert_eq!(
        table,
        format!(
            "\
first received at (UTC)      message                             status  to                      from          details
2026-01-02T03:04:06.000000Z  {}  failed  whatsapp:+491711234567  +15017250604  30003 Unreachable destination handset; order=18
",
            sid(2)
        )
    );
}

#[test]
fn a_list_continues_after_a_cursor() {
    let ledger = ledger();
    let (_, first, stderr) = says(&ledger, &["messages", "-n", "2", "--format", "csv"]);
    assert_eq!(first.lines().count(), 3);
    let cursor = stderr.strip_prefix("there are more: --after ").unwrap();
    let cursor = cursor.split(',').next().unwrap();
    let rest = listed(&ledger, &["-n", "2", "--after", cursor]);
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["message_sid"], sid(1));
    let (code, _, stderr) = says(&ledger, &["messages", "--after", "x"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: --after: `x` is not the next_cursor of an earlier page\n");
}

#[test]
fn nothing_found_says_what_was_searched_for() {
    let (code, stdout, stderr) = says(&ledger(), &["messages", "--to", "00491711111111"]);
    assert_eq!((code, &*stdout), (Some(0), ""));
    assert!(stderr.starts_with("no message found; searched for +491711111111"), "{stderr}");
}

#[test]
fn audit_shows_the_only_message_with_a_number_or_a_tag() {
    let ledger = ledger();
    for asked in ["order=19", "+44 7400 795454", "*5454"] {
        let (code, shown, stderr) = says(&ledger, &["audit", asked]);
        assert_eq!((code, &*stderr), (Some(0), ""), "{asked}");
        assert!(shown.starts_with(&format!("message  {}  delivered", sid(3))), "{asked}: {shown}");
    }
}

#[test]
fn audit_lists_several_messages_and_says_what_to_type_next() {
    let (code, shown, _) = says(&ledger(), &["audit", "+49 171 1234567"]);
    assert_eq!(code, Some(0));
    let next = format!(
        "2 messages. For one of them type its SID, for example:\n  delivery-ledger audit {}\n",
        sid(2)
    );
    assert!(shown.ends_with(&next), "{shown}");
}

#[test]
fn audit_of_what_no_message_has_is_not_found() {
    let ledger = ledger();
    for (asked, expected) in [
        ("order=99", "no message found; searched for order=99\n"),
        ("+49 171 1111111", "no message found; searched for +491711111111"),
        ("SMnone", "no event of message SMnone is in the log\n"),
    ] {
        let (code, stdout, stderr) = says(&ledger, &["audit", asked]);
        assert_eq!((code, &*stdout), (Some(4), ""), "{asked}");
        assert!(stderr.starts_with(expected), "{asked}: {stderr}");
    }
    for (asked, expected) in [
        ("ordre=17", "error: no message has a tag `ordre`; similar: order\n"),
        (
            "*454",
            "error: `*454` is not an address, * and at least four digits, or + and digits and *\n",
        ),
    ] {
        let (code, _, stderr) = says(&ledger, &["audit", asked]);
        assert_eq!((code, &*stderr), (Some(2), expected), "{asked}");
    }
}

#[test]
fn digits_that_no_short_code_has_may_be_the_end_of_a_number() {
    let hint = "no message found; searched for 5454; for numbers that end with these digits, write *5454\n";
    for command in [&["audit", "5454"][..], &["messages", "--to", "5454"]] {
        assert_eq!(says(&ledger(), command).2, hint, "{command:?}");
    }
}

#[test]
fn audit_as_of_a_time_before_the_first_event_says_so() {
    let (code, _, stderr) = says(&ledger(), &["audit", &sid(1), "--as-of", "2026-01-01"]);
    assert_eq!(code, Some(4));
    assert_eq!(stderr, format!("no event of message {} is in the log up to then\n", sid(1)));
}

#[test]
fn a_mistyped_filter_gets_a_suggestion() {
    let ledger = ledger();
    for (filter, expected) in [
        (["--status", "deliverd"], "failed, unknown; similar: delivered, undelivered\n"),
        (
            ["--country", "UK"],
            "`UK` is not the two-letter code of a country (ISO 3166-1), such as GB; the United Kingdom is GB\n",
        ),
        (["--country", "GBR"], "; similar: GB\n"),
    ] {
        let (code, _, stderr) = says(&ledger, &["messages", filter[0], filter[1]]);
        assert_eq!(code, Some(2), "{filter:?}: {stderr}");
        assert!(stderr.ends_with(expected), "{filter:?}: {stderr}");
    }
    assert_eq!(listed(&ledger, &["--channel", "WhatsApp"]).len(), 1);
    assert_eq!(listed(&ledger, &["--country", "gb"]).len(), 1);
}

// The log.

fn events(ledger: &Ledger, arguments: &[&str]) -> Vec<u64> {
    let (code, stdout, stderr) =
        says(ledger, &[&["events", "--format", "json"], arguments].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {stderr}");
    let page: Value = serde_json::from_str(&stdout).unwrap();
    page["data"].as_array().unwrap().iter().map(|row| row["position"].as_u64().unwrap()).collect()
}

#[test]
fn events_are_listed_newest_first_with_every_filter() {
    let ledger = ledger();
    for (arguments, expected) in [
        (&[][..], &[4, 3, 2, 1][..]),
        (&["-n", "2"], &[4, 3]),
        (&["-n", "2", "--before", "3"], &[2, 1]),
        (&["--status", "FAILED"], &[3]),
        (&["--error-code", "30003"], &[3]),
        (&["--tag", "order=17"], &[1]),
        (&["--to", "0049 171 1234567"], &[3, 2, 1]),
        (&["--message-sid", &sid(2)], &[3, 2]),
        (&["--source", "send"], &[]),
        (&["--simulated=false", "--since", "2026-01-02T03:04:07Z"], &[4, 3]),
    ] {
        assert_eq!(events(&ledger, arguments), expected, "{arguments:?}");
    }
}

#[test]
fn a_list_of_events_shows_their_effects() {
    let (code, table, stderr) = says(&ledger(), &["events", "-n", "1"]);
    assert_eq!(code, Some(0));
    assert!(table.contains("delivered"), "{table}");
    assert!(table.contains("advanced"), "{table}");
    assert_eq!(stderr, "there may be more: --before 4, or a greater --limit\n");
}

#[test]
fn a_list_of_no_events_says_what_was_searched_for() {
    let ledger = ledger();
    for (filter, expected) in [
        (["--to", "+49 171 1111111"], "; searched for +491711111111, +49 171 1111111"),
        (
            ["--to", "0171 1234567"],
            ", 0171 1234567; to find numbers without a calling code, set default_country, for example to GB",
        ),
        (["--tag", "ordre=17"], "; no message has a tag `ordre`; similar: order"),
        (["--status", "deliverd"], "; similar: delivered, undelivered"),
        (["--source", "send"], ""),
    ] {
        let (code, _, stderr) = says(&ledger, &["events", filter[0], filter[1]]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.starts_with("no event found"), "{stderr}");
        assert!(stderr.ends_with(&format!("{expected}\n")), "{filter:?}: {stderr}");
    }
}

#[test]
fn an_export_of_events_takes_the_filters_that_events_have() {
    let ledger = ledger();
    let lines = |arguments: &[&str]| {
        says(&ledger, &[&["export", "events"], arguments].concat()).1.lines().count()
    };
    assert_eq!(lines(&["--status", "failed"]), 1);
    assert_eq!(lines(&["--tag", "order=18"]), 1);
    assert_eq!(lines(&["--to", "+447400795454"]), 1);
    let (code, _, stderr) = says(&ledger, &["export", "events", "--late"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: --late: events cannot be filtered by this\n");
}
