//! An erasure that is killed at any step is finished by running it again.

use std::ops::ControlFlow;

use delivery_ledger::domain::{Rule, Timestamp};
use delivery_ledger::erase::{Address, Consent, EraseError, Request, Step, Which, erase};
use delivery_ledger::store::{Access, open};

use super::{ADDRESS, DIGITS, erased, files_with, stderr, story};
use crate::support::ledger::Ledger;

/// Runs an erasure until a step, counted from 0, and leaves everything as a kill there would; false if it
/// ends before.
fn stopped_at(ledger: &Ledger, step: usize) -> bool {
    let database = ledger.database();
    let (log, views) =
        (open(&database, Access::Append).unwrap(), open(&database, Access::Replay).unwrap());
    let parts = delivery_ledger::erase::Ledger {
        database: &database,
        log: &*log,
        views: &*views,
        rule: Rule::default(),
    };
    let which = Which::Address(Address::parse(ADDRESS).unwrap());
    let now = || Timestamp::from(time::OffsetDateTime::now_utc());
    let request =
        Request { which: &which, reference: "DSR-1", consent: Consent::default(), now: &now };
    let mut steps = 0;
    let outcome = erase(&parts, &request, &mut |done| {
        if let Step::Read = done {
            return ControlFlow::Continue(());
        }
        steps += 1;
        if steps > step { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match outcome {
        Ok(_) => false,
        Err(EraseError::Stopped | EraseError::Projection(_)) => true,
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_erasure_that_stops_at_any_step_is_finished_by_the_next_one() {
    let mut step = 0;
    loop {
        let ledger = Ledger::with_events(&story(60));
        let stopped = stopped_at(&ledger, step);
        erased(&ledger, &["--address", ADDRESS]);
        assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0], "step {step}");
        assert_eq!(ledger.verify(&[]).0, Some(0), "step {step}");
        if !stopped {
            break;
        }
        step += 1;
    }
    assert!(step >= 5, "{step} steps");
}

#[test]
fn an_erasure_that_is_killed_at_any_time_is_finished_by_the_next_one() {
    for micros in [0, 5_000, 15_000, 30_000, 45_000, 60_000, 80_000, 110_000, 150_000] {
        let ledger = Ledger::with_events(&story(300));
        let mut erasing =
            ledger.command(&["erase", "--address", ADDRESS, "--request", "DSR-1", "--yes"]).spawn();
        std::thread::sleep(std::time::Duration::from_micros(micros));
        erasing.kill().unwrap();
        erasing.wait().unwrap();
        erased(&ledger, &["--address", ADDRESS]);
        assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0], "{micros} µs");
        assert_eq!(ledger.verify(&[]).0, Some(0), "{micros} µs");
    }
}

#[test]
fn lists_and_exports_leave_out_what_is_erased_before_the_views_are_rebuilt() {
    let ledger = Ledger::with_events(&story(60));
    assert!(stopped_at(&ledger, 0));

    let listed = ledger.run(&["messages", "--to", ADDRESS, "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();

    assert_eq!(listed["data"], serde_json::json!([]));
    let exported = ledger.run(&["export", "messages", "--format", "ndjson"]);
    assert_eq!(exported.status.code(), Some(0), "{}", stderr(&exported));
    assert!(!String::from_utf8_lossy(&exported.stdout).contains(DIGITS));
    erased(&ledger, &["--again"]);
    assert_eq!(files_with(&ledger.file(""), DIGITS), [""; 0], "any erasure finishes it");
}
