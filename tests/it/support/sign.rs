//! Twilio's signature algorithm, implemented independently of the product, so that the two cannot share a
//! bug. tests/data has signatures from the official SDK to compare with.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// The configured account's primary token.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// Its secondary token.
pub const SECONDARY_TOKEN: &str = "fedcba9876543210fedcba9876543210";
/// The secret of the shared key `webhooks_sharedkey_01`.
pub const SHARED_KEY: &str = "a shared key's secret";

/// The X-Twilio-Signature of a form.
pub fn signature(token: &str, url: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).unwrap();
    mac.update(&signed_text(url, body));
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The X-Twilio-Signature of a JSON body, whose hash is in the URL.
pub fn json_signature(token: &str, url: &str) -> String {
    signature(token, url, b"")
}

/// The X-Twilio-Signature of a form, made with a shared key.
pub fn shared_key_signature(secret: &str, url: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(&signed_text(url, body));
    STANDARD.encode(mac.finalize().into_bytes())
}

fn signed_text(url: &str, body: &[u8]) -> Vec<u8> {
    let decode = |text: &[u8]| {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some((&byte, after)) = rest.split_first() {
            let hex = |at: usize| char::from(*after.get(at)?).to_digit(16);
            match (byte, hex(0), hex(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.push((high * 16 + low) as u8);
                    rest = &after[2..];
                    continue;
                }
                (b'+', ..) => bytes.push(b' '),
                _ => bytes.push(byte),
            }
            rest = after;
        }
        bytes
    };
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = body
        .split(|byte| *byte == b'&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| {
            let mut halves = piece.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default());
            (name, decode(halves.next().unwrap_or_default()))
        })
        .collect();
    pairs.sort();
    pairs.dedup();
    let mut text = url.as_bytes().to_vec();
    for (name, value) in pairs {
        text.extend(name);
        text.extend(value);
    }
    text
}
