//! The forms of Twilio's values, as far as they are certain: a longer value contains something else.

/// The maximum length of a sender's name
/// (<https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id>).
const SENDER_NAME_MAX: usize = 11;

/// The length of a SID (<https://www.twilio.com/docs/glossary/what-is-a-sid>).
const SID_LENGTH: usize = 34;

/// True if a text may be an address: `+` and digits, with or without a channel prefix, a short code, or
/// a sender's name. Twilio writes an `X` for each digit that it redacts. The form of a channel's other
/// addresses is not known, so any text may be one.
pub fn may_be_address(text: &str) -> bool {
    let (channel, address) = match text.split_once(':') {
        Some((channel, address)) => (Some(channel), address),
        None => (None, text),
    };
    match address.strip_prefix('+') {
        Some(number) => number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'X'),
        None => channel.is_some() || text.chars().count() <= SENDER_NAME_MAX,
    }
}

/// True if a text is no longer than a SID.
pub fn may_be_sid(text: &str) -> bool {
    text.len() <= SID_LENGTH
}

/// True if a text is a number, as error codes and the carrier's times are.
pub fn is_of_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True if a text may be the name of a channel.
pub fn may_be_channel(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{may_be_address, may_be_sid};

    #[test]
    fn an_address_ends_where_twilio_ends_it() {
        for address in [
            "+15558675310",
            "+1555867XXXX",
            "whatsapp:+15558675310",
            "whatsapp:US.1234",
            "rcs:acme_agent",
            "messenger:12345",
            "12345",
            "ACME Ltd",
            "",
        ] {
            assert!(may_be_address(address), "{address}");
        }
        for other in ["+15558675310Zone1", "whatsapp:+15558675310Zone1", "ACMELatitude12.5"] {
            assert!(!may_be_address(other), "{other}");
        }
    }

    #[test]
    fn a_sid_has_34_characters() {
        assert!(may_be_sid("MG0123456789abcdef0123456789abcdef"));
        assert!(!may_be_sid("MG0123456789abcdef0123456789abcdefNote1"));
    }
}
