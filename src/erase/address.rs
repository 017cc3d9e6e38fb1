//! The address of an erasure: it is recognised on every channel, in every notation, and within text.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::domain::RecordedEvent;
use crate::wire::mask::digits::{digit, is_plus, is_separator};
use crate::wire::number::WrittenAddress;

/// Fewer digits are a short code, which has no country code.
const NUMBER_DIGITS_MIN: usize = 7;

/// How many times a text may have been percent-encoded.
const ENCODED_MAX: u32 = 4;

/// An address whose messages are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The digits of the numbers that may be meant; usually one.
    Number(Vec<String>),
    /// In lower case.
    Name(String),
}

impl Address {
    /// Parses an address as somebody wrote it. A channel's prefix is dropped; a number needs its country code,
    /// because an erasure must not guess. The digits of Messenger are no telephone number.
    ///
    /// ```
    /// use delivery_ledger::erase::Address;
    ///
    /// let address = Address::parse("+1 (555) 867-5310").unwrap();
    /// assert!(address.is("whatsapp:+15558675310") && !address.is("+15558675311"));
    /// assert!(Address::parse("(555) 867-5310").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = without_prefix(text.trim());
        let written = WrittenAddress::parse(rest).filter(|_| !rest.contains('*'));
        let written = written.ok_or_else(|| format!("`{text}` is not a whole address"))?;
        if !written.is_number() {
            return Ok(Self(Kind::Name(rest.to_lowercase())));
        }
        let is_short_code = rest.len() < NUMBER_DIGITS_MIN && !rest.starts_with('0');
        let is_of_messenger = has_prefix(text.trim(), "messenger") && !rest.starts_with('0');
        let is_complete = is_short_code || is_of_messenger;
        if is_complete && rest.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(Kind::Number(vec![rest.to_owned()])));
        }
        if !rest.starts_with(is_plus) && !rest.starts_with("00") {
            return Err(format!(
                "`{text}` may be a number of several countries; write + and the country code first, \
                 such as +15558675310"
            ));
        }
        let texts = written.pattern(None).texts();
        let numbers = texts.iter().filter_map(|number| number.strip_prefix('+'));
        let numbers = numbers.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match numbers.map(str::to_owned).collect::<Vec<_>>() {
            numbers if numbers.is_empty() => Err(format!("`{text}` is no telephone number")),
            numbers => Ok(Self(Kind::Number(numbers))),
        }
    }

    /// Whether this is the address of a sender or recipient, whatever its prefix or notation.
    pub fn is(&self, address: &str) -> bool {
        let rest = without_prefix(address.trim());
        match &self.0 {
            Kind::Name(name) => rest.to_lowercase() == *name,
            Kind::Number(numbers) => digits_alone(rest).is_some_and(|digits| {
                let digits = digits.strip_prefix("00").unwrap_or(&digits);
                numbers.iter().any(|number| number == digits)
            }),
        }
    }

    /// Whether the address stands anywhere in the content of an event, escaped or not.
    pub fn is_in(&self, event: &RecordedEvent) -> bool {
        let headers = event.headers.iter().map(|(_, value)| value);
        let notes = event.notes.values().map(String::as_bytes);
        let parts = [event.body.as_slice(), event.url.as_bytes()].into_iter();
        parts.chain(headers).chain(notes).any(|part| self.is_in_bytes(part))
    }

    /// Whether the address stands anywhere in these bytes, escaped or not.
    pub fn is_in_bytes(&self, bytes: &[u8]) -> bool {
        // Spaces of a form; between the digits of a number, a plus is no obstacle.
        let is_in_form = || {
            let space = |byte: &u8| if *byte == b'+' { b' ' } else { *byte };
            self.is_in_encoded(&bytes.iter().map(space).collect::<Vec<u8>>(), ENCODED_MAX)
        };
        self.is_in_encoded(bytes, ENCODED_MAX)
            || (matches!(self.0, Kind::Name(_)) && bytes.contains(&b'+') && is_in_form())
    }

    /// The same for bytes that may be percent-encoded this many times.
    fn is_in_encoded(&self, bytes: &[u8], times: u32) -> bool {
        if self.is_in_text(&String::from_utf8_lossy(bytes)) {
            return true;
        }
        let decoded: Cow<'_, [u8]> = percent_decode(bytes).into();
        match decoded {
            Cow::Owned(decoded) if times > 0 => self.is_in_encoded(&decoded, times - 1),
            Cow::Owned(_) | Cow::Borrowed(_) => false,
        }
    }

    fn is_in_text(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Name(name) => text.to_lowercase().contains(name),
            Kind::Number(numbers) => numbers.iter().any(|number| has_number(text, number)),
        }
    }
}

/// Whether a text has a telephone number with its country code: `+` or `00`, and at least seven digits after it,
/// also with separators between them.
///
/// ```
/// use delivery_ledger::erase::has_international_number;
///
/// assert!(has_international_number("request of +1 (555) 867-5310"));
/// assert!(!has_international_number("DSR-2026-0017"));
/// ```
pub fn has_international_number(text: &str) -> bool {
    let text: Vec<char> = text.chars().map(|c| plain(c).unwrap_or(c)).collect();
    (0..text.len()).any(|at| {
        let is_after_digit = at > 0 && text[at - 1].is_ascii_digit();
        let rest = match &text[at..] {
            ['0', '0', rest @ ..] if !is_after_digit => rest,
            [plus, rest @ ..] if is_plus(*plus) => rest,
            _ => return false,
        };
        let number = rest.iter().take_while(|c| c.is_ascii_digit() || is_separator(**c));
        let digits: String = number.filter(|c| c.is_ascii_digit()).collect();
        // No country code begins with zero.
        digits.len() >= NUMBER_DIGITS_MIN && !digits.starts_with('0')
    })
}

fn has_prefix(address: &str, wanted: &str) -> bool {
    address.split_once(':').is_some_and(|(prefix, _)| prefix.eq_ignore_ascii_case(wanted))
}

/// The address after its channel, such as `whatsapp:`.
fn without_prefix(address: &str) -> &str {
    match address.split_once(':') {
        Some((prefix, rest)) if prefix.bytes().all(|byte| byte.is_ascii_alphabetic()) => rest,
        _ => address,
    }
}

/// The digits of a number, in whatever script and with whatever separators; `None` if it has letters.
fn digits_alone(text: &str) -> Option<String> {
    let mut digits = String::new();
    for c in text.chars() {
        match plain(c) {
            Some(digit) => digits.push(digit),
            None if is_separator(c) || is_plus(c) => {}
            None => return None,
        }
    }
    Some(digits)
}

/// Whether a text has a number of these digits, alone or with spaces and punctuation between them.
fn has_number(text: &str, number: &str) -> bool {
    // Digits without anything between them, of what may be one number.
    let mut groups: Vec<String> = Vec::new();
    let mut is_digit_before = false;
    for c in text.chars() {
        match plain(c) {
            Some(digit) if is_digit_before => {
                groups.last_mut().expect("a digit was before").push(digit);
            }
            Some(digit) => groups.push(digit.to_string()),
            None if " -.()/+\u{a0}\u{2011}".contains(c) => {}
            None if has_number_in(&groups, number) => return true,
            None => groups.clear(),
        }
        is_digit_before = plain(c).is_some();
    }
    has_number_in(&groups, number)
}

/// Whether some of these groups, one after the other, are the number; zeros before it do not count.
fn has_number_in(groups: &[String], number: &str) -> bool {
    (0..groups.len()).any(|first| {
        let mut digits = groups[first].trim_start_matches('0').to_owned();
        let mut following = groups[first + 1..].iter();
        while digits.len() < number.len() {
            let Some(next) = following.next() else { break };
            digits.push_str(next);
        }
        digits == number
    })
}

fn plain(c: char) -> Option<char> {
    match c.is_ascii() {
        true => c.is_ascii_digit().then_some(c),
        false => digit(c).and_then(|value| char::from_digit(value.into(), 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, has_international_number};

    #[test]
    fn a_number_is_recognised_on_every_channel_and_in_every_notation() {
        let address = Address::parse("whatsapp:+1 (555) 867-5310").unwrap();
        for same in ["+15558675310", "rcs:+15558675310", "0015558675310", "+1 555 867-5310"] {
            assert!(address.is(same), "{same}");
        }
        for other in ["+15558675311", "15558675", "ACME", ""] {
            assert!(!address.is(other), "{other}");
        }
    }

    #[test]
    fn a_number_is_found_in_text() {
        let address = Address::parse("+15558675310").unwrap();
        for text in [
            "To=%2B15558675310&Body=",
            "call 1 (555) 867-5310 now",
            "%2B1%20555%20867%205310",
            "{\"to\":\"+15558675310\"}",
            "Body=call+%2B1+555+867+5310+at+8",
            "15558675310 12:30",
        ] {
            assert!(address.is_in_bytes(text.as_bytes()), "{text}");
        }
        for text in ["To=%2B1555&From=8675310", "155586753100", "915558675310"] {
            assert!(!address.is_in_bytes(text.as_bytes()), "{text}");
        }
        let short = Address::parse("12345").unwrap();
        assert!(short.is_in_bytes(b"From=12345&To=%2B4912345678"));
        assert!(!short.is_in_bytes(b"To=%2B4912345678"));
    }

    #[test]
    fn an_address_is_found_however_often_it_was_encoded() {
        let address = Address::parse("+15558675310").unwrap();
        for text in ["%31%35558675310", "%2531%2535558675310", "%252525315558675310"] {
            assert!(address.is_in_bytes(text.as_bytes()), "{text}");
        }
        let name = Address::parse("Jane Doe").unwrap();
        for text in ["From=Jane+Doe", "Jane%20Doe", "a%3Fb%3Djane%2520doe", "x=Jane%2BDoe+Jane+Doe"]
        {
            assert!(name.is_in_bytes(text.as_bytes()), "{text}");
        }
        assert!(!name.is_in_bytes(b"From=Jane&To=Doe"));
    }

    #[test]
    fn the_digits_of_messenger_are_taken_as_they_are() {
        let address = Address::parse("messenger:1000123456789012").unwrap();
        assert!(address.is("messenger:1000123456789012"));
        assert!(!address.is("messenger:1000123456789013"));
        assert!(address.is_in_bytes(b"To=messenger%3A1000123456789012&"));
        assert!(Address::parse("1000123456789012").is_err());
    }

    #[test]
    fn a_text_has_a_number_if_it_has_a_country_code_and_enough_digits() {
        for text in
            ["+15558675310", "of 0049 (151) 2345-678", "DSR-17+1.555.867.5310", "+(0049) 30 12345"]
        {
            assert!(has_international_number(text), "{text}");
        }
        for text in ["DSR-2026-0017", "DSR+17", "2000012345678", "0000123456789", "+123456", ""] {
            assert!(!has_international_number(text), "{text}");
        }
    }

    #[test]
    fn an_address_that_could_be_another_one_is_refused() {
        for text in ["", "*5310", "+1555*", "5558675310", "15558675310"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        assert!(Address::parse("ACME").unwrap().is("acme"));
    }
}
