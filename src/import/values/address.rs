//! Checks addresses: E.164 numbers, short codes and sender names, with or without a channel
//! prefix as in `whatsapp:+15558675310`.

use super::{is_digits, is_scientific};

/// E.164 has at most 15 digits (ITU-T).
const E164_DIGITS_MAX: usize = 15;

/// No country's short codes are longer.
const SHORT_CODE_DIGITS_MAX: usize = 8;

/// Texts that programs write into empty cells or for booleans.
const NO_ADDRESSES: [&str; 8] = ["true", "false", "nan", "none", "null", "undefined", "n/a", "nil"];

/// Checks an address; the error is the reason it is damaged.
pub fn check(address: &str) -> Result<(), String> {
    let (channel, plain) = match address.split_once(':') {
        Some((channel, rest)) if is_channel(channel) => (Some(channel), rest),
        _ => (None, address),
    };
    let is_named = plain.chars().any(char::is_alphabetic);
    match () {
        _ if plain.contains(['*', '•', '…']) || has_crosses(plain) => {
            Err("it is masked, so it is not what Twilio has".to_owned())
        }
        _ if is_scientific(plain) => {
            Err("a spreadsheet made a number with an exponent of it, and digits are lost"
                .to_owned())
        }
        _ if plain.starts_with('+') => e164(&plain[1..]),
        // After a channel prefix digits may be any id, such as that of a page, not a telephone number.
        _ if is_digits(plain) => channel.map_or_else(|| digits(plain), |_| Ok(())),
        _ if NO_ADDRESSES.iter().any(|word| word.eq_ignore_ascii_case(plain)) => {
            Err("it is no address".to_owned())
        }
        _ if plain.chars().any(char::is_control) => Err("it has control characters".to_owned()),
        _ if is_named => Ok(()),
        _ => Err("Twilio writes a number as + and digits, without anything in between".to_owned()),
    }
}

/// Letters, digits and `-`, as in `whatsapp` or `messenger`.
fn is_channel(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_word)
}

/// Digits that end in or contain crosses, as in `+91848951XXXX`.
fn has_crosses(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let is_crossed = |byte: u8| byte.is_ascii_digit() || byte.eq_ignore_ascii_case(&b'x');
    digits.to_ascii_lowercase().contains("xx") && digits.bytes().all(is_crossed)
}

fn e164(digits: &str) -> Result<(), String> {
    match is_digits(digits) && digits.len() <= E164_DIGITS_MAX {
        true => Ok(()),
        false => Err(format!(
            "Twilio writes a number as + and 1 to {E164_DIGITS_MAX} digits, without anything in between"
        )),
    }
}

/// Digits alone are valid as a short code. A longer text has lost its `+`, but it may also be a national
/// number, so it is not repaired.
fn digits(digits: &str) -> Result<(), String> {
    match digits.len() <= SHORT_CODE_DIGITS_MAX {
        true => Ok(()),
        false => Err("it is too long for a short code, and a number has lost its +".to_owned()),
    }
}
