//! The findings of `verify`. Each test damages the log without its triggers, which are restored unchanged
//! before the verification.

mod expected;
mod log;
mod views;

use std::sync::atomic::{AtomicBool, Ordering};

use delivery_ledger::domain::NewEvent;
use delivery_ledger::projection::verify::FindingKind;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::events::{event, one_a_second, with_query, with_token};
use crate::support::ledger::{Ledger, findings, triggers};
use crate::support::{App, delivered, failed, sent, sid, status};

const TRIGGERS: [&str; 13] = [
    "envelopes_are_never_removed",
    "envelopes_are_new",
    "envelopes_never_change",
    "erased_events_are_never_removed",
    "erased_events_have_an_erasure",
    "erased_events_never_change",
    "events_are_never_removed",
    "events_are_numbered_without_gaps",
    "events_never_change",
    "seal_records_are_never_removed",
    "seal_records_are_numbered_without_gaps",
    "seal_records_never_change",
    "seals_grow",
];

/// Six events of three messages, projected.
fn ledger() -> Ledger {
    Ledger::with_events(&six_events())
}

fn six_events() -> Vec<NewEvent> {
    let noted = NewEvent {
        notes: [("file".to_owned(), "history.csv".to_owned())].into(),
        ..with_token(with_query(event(delivered(&sid(1))), "a=1"), "token")
    };
    one_a_second([
        event(sent(&sid(1))),
        event(sent(&sid(2))),
        noted,
        event(failed(&sid(3), "30003")),
        event(delivered(&sid(2))),
        event(status(&sid(3), "delivered")),
    ])
}

/// Verifies after a damage, which must be found, and names what was found.
fn found(ledger: &Ledger) -> Vec<String> {
    let (code, verified) = ledger.verify(&[]);
    assert_eq!(code, Some(3), "{verified:#}");
    findings(&verified).into_iter().map(str::to_owned).collect()
}

#[test]
fn verify_finds_nothing_in_an_undamaged_ledger() {
    let (code, verified) = ledger().verify(&[]);

    assert_eq!(code, Some(0));
    let keys: Vec<_> = verified.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "head",
        "hash",
        "checkpoint",
        "events",
        "imported",
        "rule",
        "digest",
        "findings",
        "unfinished",
    ];
    assert_eq!(keys, expected);
    assert_eq!(verified["head"], 6);
    assert_eq!(verified["events"], 6);
    assert_eq!(verified["imported"], 0);
    assert_eq!(verified["checkpoint"], 6);
    assert_eq!(verified["rule"], "failure-terminal");
    assert_eq!(verified["findings"], json!([]));
    assert_eq!(verified["unfinished"], json!([]));
}

#[test]
fn the_damage_helper_restores_the_triggers_unchanged() {
    let ledger = ledger();
    ledger.damage_log(|_| {});
    assert_eq!(ledger.verify(&[]).0, Some(0));

    let log = Connection::open(ledger.log_file()).unwrap();
    let names: Vec<_> = triggers(&log).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, TRIGGERS);
}

#[test]
fn verify_finds_nothing_in_an_empty_ledger() {
    let (code, verified) = Ledger::with_events(&[]).verify(&[]);
    assert_eq!((code, &verified["head"]), (Some(0), &json!(0)));
}

#[test]
fn views_that_are_behind_are_not_a_finding() {
    let ledger = ledger();
    ledger.append(&[event(delivered(&sid(4)))]);

    let (code, verified) = ledger.verify(&[]);

    assert_eq!(code, Some(0));
    assert_eq!((&verified["head"], &verified["checkpoint"]), (&json!(7), &json!(6)));
}

#[test]
fn missing_views_are_not_a_finding() {
    let ledger = ledger();
    std::fs::remove_file(ledger.views_file()).unwrap();
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn verify_repairs_nothing() {
    let ledger = ledger();
    ledger.views_sql("UPDATE messages SET status = 'read' WHERE id = 1");
    ledger.log_sql("DROP TRIGGER events_never_change").unwrap();
    let first = found(&ledger);
    assert_eq!(found(&ledger), first);
}

#[test]
fn verify_works_while_a_server_receives_callbacks() {
    let app = App::start();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                app.receive(sent(&sid(number)));
                app.receive(delivered(&sid(number / 2)));
            }
        });
        let verify = || app.run(&["verify", "--format", "json"]);
        let mut seen = 0;
        app.eventually("four verifications saw the log grow", || {
            let output = verify();
            let verified: Value = serde_json::from_slice(&output.stdout).unwrap();
            if !output.status.success() || seen >= 4 {
                done.store(true, Ordering::Relaxed);
            }
            assert_eq!(output.status.code(), Some(0), "{verified:#}");
            seen += u32::from(verified["events"].as_u64().unwrap() > 0);
            seen >= 5
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn every_kind_of_finding_has_a_unique_name() {
    use FindingKind::*;
    let kinds = [
        MissingPosition,
        UnreadableEvent,
        ChangedEvents,
        GuardMissing,
        ForeignObject,
        EngineDamage,
        ViewsOfAnotherLedger,
        LogOlderThanViews,
        LogExchanged,
        ProjectionDiffers,
        UnexpectedHash,
    ];
    let names: std::collections::BTreeSet<_> = kinds.map(FindingKind::name).into();
    assert_eq!(names.len(), kinds.len());
}
