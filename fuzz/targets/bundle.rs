//! Bundles: no input crashes the check or the page, and a bundle that is parsed is written so that it is the same.

#![no_main]

use std::sync::LazyLock;

use delivery_ledger::domain::Timestamp;
use delivery_ledger::evidence::bundle;
use delivery_ledger::evidence::check::{Trust, check};
use delivery_ledger::evidence::page::page;
use delivery_ledger::seal::note::key::PublicKey;
use libfuzzer_sys::fuzz_target;

/// The key of the seeds.
static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let key = "delivery-ledger/019c13ec-9e00-7fbb-adb5-7e876e7a741e+df9b2056+AQPhEz+xbuam3KVRcu9X9pANtnGEYqlShHbIRXWOnoDa";
    Trust { keys: vec![PublicKey::parse(key).unwrap()], ..Trust::default() }
});

fuzz_target!(|bytes: &[u8]| {
    let checked = check(bytes, &TRUST);
    let html = page(&checked, Timestamp::from_micros(0));
    assert!(!html.to_ascii_lowercase().contains("<script"));
    if let Ok(parsed) = bundle::parse(bytes) {
        let again = bundle::parse(parsed.to_text().as_bytes()).expect("it is written as it is read");
        assert_eq!(again, parsed);
    }
});
