//! Searches a text for a phone number, through every encoding and spelling.

use std::collections::{BTreeSet, HashMap};

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::spelled::ZEROS;

/// The number of nested escapes that are resolved.
const ROUNDS: usize = 4;

/// The number of consecutive hidden digits that counts as revealing a number.
const DIGITS: usize = 7;

/// True if a text reveals a number: any seven consecutive digits that should be hidden.
pub fn reveals(text: &[u8], digits: &str) -> bool {
    revealed(text, [digits]).is_some()
}

/// Returns the first of these numbers that a text reveals.
pub fn revealed<'n>(text: &[u8], numbers: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let mut windows = HashMap::new();
    for digits in numbers {
        let hidden = &digits.as_bytes()[..digits.len() - 4];
        windows.extend(hidden.windows(DIGITS).map(|window| (window, digits)));
    }
    readings(text).iter().find_map(|reading| {
        reading.as_bytes().windows(DIGITS).find_map(|at| windows.get(at).copied())
    })
}

/// Every decoding of a text, with digits in ASCII and separators removed.
pub fn readings(text: &[u8]) -> Vec<String> {
    let mut texts = vec![String::from_utf8_lossy(text).into_owned()];
    let mut all = Vec::new();
    for _ in 0..ROUNDS {
        texts.extend(texts.clone().iter().flat_map(|text| base64_in(text)));
        all.extend(texts.iter().map(|text| stripped(text)));
        let resolved: BTreeSet<_> = texts.iter().map(|text| unescaped(text)).collect();
        texts = resolved.into_iter().filter(|text| !texts.contains(text)).collect();
    }
    all
}

fn stripped(text: &str) -> String {
    let folded = text.chars().map(|c| {
        let value = |zero: &char| (c as u32).checked_sub(*zero as u32).filter(|value| *value < 10);
        ZEROS.iter().find_map(value).map_or(c, |value| char::from_digit(value, 10).unwrap())
    });
    folded.filter(|c| c.is_alphanumeric()).collect()
}

/// Resolves JSON escapes and percent-encoding once.
fn unescaped(text: &str) -> String {
    let (mut units, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let code = rest.strip_prefix("\\u").and_then(|rest| rest.get(..4));
        let code = code.and_then(|code| u16::from_str_radix(code, 16).ok());
        match code {
            Some(code) => (units.push(code), rest = &rest[6..]),
            None => {
                (units.extend(c.encode_utf16(&mut [0; 2]).iter()), rest = &rest[c.len_utf8()..])
            }
        };
    }
    let text = String::from_utf16_lossy(&units);
    percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

fn base64_in(text: &str) -> Vec<String> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=-_".contains(c));
    let words = words.filter(|word| word.len() >= 12);
    let engines = [STANDARD, URL_SAFE].map(|alphabet| GeneralPurpose::new(&alphabet, config));
    let decoded = words.flat_map(|word| engines.iter().filter_map(move |e| e.decode(word).ok()));
    decoded.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
}
