//! Requests to an authority, and its responses.

use delivery_ledger::seal::timestamp::{
    AuthorityCertificates, TimestampRequest, read_response, verify,
};

use super::authority::{Folder, Key};
use super::{MESSAGE, text};

const NONCE: [u8; 8] = [0x80, 1, 2, 3, 4, 5, 6, 7];

fn trusted(folder: &Folder) -> AuthorityCertificates {
    AuthorityCertificates::from_pem(folder.pem(&["authority", "root"]).as_bytes()).unwrap()
}

#[test]
fn a_request_states_hash_and_nonce_and_asks_for_the_certificate() {
    let folder = Folder::with_root(Key::P256);
    folder.write("request.tsq", TimestampRequest::new(b"abc", NONCE).der());
    assert_eq!(
        folder.openssl("ts -query -in request.tsq -text"),
        "Version: 1\n\
         Hash Algorithm: sha256\n\
         Message data:\n    \
         0000 - ba 78 16 bf 8f 01 cf ea-41 41 40 de 5d ae 22 23   .x......AA@.].\"#\n    \
         0010 - b0 03 61 a3 96 17 7a 9c-b4 10 ff 61 f2 00 15 ad   ..a...z....a....\n\
         Policy OID: unspecified\n\
         Nonce: 0x8001020304050607\n\
         Certificate required: yes\n\
         Extensions:\n"
    );
}

#[test]
fn what_an_authority_answers_is_verified_with_its_nonce() {
    for (key, name) in [
        (Key::P256, "ECDSA P-256"),
        (Key::P384, "ECDSA P-384"),
        (Key::Rsa(2048), "RSA 2048"),
        (Key::Rsa(3072), "RSA 3072"),
    ] {
        let folder = Folder::with_authority(key);
        for nonce in [NONCE, [0; 8], [0, 0, 0, 0, 0, 0, 0, 0x80], [0xff; 8], [0x7f; 8]] {
            let response = folder.respond(TimestampRequest::new(MESSAGE, nonce).der());
            let token = read_response(&response).unwrap();
            let attested = verify(&token, MESSAGE, Some(nonce), &trusted(&folder)).unwrap();
            assert_eq!(attested.authority, "CN=authority,O=Tests", "{name}");
            let printed = folder.openssl("ts -reply -in response.tsr -text");
            let [_, day, time] = [0, 1, 2].map(|part| {
                let line = printed.lines().find(|line| line.starts_with("Time stamp: ")).unwrap();
                line["Time stamp: ".len()..].split_ascii_whitespace().nth(part).unwrap().to_owned()
            });
            let at = attested.at.to_string();
            assert!(at.contains(&format!("-{day:0>2}T{time}.000000Z")), "{at}: {printed}");
        }
    }
}

#[test]
fn the_token_is_the_end_of_the_response_as_it_was_received() {
    let folder = Folder::with_authority(Key::P256);
    let response = folder.respond(TimestampRequest::new(MESSAGE, NONCE).der());
    let token = read_response(&response).unwrap();
    assert!(response.ends_with(&token));
    folder.openssl("ts -reply -in response.tsr -token_out -out token.der");
    assert!(token == folder.read("token.der"));
}

#[test]
fn a_token_for_another_request_is_refused() {
    let folder = Folder::with_authority(Key::P256);
    let with_nonce = folder.respond(TimestampRequest::new(MESSAGE, NONCE).der());
    let with_nonce = read_response(&with_nonce).unwrap();
    folder.write("message", MESSAGE);
    folder.openssl("ts -query -data message -sha256 -cert -no_nonce -out query.tsq");
    let without_nonce = read_response(&folder.respond(&folder.read("query.tsq"))).unwrap();

    let refused = |token: &[u8], message: &[u8], nonce| {
        let verified = verify(token, message, nonce, &trusted(&folder));
        verified.map(|_| ()).map_err(|error| text(&error))
    };
    assert_eq!(refused(&with_nonce, MESSAGE, Some(NONCE)), Ok(()));
    assert_eq!(refused(&with_nonce, MESSAGE, None), Ok(()));
    assert_eq!(refused(&without_nonce, MESSAGE, None), Ok(()));
    let other_nonce = Err("the token does not contain the nonce of the request".to_owned());
    let mut nonce = NONCE;
    nonce[7] ^= 1;
    assert_eq!(refused(&with_nonce, MESSAGE, Some(nonce)), other_nonce);
    assert_eq!(refused(&without_nonce, MESSAGE, Some(NONCE)), other_nonce);
    let other_message =
        "the token is about another message: its hash is not the SHA-256 of this one";
    assert_eq!(refused(&with_nonce, b"", Some(NONCE)), Err(other_message.to_owned()));
}

#[test]
fn a_refusal_is_reported_with_the_authoritys_reason() {
    let folder = Folder::with_authority(Key::P256);
    folder.write("message", MESSAGE);
    folder.openssl("ts -query -data message -sha512 -out query.tsq");
    let response = folder.respond(&folder.read("query.tsq"));
    assert_eq!(
        read_response(&response).unwrap_err().to_string(),
        "the authority refused to make a timestamp: rejection, the hash algorithm is not supported \
         (badAlg), `Message digest algorithm is not supported.`"
    );
}

#[test]
fn a_response_without_a_token_or_with_other_bytes_is_refused() {
    for (response, expected) in [
        ("", "the authority's response is not a TimeStampResp in DER"),
        ("<html>", "the authority's response is not a TimeStampResp in DER"),
        (
            "\x30\x05\x30\x03\x02\x01\x00",
            "the authority's response states success, but contains no token",
        ),
        (
            "\x30\x05\x30\x03\x02\x01\x01",
            "the authority's response states success, but contains no token",
        ),
        ("\x30\x05\x30\x03\x02\x01\x03", "the authority refused to make a timestamp: waiting"),
        ("\x30\x05\x30\x03\x02\x01\x63", "the authority refused to make a timestamp: status 99"),
        (
            "\x30\x0e\x30\x0c\x02\x01\x02\x30\x07\x0c\x05\x1b[1mx",
            "the authority refused to make a timestamp: rejection, `\\u{1b}[1mx`",
        ),
        (
            "\x30\x09\x30\x07\x02\x01\x02\x03\x02\x04\x10",
            "the authority refused to make a timestamp: rejection, failure 3",
        ),
        (
            "\x30\x05\x30\x03\x02\x01\x00\x00",
            "the authority's response is not a TimeStampResp in DER",
        ),
    ] {
        let error = read_response(response.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{response:?}");
    }
}
