//! Reports from rollups, by a scan, and by a naive computation over the callbacks are the same.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use delivery_ledger::domain::ErrorCodes;
use delivery_ledger::domain::Rule;
use delivery_ledger::domain::Timestamp;
use delivery_ledger::domain::message::filter::MessageFilter;
use delivery_ledger::domain::rollup::range::RollupRange;
use delivery_ledger::domain::rollup::{RollupKey, RollupLength};
use delivery_ledger::domain::time::zone::Zone;
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::replay::replay;
use delivery_ledger::projection::verify::verify;
use delivery_ledger::report::figures::json::FiguresJson;
use delivery_ledger::report::output::ReportJson;
use delivery_ledger::report::{Dimension, Period, Report, ReportQuery, by_scan, report, reports};
use delivery_ledger::store::Store;
use delivery_ledger::wire::filter::{FilterContext, MessageParameters};
use delivery_ledger::wire::parameters;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::EPOCH;
use super::naive::{self, FAILURES, LADDER, Messages, Only, Said, TO};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, OTHER_ACCOUNT};

/// Parsed once, because there are thousands of reports.
static ERROR_CODES: LazyLock<ErrorCodes> = LazyLock::new(ErrorCodes::default);

/// Callbacks of a few messages: late, duplicate, conflicting, with changing addresses, in any hour.
fn said() -> impl Strategy<Value = Said> {
    let words: Vec<_> = LADDER.into_iter().chain(FAILURES).chain(["tunnelled"]).collect();
    let often = vec!["queued", "sent", "delivered"];
    let word = prop_oneof![select(words), select(often)];
    // Soon, within two days, or around the last Sunday in March.
    let day = 24 * 3_600_000_i64;
    let ms = prop_oneof![0..20_000_i64, 0..30 * 3_600_000_i64, 84 * day..88 * day];
    let code = prop_oneof![Just(None), select(vec![Some(30003), Some(30007), Some(99999)])];
    let account = select(vec![Some(ACCOUNT), Some(ACCOUNT), Some(OTHER_ACCOUNT), None]);
    let to = select(TO.map(|(to, _)| to).to_vec());
    let from = select(vec!["+15017250604", "Acme", "+15550001111"]);
    let service = select(vec![None, Some("MG1"), Some("MG2")]);
    (0..7_u32, word, ms, code, account, to, from, service).prop_map(
        |(message, word, ms, code, account, to, from, service)| Said {
            message,
            word,
            ms,
            code,
            account,
            to,
            from,
            service,
        },
    )
}

fn filter_of(only: Only) -> MessageFilter {
    let mut wanted = BTreeMap::new();
    let mut set = |name: &str, value: &str| drop(wanted.insert(name.to_owned(), value.to_owned()));
    only.status.into_iter().for_each(|status| set("status", status));
    only.channel.into_iter().for_each(|channel| set("channel", channel));
    let epoch = Timestamp::parse(EPOCH).unwrap().micros();
    if let Some((since, until)) = only.hours {
        let hour = |hour: i64| Timestamp::from_micros(epoch + hour * 3_600_000_000).to_string();
        set("since", &hour(since));
        set("until", &hour(until));
    }
    let parameters: MessageParameters = parameters::read(&wanted).unwrap();
    let context = FilterContext {
        now: Timestamp::from_micros(0),
        time_zone: Default::default(),
        default_country: None,
    };
    MessageFilter { inbound: None, ..parameters.filter(&context).unwrap() }
}

/// All of a row but percentiles.
fn exact(figures: &FiguresJson) -> Value {
    let mut value = serde_json::to_value(figures).unwrap();
    for times in ["time_to_sent_ms", "sent_to_delivered_ms"] {
        value[times].as_object_mut().unwrap().retain(|name, _| !name.starts_with('p'));
    }
    value
}

/// Makes sure that every figure of a report is that of the naive computation.
pub fn is_what_was_said(report: &Report, messages: &Messages, only: Only) {
    let (by, zone) = (&report.query.by, report.query.zone.name());
    let mut expected = naive::report(messages, by, zone, only);
    let shape = ReportJson::new(report, &ERROR_CODES, false);
    for row in &shape.rows {
        let naive = expected.remove(&row.key).unwrap_or_default();
        assert_eq!(exact(&row.figures), naive.exact(), "{by:?} {zone} {:?}", row.key);
        for (times, lengths) in [
            (&row.figures.time_to_sent_ms, &naive.time_to_sent),
            (&row.figures.sent_to_delivered_ms, &naive.sent_to_delivered),
        ] {
            for (reported, hundredths) in [(times.p50, 50), (times.p95, 95), (times.p99, 99)] {
                let exact = naive::percentile(lengths, hundredths);
                let (reported, exact) = (reported.map(|ms| ms as i64), exact);
                let near = |(reported, exact): (i64, i64)| (reported - exact).abs() * 32 <= exact;
                assert!(reported.zip(exact).is_none_or(near), "{reported:?} for {exact:?}");
                assert_eq!(reported.is_some(), exact.is_some());
            }
        }
    }
    assert_eq!(expected.into_keys().collect::<Vec<_>>(), [], "{by:?} {zone}");
    let sum: i64 = shape.rows.iter().map(|row| row.figures.messages).sum();
    assert_eq!(shape.total.messages, sum);
}

/// Checks every report, from rollups and by a scan.
fn every_report_is_right(store: &dyn Store, said: &[Said]) {
    let messages = Messages::of(said);
    let only = [
        Only::default(),
        Only { status: Some("delivered"), ..Only::default() },
        Only { channel: Some("whatsapp"), ..Only::default() },
        Only { hours: Some((0, 1)), ..Only::default() },
        // Hours before, in and after a whole day.
        Only { hours: Some((5, 53)), status: Some("unknown"), channel: Some("sms") },
    ];
    // The offsets are 0, 60 or 120, 330, 345, and 765 or 825 minutes.
    let zones = ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Chatham"];
    let one = Dimension::ALL.map(|by| vec![by]);
    let two = [
        vec![Dimension::Country, Dimension::Week],
        vec![Dimension::HourOfDay, Dimension::Weekday],
        vec![Dimension::From, Dimension::Day],
    ];
    for (by, place) in one.into_iter().chain(two).zip(0..) {
        for (only, other) in only.into_iter().zip(0..) {
            // Each property and each filter meet each zone.
            let zone = zones[(place + other) % zones.len()];
            let question = ReportQuery {
                filter: filter_of(only),
                zone: Zone::parse(zone).unwrap(),
                ..ReportQuery::new(by.clone())
            };
            let from_cells = report(store, &question).unwrap();
            is_what_was_said(&from_cells, &messages, only);
            let scanned = by_scan(store.views(), &question).unwrap();
            assert_eq!(from_cells.rows, scanned.rows);
            assert_eq!(from_cells.total, scanned.total);
            assert_eq!(from_cells.as_of_position, said.len() as u64);
        }
    }
    // With and without properties that only a scan has.
    for last in [Dimension::Channel, Dimension::From] {
        let by = [vec![Dimension::Country, Dimension::Hour], vec![Dimension::Fault], vec![last]];
        let previous = |filter: &MessageFilter| Period {
            since: Timestamp::from_micros(filter.since.unwrap().micros() - 3 * 3_600_000_000),
            until: filter.since.unwrap(),
        };
        let filter = filter_of(only[4]);
        let question =
            ReportQuery { compare: Some(previous(&filter)), filter, ..ReportQuery::new([]) };
        let at_once = reports(store, &question, by.clone()).unwrap();
        for (made, by) in at_once.into_iter().zip(by) {
            let alone = report(store, &ReportQuery { by, ..question.clone() }).unwrap();
            assert_eq!((&made.rows, &made.total), (&alone.rows, &alone.total));
            assert_eq!(made.compared_total, alone.compared_total);
            assert_eq!(made.query.by, alone.query.by);
        }
    }
}

#[test]
fn rollups_scan_and_naive_computation_agree() {
    let config = Config { cases: 12, failure_persistence: None, ..Config::default() };
    let stretches = vec(vec(said(), 1..25), 1..4);
    let outcome = TestRunner::new(config).run(&stretches, |stretches| {
        let ledger = Ledger::new();
        let store = ledger.open();
        let mut so_far: Vec<Said> = Vec::new();
        for stretch in stretches {
            // Earlier callbacks are repeated, so that duplicates span batches.
            let again = so_far.first().cloned();
            let new: Vec<_> = stretch.into_iter().chain(again).collect();
            store.append(&new.iter().map(Said::event).collect::<Vec<_>>()).unwrap();
            so_far.extend(new);
            let head = store.head().unwrap();
            catch_up(&*store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
        }
        every_report_is_right(&*store, &so_far);
        replay(&*store, Rule::default(), &mut |_| ControlFlow::Continue(())).unwrap();
        every_report_is_right(&*store, &so_far);
        let verified = verify(&*store, None, &mut |_| ControlFlow::Continue(())).unwrap();
        prop_assert_eq!(verified.findings, []);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn rollups_count_exactly_the_current_messages() {
    let ledger = Ledger::new();
    let store = ledger.open();
    let one = |word, code| Said {
        message: 1,
        word,
        ms: 0,
        code,
        account: Some(ACCOUNT),
        to: "+14155552671",
        from: "Acme",
        service: None,
    };
    let mut seen = Vec::new();
    for said in [one("queued", None), one("sent", None), one("failed", Some(30003))] {
        store.append(&[said.event()]).unwrap();
        let head = store.head().unwrap();
        catch_up(&*store, store.views(), head, &mut |_| ControlFlow::Continue(())).unwrap();
        let mut cells = BTreeMap::new();
        let all = [RollupLength::Hour, RollupLength::Day].map(RollupRange::all);
        let checkpoint = store.views().for_each_rollup(&all, &mut |cell, tally| {
            let RollupKey { length, country, error_code, .. } = cell;
            let status = cell.status.map(|status| status.name());
            let key = format!("{length:?} {status:?} {country:?} {error_code:?}");
            cells.insert(key, tally.messages);
        });
        assert_eq!(checkpoint.unwrap().position, head);
        seen.push(json!(cells));
    }
    let of_hour_and_day = |key| json!({ format!("Hour {key}"): 1, format!("Day {key}"): 1 });
    assert_eq!(
        seen,
        [
            of_hour_and_day("Some(\"queued\") Some(US) None"),
            of_hour_and_day("Some(\"sent\") Some(US) None"),
            of_hour_and_day("Some(\"failed\") Some(US) Some(ErrorCode(30003))"),
        ]
    );
}

#[test]
fn verify_finds_wrong_rollups() {
    for damage in [
        "DELETE FROM rollups",
        "DELETE FROM rollups WHERE hours = 1",
        "DELETE FROM rollups WHERE hours = 24",
        "UPDATE rollups SET hours = 2 WHERE hours = 24",
        "UPDATE rollups SET hour = hour + 1",
        "UPDATE rollups SET country = 'FR'",
        "INSERT INTO rollups VALUES (1, 1, 0, 'sms', '', '', -1, 0, 0, x'01000100000100')",
        "UPDATE rollups SET rollup = x'00'",
    ] {
        let said = naive_message();
        let ledger = Ledger::with_events(&[said.event()]);
        assert_eq!(ledger.verify(&[]).0, Some(0));
        ledger.views_sql(damage);
        let (code, verified) = ledger.verify(&[]);
        assert_eq!(code, Some(3), "{damage}: {verified}");
        assert_eq!(verified["findings"][0]["finding"], "projection-differs", "{damage}");
    }
}

fn naive_message() -> Said {
    Said {
        message: 1,
        word: "sent",
        ms: 0,
        code: None,
        account: Some(ACCOUNT),
        to: "+14155552671",
        from: "Acme",
        service: None,
    }
}
