//! Bundles that were changed: none is accepted for anything but what it was.

use std::sync::LazyLock;

use delivery_ledger::evidence::bundle;
use delivery_ledger::evidence::check::{FindingKind, Trust, check};
use delivery_ledger::seal::note::key::PublicKey;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../data/evidence_vectors.json")).unwrap()
});

fn trust() -> Trust {
    let key = PublicKey::parse(VECTORS["keys"]["ledger"]["public"].as_str().unwrap()).unwrap();
    Trust { keys: vec![key], ..Trust::default() }
}

fn original(name: &str) -> String {
    VECTORS[name].to_string()
}

/// A bundle without what nobody vouches for: when and by whom it was made, hints, and lines of unknown keys.
fn vouched(text: &[u8]) -> bundle::Bundle {
    let mut bundle = bundle::parse(text).unwrap();
    (bundle.made_at, bundle.made_by) = (String::new(), String::new());
    bundle.keys.clear();
    bundle.timestamps.clear();
    let end = bundle.seal.find("\n\n").unwrap();
    bundle.seal.truncate(end);
    bundle
}

#[test]
fn every_event_that_no_log_can_have_is_reported_and_the_rest_is_checked_too() {
    let mut bundle = VECTORS["bundle"].clone();
    let events = bundle["events"].as_array_mut().unwrap();
    let expected: Vec<_> = events.iter().map(|event| event["position"].as_u64()).collect();
    for event in events {
        event["salt"] = "aa".into();
    }
    let checked = check(bundle.to_string().as_bytes(), &trust());
    let bad = checked.findings.iter().filter(|finding| finding.kind == FindingKind::BadEvent);
    assert_eq!(bad.map(|finding| finding.position).collect::<Vec<_>>(), expected);
    assert!(expected.len() > 1);
    assert!(checked.findings.iter().any(|found| found.kind == FindingKind::LifecycleDiffers));
    assert_eq!(checked.sealed_by, trust().keys, "the seal itself is sound");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_changed_byte_gives_no_other_verdict_than_not_proven_or_the_same_message(
        at in any::<Index>(),
        byte in any::<u8>(),
        is_erased in any::<bool>(),
    ) {
        let name = if is_erased { "erased_bundle" } else { "bundle" };
        let before = original(name).into_bytes();
        let mut after = before.clone();
        after[at.index(before.len())] = byte;
        if check(&after, &trust()).is_proven() {
            prop_assert_eq!(vouched(&after), vouched(&before));
        }
    }

    #[test]
    fn a_bundle_that_was_cut_off_or_repeated_is_not_proven(
        from in any::<Index>(),
        to in any::<Index>(),
    ) {
        let before = original("bundle").into_bytes();
        let (from, to) = (from.index(before.len()), to.index(before.len()));
        let after = [&before[..from], &before[to..]].concat();
        if check(&after, &trust()).is_proven() {
            prop_assert_eq!(vouched(&after), vouched(&before));
        }
    }
}

#[test]
fn what_is_accepted_is_what_it_was_and_the_control_is() {
    let before = original("bundle");
    assert!(check(before.as_bytes(), &trust()).is_proven());
    let after = before.replace("\"made_by\":\"delivery-ledger 0.1.0\"", "\"made_by\":\"x\"");
    assert_ne!(before, after);
    assert!(check(after.as_bytes(), &trust()).is_proven(), "nobody vouches for who made it");
    let after = before.replacen("\"source\":\"callback\"", "\"source\":\"import\"", 1);
    assert!(!check(after.as_bytes(), &trust()).is_proven());
}
