//! Reports by times over hours in which clocks are changed, and in zones that differ from UTC by parts of
//! an hour.

use delivery_ledger::domain::Timestamp;
use delivery_ledger::domain::time::zone::Zone;
use delivery_ledger::report::{Dimension, ReportQuery, by_scan, report};

use super::EPOCH;
use super::laws::is_what_was_said;
use super::naive::{Messages, Only, Said};
use crate::support::ACCOUNT;
use crate::support::ledger::Ledger;

const MINUTE: i64 = 60_000;

/// Messages that arrive every ten minutes, from five hours before a time to five hours after it.
fn messages_around(time: &str) -> Vec<Said> {
    let micros = |time| Timestamp::parse(time).unwrap().micros();
    let middle = (micros(time) - micros(EPOCH)) / 1000;
    let message = |message: u32| Said {
        message,
        word: if message.is_multiple_of(3) { "failed" } else { "delivered" },
        ms: middle + (i64::from(message) - 30) * 10 * MINUTE,
        code: None,
        account: Some(ACCOUNT),
        to: "whatsapp:+491711234567",
        from: "Acme",
        service: None,
    };
    (0..=60).map(message).collect()
}

#[test]
fn rows_are_those_of_the_clocks_on_the_wall() {
    for (zone, time) in [
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Pacific/Chatham", "2026-04-04T14:00:00Z"),
        ("Pacific/Chatham", "2026-09-26T14:00:00Z"),
        // By half an hour.
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        // Midnight, and never changed.
        ("Asia/Kolkata", "2026-10-31T18:30:00Z"),
        ("Asia/Kathmandu", "2026-10-31T18:15:00Z"),
        // The first hour of a year, month, week and day.
        ("Pacific/Kiritimati", "2028-12-31T10:00:00Z"),
    ] {
        let said = messages_around(time);
        let ledger = Ledger::with_events(&said.iter().map(Said::event).collect::<Vec<_>>());
        let store = ledger.open();
        let messages = Messages::of(&said);
        let times = Dimension::ALL.into_iter().filter(Dimension::is_time);
        let with_status = times.clone().map(|by| vec![by, Dimension::ErrorCode]);
        for by in times.map(|by| vec![by]).chain(with_status) {
            let query = ReportQuery { zone: Zone::parse(zone).unwrap(), ..ReportQuery::new(by) };
            is_what_was_said(&report(&*store, &query).unwrap(), &messages, Only::default());
            is_what_was_said(&by_scan(store.views(), &query).unwrap(), &messages, Only::default());
        }
    }
}

#[test]
fn an_hour_that_clocks_show_twice_is_two_rows_and_one_that_they_skip_is_none() {
    let hours = |zone: &str, time: &str| -> Vec<(String, i64)> {
        let said = messages_around(time);
        let ledger = Ledger::with_events(&said.iter().map(Said::event).collect::<Vec<_>>());
        let store = ledger.open();
        let zone = Zone::parse(zone).unwrap();
        let query = ReportQuery { zone: zone.clone(), ..ReportQuery::new([Dimension::Hour]) };
        let rows = report(&*store, &query).unwrap().rows.into_iter().skip(4).take(3);
        let hour = |starts_at: i64| zone.show_hour(Timestamp::from_micros(starts_at * 1_000_000));
        let shown = rows.map(|row| (Dimension::Hour.format(&row.keys[0], hour), row.figures));
        shown.map(|(key, figures)| (key.unwrap(), figures.messages())).collect()
    };
    let expected =
        |rows: [(&str, i64); 3]| rows.map(|(key, messages)| (key.to_owned(), messages)).to_vec();
    assert_eq!(
        hours("Europe/Berlin", "2026-10-25T01:00:00Z"),
        expected([
            ("2026-10-25T02:00:00+02:00", 6),
            ("2026-10-25T02:00:00+01:00", 6),
            ("2026-10-25T03:00:00+01:00", 6),
        ])
    );
    assert_eq!(
        hours("America/New_York", "2026-03-08T07:00:00Z"),
        expected([
            ("2026-03-08T01:00:00-05:00", 6),
            ("2026-03-08T03:00:00-04:00", 6),
            ("2026-03-08T04:00:00-04:00", 6),
        ])
    );
    // Clocks were set from 02:00 to 02:30, so that half an hour began at two o'clock.
    assert_eq!(
        hours("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        expected([
            ("2026-10-04T01:00:00+10:30", 6),
            ("2026-10-04T02:00:00+11:00", 3),
            ("2026-10-04T03:00:00+11:00", 6),
        ])
    );
}
