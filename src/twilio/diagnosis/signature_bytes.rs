//! Lenient decoding of X-Twilio-Signature: also reads base64 that a proxy has encoded again.

use base64::Engine;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use percent_encoding::percent_decode;

/// Accepts base64 with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The lengths of an HMAC-SHA1 and an HMAC-SHA256.
pub const MAC_BYTES: [usize; 2] = [20, 32];

/// Decodes a signature, and says whether it had to be repaired first; `None` if it cannot be read.
pub fn decode(signature: &[u8]) -> Option<(Vec<u8>, bool)> {
    if signature.is_empty() {
        return None;
    }
    if let Ok(mac) = STANDARD.decode(signature) {
        return Some((mac, false));
    }
    // A header that was sent twice arrives as a list.
    signature.split(|byte| *byte == b',').find_map(repaired).map(|mac| (mac, true))
}

fn repaired(signature: &[u8]) -> Option<Vec<u8>> {
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
