//! The time in a token: a GeneralizedTime with or without a fraction.

use crate::domain::Timestamp;

/// Parses `YYYYMMDDhhmmss[.f…]Z`; digits beyond microseconds are dropped. `None` if it is anything else.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(a, b)| (a, Some(b)));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !fraction.is_none_or(digits) {
        return None;
    }
    let part = |range| &whole[range];
    Timestamp::parse(&format!(
        "{}-{}-{}T{}:{}:{}.{}Z",
        part(0..4),
        part(4..6),
        part(6..8),
        part(8..10),
        part(10..12),
        part(12..14),
        fraction.unwrap_or("0"),
    ))
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn parsed(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(|at| at.to_string())
    }

    #[test]
    fn a_time_may_have_a_fraction_and_digits_beyond_microseconds_are_dropped() {
        for (text, expected) in [
            ("20261125190956Z", "2026-11-25T19:09:56.000000Z"),
            ("20261125190956.5Z", "2026-11-25T19:09:56.500000Z"),
            ("20261125190956.0420Z", "2026-11-25T19:09:56.042000Z"),
            ("20261125190956.123456999999999Z", "2026-11-25T19:09:56.123456Z"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_forms_of_time_are_not_read() {
        for text in [
            "",
            "Z",
            "20261125190956",
            "20261125190956.Z",
            "20261125190956+0100",
            "20261125190956.5+0100",
            "202611251909Z",
            "261125190956Z",
            "20261325190956Z",
            "20260230190956Z",
            "20261125240956Z",
            "2026112519095\u{661}Z",
            "20261125190956.5.5Z",
            "-0261125190956Z",
        ] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }
}
