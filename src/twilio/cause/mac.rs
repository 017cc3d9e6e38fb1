//! The signature's bytes, also from a text that something on the way has encoded again.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use percent_encoding::percent_decode;

/// Takes text with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Lengths of SHA-1 and SHA-256: no other text is a signature.
const MAC_BYTES: [usize; 2] = [20, 32];

/// The bytes, and whether the text had to be mended first; `None` if it is no signature at all.
pub fn of(signature: &[u8]) -> Option<(Vec<u8>, bool)> {
    if signature.is_empty() {
        return None;
    }
    if let Ok(mac) = STANDARD.decode(signature) {
        return Some((mac, false));
    }
    // A header that was there twice arrives as a list.
    signature.split(|byte| *byte == b',').find_map(mended).map(|mac| (mac, true))
}

fn mended(signature: &[u8]) -> Option<Vec<u8>> {
    let decoded: Vec<u8> = percent_decode(signature.trim_ascii()).collect();
    let decoded = decoded.trim_ascii().iter().copied();
    let standard = |byte| match byte {
        b' ' | b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let text: Vec<u8> =
        decoded.filter(|byte| !matches!(byte, b'"' | b'\'' | b'\\')).map(standard).collect();
    let mac = LENIENT.decode(text).ok()?;
    MAC_BYTES.contains(&mac.len()).then_some(mac)
}
