//! Finds signatures and hashes in a text, which are masked completely.
//!
//! A hash of masked data confirms a guess at it, and six digits are guessed in a second. A signature
//! can sign other requests.

use std::ops::Range;

/// The number of hexadecimal digits from which a word is a hash: SHA-1 has 40, a SID 34.
const HASH_DIGITS_MIN: usize = 40;

/// The number of characters that may separate a name from its value.
const BETWEEN_MAX: usize = 6;

/// Parts of the names of signatures and hashes, in lower case.
const NAMES: [&str; 2] = ["bodysha256", "signature"];

/// The ends of the names of hashes and of values as sensitive; in lower case, without `_` and `-`.
const ENDINGS: [&str; 10] = [
    "sha1",
    "sha256",
    "sha512",
    "md5",
    "hmac",
    "hash",
    "digest",
    "checksum",
    "etag",
    // With the key of a send, an attacker could try which number it was for.
    "idempotencykey",
];

/// Whether the value under a name, in lower case and without `_` and `-`, is a signature or a hash.
pub fn is_name(name: &str) -> bool {
    // Settings say which key and algorithm sign.
    let is_ours = NAMES.iter().any(|part| name.contains(part)) && !name.ends_with("settings");
    is_ours || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The places of signatures and hashes.
pub fn within(text: &[char]) -> Vec<Range<usize>> {
    let hashes = words(text, |c| c.is_ascii_hexdigit());
    let hashes = hashes.into_iter().filter(|word| word.len() >= HASH_DIGITS_MIN);
    hashes
        .chain(words(text, char::is_alphanumeric).into_iter().filter_map(|w| named(text, w)))
        .collect()
}

fn words(text: &[char], is_part: impl Fn(char) -> bool) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut begin = 0;
    for end in 0..=text.len() {
        if text.get(end).is_some_and(|c| is_part(*c)) {
            continue;
        }
        if begin < end {
            words.push(begin..end);
        }
        begin = end + 1;
    }
    words
}

/// The value that follows a word which ends a signature's or hash's name.
fn named(text: &[char], word: Range<usize>) -> Option<Range<usize>> {
    let name: String = text[word.clone()].iter().collect::<String>().to_ascii_lowercase();
    if !NAMES.iter().any(|known| name.ends_with(known)) {
        return None;
    }
    let between = text[word.end..].iter().take_while(|c| !c.is_alphanumeric() && **c != '*');
    let between: Vec<_> = between.take(BETWEEN_MAX).collect();
    let begin = word.end + between.len();
    let is_value = |c: &&char| c.is_alphanumeric() || ['+', '/', '=', '-', '_'].contains(*c);
    let length = text[begin..].iter().take_while(is_value).count();
    let assigns = between.iter().any(|c| [':', '='].contains(*c));
    (assigns && length > 0).then(|| begin..begin + length)
}

#[cfg(test)]
mod tests {
    use super::{is_name, within};

    fn hidden(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        within(&chars).into_iter().map(|at| chars[at].iter().collect::<String>() + ";").collect()
    }

    #[test]
    fn signatures_and_hashes_are_found_in_a_text() {
        let sha256 = "0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789";
        assert_eq!(hidden(&format!("it was {sha256}.")), format!("{sha256};"));
        assert_eq!(hidden("?a=1&BodySHA256=abc&b=2"), "abc;");
        assert_eq!(hidden("X-Twilio-Signature: ab/c+d= x"), "ab/c+d=;");
        assert_eq!(hidden("{\"x-twilio-signature\":\"ab=\"}"), "ab=;");
        for other in ["the signature fits none", "SM00000000000000000000000000000001", ""] {
            assert_eq!(hidden(other), "", "{other}");
        }
    }

    #[test]
    fn names_of_hashes_are_known() {
        for name in ["bodysha256", "xtwiliosignature", "requesthash", "idempotencykey"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["xtwiliowebhookssignaturesettings", "to", "hashtag"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
