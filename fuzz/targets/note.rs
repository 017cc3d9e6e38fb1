//! Notes: what is parsed is written as it was, and nothing is signed that no key has signed.

#![no_main]

use delivery_ledger::domain::statement::Statement;
use delivery_ledger::seal::note::key::PublicKey;
use delivery_ledger::seal::note::key_change::KeyChange;
use delivery_ledger::seal::note::{Note, SignatureLine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(note) = Note::parse(text) {
        assert_eq!(note.to_string(), text);
        if let Ok(statement) = Statement::parse(&note.text) {
            assert_eq!(statement.to_string(), note.text);
        }
        let _parsed = KeyChange::parse(&note);
    }
    if let Ok(line) = SignatureLine::parse(text) {
        assert_eq!(line.to_string(), text);
    }
    if let Ok(key) = PublicKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
});
