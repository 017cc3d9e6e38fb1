//! Keys, notes, seals, cosignatures and key changes, against values that a separate implementation made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::domain::hash::hex;
use delivery_ledger::domain::statement::{Statement, StatementError};
use delivery_ledger::seal::note::cosignature::cosigned_by;
use delivery_ledger::seal::note::key::{KeyError, PrivateKey, PublicKey};
use delivery_ledger::seal::note::key_change::{KeyChange, KeyChangeError};
use delivery_ledger::seal::note::trusted::{NotFollowed, TrustedKeys};
use delivery_ledger::seal::note::{Note, NoteError};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../data/evidence_vectors.json")).unwrap()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap()
}

fn public(vectors: &Value, name: &str) -> PublicKey {
    PublicKey::parse(text(vectors, &format!("/keys/{name}/public"))).unwrap()
}

fn private(vectors: &Value, name: &str) -> PrivateKey {
    PrivateKey::parse(text(vectors, &format!("/keys/{name}/secret"))).unwrap()
}

#[test]
fn a_private_key_has_the_public_key_and_the_text_of_the_vectors() {
    let vectors = vectors();
    for name in ["ledger", "next"] {
        let key = private(&vectors, name);
        assert_eq!(key.public(), public(&vectors, name));
        let secret = text(&vectors, &format!("/keys/{name}/secret"));
        assert_eq!(key.to_secret_text(), format!("{secret}\n"));
        assert!(!format!("{key:?}").contains("PRIVATE"), "debugging tells no secret");
    }
}

#[test]
fn every_seal_is_signed_and_written_as_in_the_vectors() {
    let vectors = vectors();
    for seal in vectors["seals"].as_array().unwrap() {
        let written = text(seal, "/note");
        let note = Note::parse(written).unwrap();
        let statement = Statement::parse(&note.text).unwrap();
        assert_eq!(statement.size, seal["size"].as_u64().unwrap());
        assert_eq!(statement.origin, text(&vectors, "/origin"));
        assert_eq!(note.to_string(), written);
        let mut ours = Note::of_seal(&statement);
        private(&vectors, "ledger").sign(&mut ours);
        assert_eq!(note.signatures[0], ours.signatures[0], "Ed25519 signs the same alike");
    }
}

#[test]
fn a_seal_is_exactly_three_lines_in_their_only_form() {
    let parse = Statement::parse;
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert!(parse(&format!("o\n0\n{root}\n")).is_ok());
    for text in [format!("o\n0\n{root}"), format!("o\n0\n{root}\nmore\n"), "o\n0\n".to_owned()] {
        assert_eq!(parse(&text), Err(StatementError::NotThreeLines), "{text}");
    }
    for size in ["+1", "01", "-1", "1 ", "", "18446744073709551616", "1.0"] {
        let found = parse(&format!("o\n{size}\n{root}\n"));
        assert_eq!(found, Err(StatementError::Size(size.to_owned())));
    }
    for root in ["", "AAAA", &root[..43], "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV="] {
        let found = parse(&format!("o\n0\n{root}\n"));
        assert_eq!(found, Err(StatementError::Root(root.to_owned())));
    }
    assert!(matches!(parse(&format!("o p\n0\n{root}\n")), Err(StatementError::Origin(_))));
}

#[test]
fn what_is_no_note_is_refused() {
    assert_eq!(Note::parse("o\n0\nr\n"), Err(NoteError::NoSignatures));
    assert_eq!(Note::parse("o\n0\nr\n\n"), Err(NoteError::NoSignatures));
    assert_eq!(Note::parse("o\n\n— w AAAAAAA="), Err(NoteError::NoSignatures));
    assert_eq!(Note::parse("o\t\n\n— w AAAAAAA=\n"), Err(NoteError::NotText));
    for line in ["- w AAAAAAA=", "— w", "— w+x AAAAAAA=", "— w AAAA", "— w AAAAAAB="] {
        let found = Note::parse(&format!("o\n\n{line}\n"));
        assert_eq!(found, Err(NoteError::NotASignature(line.to_owned())));
    }
    let many = |count| format!("o\n\n{}", "— w AAAAAAA=\n".repeat(count));
    assert!(Note::parse(&many(100)).is_ok());
    assert_eq!(Note::parse(&many(101)), Err(NoteError::TooManySignatures));
}

#[test]
fn a_key_has_the_id_of_its_name_and_bytes_and_is_sound() {
    let vectors = vectors();
    let key = text(&vectors, "/keys/ledger/public");
    let other_id = key.replace("+df9b2056+", "+df9b2057+");
    assert_eq!(PublicKey::parse(&other_id), Err(KeyError::OtherId));
    let secret = text(&vectors, "/keys/ledger/secret");
    assert_eq!(PublicKey::parse(secret), Err(KeyError::IsPrivate));
    assert!(matches!(PrivateKey::parse(key), Err(KeyError::NotPrivate)));
    // The identity, a point of order 4, and the identity not reduced: anything can be signed under them.
    let (mut identity, mut unreduced) = ([0; 32], [0xff; 32]);
    identity[0] = 1;
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    // y = p + 3, which is on the curve and of no small order: a second form of the point with y = 3.
    let mut second_form = unreduced;
    second_form[0] = 0xf0;
    for weak in [identity, [0; 32], unreduced, second_form] {
        assert_eq!(PublicKey::parse(&written(weak)), Err(KeyError::Weak), "{weak:?}");
    }
}

/// A public key of the name `w` with these bytes, and the id that belongs to it.
fn written(key: [u8; 32]) -> String {
    let id = Sha256::new().chain_update(b"w\n\x01").chain_update(key).finalize();
    let base64 = STANDARD.encode([&[1], &key[..]].concat());
    format!("w+{}+{base64}", hex(&id[..4]))
}

#[test]
fn a_witness_signs_the_seal_and_its_time() {
    let vectors = vectors();
    let seal = vectors["seals"].as_array().unwrap();
    let seal = seal.iter().find(|seal| seal["what"] == "with two witnesses").unwrap();
    let note = Note::parse(text(seal, "/note")).unwrap();
    let witness = public(&vectors, "witness_1");
    let cosigned = cosigned_by(&note, &witness).unwrap().unwrap();
    assert_eq!(cosigned.name, "witness.example/w1");
    assert_eq!(cosigned.at.to_string(), "2026-01-31T12:25:36.000000Z");
    let mut alone = note.clone();
    alone.signatures.truncate(1);
    assert_eq!(cosigned_by(&alone, &witness), Ok(None));
    let mut later = note;
    later.signatures[1].signature[7] += 1;
    assert!(cosigned_by(&later, &witness).is_err(), "the time is signed");
}

#[test]
fn who_trusts_the_old_key_trusts_the_new_one_by_its_signature() {
    let vectors = vectors();
    let (old, new) = (private(&vectors, "ledger"), private(&vectors, "next"));
    let note = Note::parse(text(&vectors, "/key_change")).unwrap();
    assert_eq!(KeyChange::note(&old, &new), note);
    let origin = text(&vectors, "/origin");

    let mut keys = TrustedKeys::new(vec![old.public()]);
    assert_eq!(keys.follow(&note, origin), Ok(()));
    assert!(keys.has(&new.public()));

    let mut keys = TrustedKeys::new(vec![public(&vectors, "witness_1")]);
    assert_eq!(keys.follow(&note, origin), Err(NotFollowed::NotByTrusted));
    let mut by_one = note.clone();
    by_one.signatures.truncate(1);
    let mut keys = TrustedKeys::new(vec![old.public()]);
    let refused = Err(NotFollowed::Invalid(KeyChangeError::NotByNew));
    assert_eq!(keys.follow(&by_one, origin), refused);
    assert_eq!(
        keys.follow(&note, "delivery-ledger/other"),
        Err(NotFollowed::OtherOrigin(origin.to_owned()))
    );
}
