//! Figures of segments, prices, carriers, clicks and feedback, and reports by both clocks, of all kinds of events:
//! from rollups, by a scan, and by a naive computation they are the same.

use delivery_ledger::domain::NewEvent;
use delivery_ledger::domain::Timestamp;
use delivery_ledger::domain::message::filter::MessageFilter;
use delivery_ledger::report::output::ReportJson;
use delivery_ledger::report::{Clock, Dimension, ReportQuery, by_scan, report};
use delivery_ledger::store::Store;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::EPOCH;
use super::naive_details::{self, ByClock, Seconds};
use crate::lifecycle::any_event;
use crate::support::ledger::Ledger;
use crate::support::sid;

/// Any event about one of a few messages, in any hour from some before the tests' messages to a day later.
fn told() -> impl Strategy<Value = (u32, NewEvent)> {
    let ms = prop_oneof![-7_200_000..7_200_000_i64, 0..30 * 3_600_000_i64];
    (1..6_u32, any_event(), ms).prop_map(|(number, event, ms)| {
        let about = |text: &str| text.replace(&sid(1), &sid(number));
        let body = about(std::str::from_utf8(&event.body).unwrap()).into_bytes();
        let epoch = Timestamp::parse(EPOCH).unwrap().micros();
        let received_at = Timestamp::from_micros(epoch + ms * 1000);
        (number, NewEvent { url: about(&event.url), body, received_at, ..event })
    })
}

/// The figures of a row that the naive computation has.
fn shown(row: &impl serde::Serialize, wanted: &Value) -> Value {
    let mut row = serde_json::to_value(row).unwrap();
    for times in ["time_to_sent_ms", "sent_to_delivered_ms"] {
        row[times].as_object_mut().unwrap().retain(|name, _| !name.starts_with('p'));
    }
    row.as_object_mut().unwrap().retain(|name, _| wanted.get(name).is_some());
    row
}

fn is_what_was_told(
    store: &dyn Store,
    told: &[(u32, NewEvent)],
    by: Dimension,
    clock: Clock,
    period: Option<(Seconds, Seconds)>,
) {
    let at = |seconds: Seconds| Timestamp::from_micros(seconds * 1_000_000);
    let filter = MessageFilter {
        since: period.map(|(since, _)| at(since)),
        until: period.map(|(_, until)| at(until)),
        ..MessageFilter::default()
    };
    let query = ReportQuery { clock, filter, ..ReportQuery::new([by.clone()]) };
    let made = ReportJson::new(&report(store, &query).unwrap(), &Default::default(), false);
    let naive_clock = match clock {
        Clock::Ledger => ByClock::Ledger,
        Clock::Twilio => ByClock::Twilio,
    };
    let (mut expected, known) = naive_details::report(told, &by.name(), naive_clock, period);
    for row in &made.rows {
        let naive = expected.remove(&row.key).unwrap_or_default();
        assert_eq!(shown(&row.figures, &naive), naive, "{by:?} {clock:?} {:?}", row.key);
    }
    assert_eq!(expected.into_keys().collect::<Vec<_>>(), [], "{by:?} {clock:?}");
    assert_eq!((made.clock, made.clock_known), (clock.name(), known), "{by:?}");
}

fn every_report_is_right(store: &dyn Store, told: &[(u32, NewEvent)]) {
    let epoch = Timestamp::parse(EPOCH).unwrap().micros() / 1_000_000;
    for by in [Dimension::Carrier, Dimension::Day, Dimension::HourOfDay] {
        for clock in Clock::ALL {
            // Everything; an hour, in which Twilio's times are; and a part of it that divides them.
            for period in [None, Some((epoch, epoch + 3600)), Some((epoch + 150, epoch + 185))] {
                is_what_was_told(store, told, by.clone(), clock, period);
            }
        }
    }
    for by in Dimension::ALL {
        let query = ReportQuery::new([by]);
        let (made, scanned) =
            (report(store, &query).unwrap(), by_scan(store.views(), &query).unwrap());
        assert_eq!((made.rows, made.total), (scanned.rows, scanned.total), "{:?}", query.by);
    }
}

#[test]
fn details_and_clocks_are_those_of_the_events() {
    let config = Config { cases: 48, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(told(), 1..40), |told| {
        let events: Vec<_> = told.iter().map(|(_, event)| event.clone()).collect();
        let ledger = Ledger::with_events(&events);
        every_report_is_right(&*ledger.open(), &told);
        Ok(())
    });
    outcome.unwrap();
}
