//! Tokens of which something was changed.

use delivery_ledger::seal::timestamp::{Attested, verify};

use super::vectors::{Vector, vectors};

/// The bytes of a token of which a change is accepted, once for each of these flips of bits. None may change
/// what is attested.
fn accepted(vector: &Vector, trusted: &[&str], flips: &[u8]) -> Vec<usize> {
    let trusted = vector.trusted(trusted);
    let verified = |token: &[u8]| verify(token, vector.message.as_bytes(), None, &trusted).ok();
    let genuine: Attested = verified(&vector.token).unwrap();
    let mut token = vector.token.clone();
    let mut accepted = Vec::new();
    for at in 0..token.len() {
        for flip in flips {
            token[at] ^= flip;
            if let Some(of_changed) = verified(&token) {
                assert_eq!(of_changed, genuine, "byte {at}, bits {flip:02x}");
                accepted.push(at);
            }
            token[at] ^= flip;
        }
    }
    accepted
}

#[test]
fn a_changed_bit_never_gives_another_time_or_authority() {
    for (vector, expected) in vectors().iter().zip([139, 144]) {
        let root = vector.certificate("root");
        let copy = vector.token.windows(root.len()).position(|part| part == root).unwrap();
        let copy = copy..copy + root.len();
        let mut accepted = accepted(vector, &["root"], &[1, 2, 4, 8, 16, 32, 64, 128]);
        accepted.retain(|at| !copy.contains(at));
        // What is not signed and says nothing: two versions, a list of hash algorithms, parameters that are
        // NULL.
        assert_eq!(accepted.len(), expected, "{accepted:?}");
    }
}

#[test]
fn a_changed_byte_never_gives_another_time_or_authority_if_the_file_has_the_certificates_too() {
    for vector in vectors() {
        let accepted = accepted(&vector, &["authority", "root"], &[0x01, 0xff]);
        assert!(!accepted.is_empty(), "the file's certificates stand in for changed ones");
    }
}

#[test]
fn a_part_of_a_token_or_more_than_one_is_refused() {
    for vector in vectors() {
        let trusted = vector.trusted(&["root"]);
        let verified = |token: &[u8]| verify(token, vector.message.as_bytes(), None, &trusted);
        for end in 0..vector.token.len() {
            let error = verified(&vector.token[..end]).unwrap_err();
            assert_eq!(error.to_string(), "the timestamp is not a TimeStampToken in DER", "{end}");
        }
        let error = verified(&[&vector.token[..], b"\0"].concat()).unwrap_err();
        assert_eq!(error.to_string(), "the timestamp is not a TimeStampToken in DER");
    }
}
