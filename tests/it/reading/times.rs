//! Times as people write them, in lists, exports, reports and the quarantine.

use std::process::Output;

use serde_json::json;

use crate::support::clock::Clock;
use crate::support::{App, sent, sid};

const BERLIN: &[(&str, &str)] = &[("DELIVERY_LEDGER_TIME_ZONE", "Europe/Berlin")];

/// A message that has just arrived.
fn app(environment: &[(&str, &str)]) -> App {
    let app = App::start_with_env(environment, &[]);
    app.receive(sent(&sid(1)));
    app.caught_up();
    app
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_period_can_be_written_in_many_ways() {
    let app = app(BERLIN);
    for (query, expected) in [
        ("since=24h", 1),
        ("since=1h%20ago", 1),
        ("since=1h+ago", 1),
        ("since=2w&until=now", 1),
        ("since=yesterday", 1),
        ("until=yesterday", 0),
        ("until=24h", 0),
        ("since=2026-01-01T10:00&until=2026-01-02+10:00", 0),
        ("since=2026-01-01T10:00:00+01:00&until=7d", 0),
        ("since=24h&time_zone=asia/kathmandu", 1),
    ] {
        let list = app.get(&format!("/v1/messages?{query}"));
        assert_eq!(list.code, 200, "{query}: {}", list.json());
        assert_eq!(list.json()["data"].as_array().unwrap().len(), expected, "{query}");
        let export = app.get(&format!("/v1/exports/events?{query}"));
        assert_eq!(export.body.iter().filter(|byte| **byte == b'\n').count(), expected, "{query}");
        let report = app.get(&format!("/v1/reports/delivery?by=day&{query}")).json();
        assert_eq!(report["total"]["messages"], expected, "{query}");
    }
    for (flags, expected) in [
        (&["--since=24h"][..], 1),
        (&["--since", "2 w"], 9),
        (&["--until=1h ago"], 0),
        (&["--since=yesterday", "--time-zone=Pacific/Chatham"], 1),
    ] {
        let export = app.run(&[&["export", "messages"], flags].concat());
        let lines = export.stdout.iter().filter(|byte| **byte == b'\n').count();
        match expected {
            9 => assert!(stderr(&export).contains("--since: `2 w` is not a time"), "{flags:?}"),
            expected => assert_eq!(lines, expected, "{flags:?}: {}", stderr(&export)),
        }
    }
}

#[test]
fn days_are_those_of_the_time_zone_of_the_query_or_else_of_the_settings() {
    let app = app(BERLIN);
    let since = |query: &str| app.get(&format!("/v1/reports/delivery?by=day&{query}")).json();
    let day = "since=2026-10-25";
    for (query, expected) in [
        ("", "2026-10-24T22:00:00.000000Z"),
        ("&time_zone=UTC", "2026-10-25T00:00:00.000000Z"),
        ("&time_zone=Asia/Kolkata", "2026-10-24T18:30:00.000000Z"),
        ("&time_zone=Asia/Kathmandu", "2026-10-24T18:15:00.000000Z"),
        ("&time_zone=Pacific/Chatham", "2026-10-24T10:15:00.000000Z"),
    ] {
        assert_eq!(since(&format!("{day}{query}"))["since"], expected, "{query}");
    }
    let report = ["report", "--by=day", "--format=json", "--since=2026-03-30"];
    let zoned = [&report[..], &["--time-zone", "UTC"]].concat();
    assert_eq!(app.json(&report)["since"], "2026-03-29T22:00:00.000000Z");
    assert_eq!(app.json(&zoned)["since"], "2026-03-30T00:00:00.000000Z");
}

#[test]
fn an_unknown_time_zone_is_an_error_with_suggestions() {
    let app = app(&[]);
    let expected = "`Europe/Berlim` is not a time zone, such as Europe/Berlin or UTC; similar: \
                    Europe/Berlin";
    let answer = app.get("/v1/messages?time_zone=Europe/Berlim");
    assert_eq!(answer.code, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains(expected), "{}", answer.json());
    for command in [
        &["export", "messages"][..],
        &["report", "--by=day"],
        &["quarantine", "purge", "--before=7d"],
    ] {
        let output = app.run(&[command, &["--time-zone=Europe/Berlim"]].concat());
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let said = stderr(&output);
        assert!(said.contains("--time-zone: ") && said.contains(expected), "{command:?}: {said}");
    }
}

#[test]
fn a_period_that_ends_before_it_begins_says_what_to_do() {
    let app = app(&[]);
    let expected = "exchange the two, or change one";
    let answer = app.get("/v1/messages?since=24h&until=7d");
    assert_eq!(answer.code, 409);
    assert!(answer.json()["detail"].as_str().unwrap().contains(expected), "{}", answer.json());
    let output = app.run(&["export", "events", "--since=24h", "--until=7d"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
}

#[test]
fn a_message_is_shown_as_of_a_time() {
    let app = app(BERLIN);
    let audit = |as_of: &str| app.run(&["audit", &sid(1), "--format=json", "--as-of", as_of]);
    assert_eq!(audit("now").status.code(), Some(0));
    assert_eq!(audit("1h").status.code(), Some(4));
    assert_eq!(audit("2026-01-01 10:00").status.code(), Some(4));
    let bad = audit("tomorrow");
    assert_eq!(bad.status.code(), Some(2));
    assert!(stderr(&bad).contains("--as-of: `tomorrow` is not a time"), "{}", stderr(&bad));
    let of_api = |as_of: &str| app.get(&format!("/v1/messages/{}?as_of={as_of}", sid(1))).code;
    assert_eq!([of_api("now"), of_api("1h"), of_api("yesterday")], [200, 404, 404]);
}

#[test]
fn what_is_older_than_a_length_of_time_can_be_purged() {
    let app = app(&[]);
    let purged = app.run(&["quarantine", "purge", "--before", "30d"]);
    assert_eq!(String::from_utf8(purged.stdout).unwrap(), "0 removed\n");
}

#[test]
fn a_report_counts_the_days_of_the_time_zone() {
    let app = app(BERLIN);
    let zone = |query: &str| {
        app.get(&format!("/v1/reports/delivery?by=day{query}")).json()["time_zone"].clone()
    };
    assert_eq!(zone(""), "Europe/Berlin");
    assert_eq!(zone("&time_zone=asia/kathmandu"), "Asia/Kathmandu");
    let report = ["report", "--by=day", "--format=json"];
    assert_eq!(app.json(&report)["time_zone"], "Europe/Berlin");
    let zoned = [&report[..], &["--time-zone=Asia/Kolkata"]].concat();
    assert_eq!(app.json(&zoned)["time_zone"], "Asia/Kolkata");
}

#[test]
fn a_relative_time_is_the_same_on_every_page() {
    let clock = Clock::start();
    let app = &clock.app;
    app.receive(sent(&sid(1)));
    app.receive(sent(&sid(2)));
    app.caught_up();
    let page = |rest: &str| app.get(&format!("/v1/messages?since=1h&limit=1{rest}")).json();
    let first = page("");
    assert_eq!(first["data"][0]["message_sid"], sid(2));

    clock.set("+2h");

    assert_eq!(page("")["data"], json!([]), "both messages are older than an hour now");
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = page(&format!("&after={cursor}"));
    assert_eq!(second["data"][0]["message_sid"], sid(1), "{second}");
}

#[test]
fn tables_show_times_in_the_chosen_zone_and_name_it() {
    let app = app(BERLIN);
    for command in
        [&["messages"][..], &["events"], &["audit", &sid(1)], &["tail", "--after=0", "--no-follow"]]
    {
        let table = |flags: &[&str]| {
            let output = app.run(&[command, flags].concat());
            String::from_utf8(output.stdout).unwrap()
        };
        let berlin = table(&[]);
        assert!(berlin.contains("received at (Europe/Berlin)"), "{command:?}: {berlin}");
        let (offsets, utc) = (["+01:00", "+02:00"], table(&["--time-zone=UTC"]));
        assert!(offsets.iter().any(|offset| berlin.contains(offset)), "{command:?}: {berlin}");
        assert!(utc.contains("received at (UTC)"), "{command:?}: {utc}");
        assert!(!offsets.iter().any(|offset| utc.contains(offset)), "{command:?}: {utc}");
    }
}
