//! `verify --expect`: comparison with hashes noted elsewhere.

use serde_json::Value;

use super::{ledger, six_events};
use crate::support::events::event;
use crate::support::ledger::{Ledger, findings};
use crate::support::{delivered, sid, status};

/// `POSITION:HASH`, as verify gives it to be kept elsewhere.
fn copy_of(verified: &Value) -> String {
    format!("{}:{}", verified["head"], verified["hash"].as_str().unwrap())
}

#[test]
fn an_expected_hash_stays_valid_as_the_log_grows() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    assert_eq!(ledger.verify(&["--expect", &copy]).0, Some(0));
    assert_eq!(ledger.verify(&["--expect", &copy.to_uppercase()]).0, Some(0));

    ledger.append(&[event(delivered(&sid(4)))]);

    assert_eq!(ledger.verify(&["--expect", &copy]).0, Some(0));
}

#[test]
fn a_wrong_hash_or_a_position_beyond_the_head_is_a_finding() {
    let ledger = ledger();
    let hash = ledger.verify(&[]).1["hash"].as_str().unwrap().to_owned();
    for (unexpected, detail) in [
        (format!("5:{hash}"), "the log has another root there"),
        (format!("6:{}", "0".repeat(64)), "the log has another root there"),
        (format!("7:{hash}"), "the log ends before it"),
    ] {
        let (code, verified) = ledger.verify(&["--expect", &unexpected]);
        assert_eq!(code, Some(3), "{unexpected}");
        assert_eq!(findings(&verified), ["unexpected-hash"], "{unexpected}");
        let found = verified["findings"][0]["detail"].as_str().unwrap();
        assert!(found.ends_with(detail), "{found}");
    }
}

#[test]
fn an_expected_hash_after_a_gap_cannot_match() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    ledger.damage_log(|log| {
        log.execute("DELETE FROM events WHERE position = 2", []).unwrap();
    });
    let (_, verified) = ledger.verify(&["--expect", &copy]);
    assert_eq!(findings(&verified), ["missing-position", "unexpected-hash"]);
}

#[test]
fn an_expected_hash_detects_changes_the_views_have_not_read() {
    let ledger = ledger();
    ledger.append(&[event(delivered(&sid(4)))]);
    let copy = copy_of(&ledger.verify(&[]).1);
    ledger.damage_log(|log| {
        log.execute("UPDATE events SET body = x'' WHERE position = 7", []).unwrap();
    });
    assert_eq!(ledger.verify(&[]).0, Some(0), "nobody has read position 7 before");
    let (code, verified) = ledger.verify(&["--expect", &copy]);
    assert_eq!((code, findings(&verified)), (Some(3), vec!["unexpected-hash"]));
}

#[test]
fn an_expected_hash_detects_a_rewritten_ledger() {
    let ledger = ledger();
    let copy = copy_of(&ledger.verify(&[]).1);
    let mut forged = six_events();
    forged[5] = event(status(&sid(3), "queued"));

    let forged = Ledger::with_events(&forged);

    assert_eq!(forged.verify(&[]).0, Some(0), "it is consistent in itself");
    assert_eq!(forged.verify(&["--expect", &copy]).0, Some(3));
}

#[test]
fn an_invalid_expectation_is_a_usage_error() {
    let ledger = ledger();
    let hash = "0".repeat(64);
    for malformed in
        ["", "6", ":", "6:", "6:abc", &format!("0:{hash}"), &format!("-1:{hash}"), &hash]
    {
        let output = ledger.run(&["verify", "--expect", malformed]);
        assert_eq!(output.status.code(), Some(2), "{malformed}");
        assert!(output.stdout.is_empty());
    }
}
