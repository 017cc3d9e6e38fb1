//! Tokens that a separate implementation made and verified (tests/data/timestamps.json).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use delivery_ledger::seal::timestamp::{AuthorityCertificates, verify};
use serde_json::Value;

use super::text;

/// A worked example.
pub struct Vector {
    pub message: String,
    pub token: Vec<u8>,
    json: Value,
}

impl Vector {
    /// The certificates with these names.
    pub fn trusted(&self, names: &[&str]) -> AuthorityCertificates {
        let pem: String = names.iter().map(|name| self.json[name].as_str().unwrap()).collect();
        AuthorityCertificates::from_pem(pem.as_bytes()).unwrap()
    }

    /// The DER of the certificate with this name.
    pub fn certificate(&self, name: &str) -> Vec<u8> {
        let pem = self.json[name].as_str().unwrap().lines();
        let base64: String = pem.filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(base64).unwrap()
    }
}

/// One token by ECDSA, and one by RSA.
pub fn vectors() -> [Vector; 2] {
    let vectors: [Value; 2] =
        serde_json::from_str(include_str!("../../../data/timestamps.json")).unwrap();
    vectors.map(|json| Vector {
        message: json["text"].as_str().unwrap().to_owned(),
        token: STANDARD.decode(json["token"].as_str().unwrap()).unwrap(),
        json,
    })
}

#[test]
fn a_worked_token_is_verified_by_its_authority_and_root() {
    let expected = [
        ("2026-11-25T19:09:56.000000Z", "CN=Test TSA"),
        ("2026-11-25T19:29:45.000000Z", "CN=RSA TSA"),
    ];
    for (vector, (at, authority)) in vectors().iter().zip(expected) {
        for names in [&["authority", "root"][..], &["root"]] {
            let message = vector.message.as_bytes();
            let attested = verify(&vector.token, message, None, &vector.trusted(names)).unwrap();
            assert_eq!((attested.at.to_string().as_str(), &*attested.authority), (at, authority));
        }
    }
}

#[test]
fn a_worked_token_is_refused_by_another_root() {
    let expected = ["CN=Test TSA", "CN=RSA TSA"].map(|authority| {
        format!(
            "no chain of certificates leads from the authority `{authority}` to the trusted root \
             `CN=Other root`"
        )
    });
    for (vector, expected) in vectors().iter().zip(expected) {
        for names in
            [&["other_authority", "other_root"][..], &["authority", "other_root"], &["other_root"]]
        {
            let message = vector.message.as_bytes();
            let error = verify(&vector.token, message, None, &vector.trusted(names)).unwrap_err();
            assert_eq!(text(&error), expected, "{names:?}");
        }
    }
}
