//! Bundles that a separate implementation made (tests/data/evidence_vectors.json): those that have to be accepted,
//! and those that have to be rejected, with what is wrong.

use std::fs;

use delivery_ledger::evidence::check::{Checked, Trust, check};
use delivery_ledger::seal::note::key::PublicKey;
use serde_json::Value;
use tempfile::TempDir;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../data/evidence_vectors.json")).unwrap()
}

fn keys(list: &Value) -> Vec<PublicKey> {
    let parse = |key: &Value| PublicKey::parse(key.as_str().unwrap()).unwrap();
    list.as_array().unwrap().iter().map(parse).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn names(checked: &Checked) -> Vec<&'static str> {
    checked.findings.iter().map(|finding| finding.kind.name()).collect()
}

#[test]
fn every_bundle_gets_the_verdict_that_a_separate_implementation_gives_it() {
    let vectors = vectors();
    let folder = TempDir::new().unwrap();
    let tile = folder.path().join("entries");
    fs::write(&tile, bytes(&vectors["tiles"]["tile/entries/000.p/33"])).unwrap();
    for bundle in vectors["bundles"].as_array().unwrap() {
        let trust = Trust {
            keys: keys(&bundle["keys"]),
            witnesses: keys(&bundle["witnesses"]),
            entries: bundle["with_entries"].as_bool().unwrap().then(|| tile.clone()),
            ..Trust::default()
        };
        let checked = check(bundle["file"].as_str().unwrap().as_bytes(), &trust);
        let (name, findings) = (bundle["name"].as_str().unwrap(), &checked.findings);
        match bundle["finding"].as_str() {
            None => assert_eq!(names(&checked), [""; 0], "{name}: {findings:?}"),
            Some(finding) => assert!(names(&checked).contains(&finding), "{name}: {findings:?}"),
        }
    }
}

#[test]
fn whole_erased_and_resealed_messages_are_proven() {
    let vectors = vectors();
    for name in ["bundle", "erased_bundle", "rotated_bundle"] {
        let bundle = &vectors[name];
        let trust = Trust { keys: keys(&bundle["keys"]), ..Trust::default() };
        let checked = check(bundle.to_string().as_bytes(), &trust);
        assert_eq!(names(&checked), [""; 0], "{name}: {:?}", checked.findings);
        assert_eq!(checked.statement.unwrap().size, 33);
    }
}
