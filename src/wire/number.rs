//! Addresses as people write them: telephone numbers in any spelling.
//!
//! One spelling can be understood in several ways: `447400795454` is an international number without
//! its `+`, or a national number, or an identifier. All of them are searched for.
//! The rules of each country are libphonenumber's; they add half a mebibyte to the program, and are
//! decoded when the first number is read.

use phonenumber::Mode;
use phonenumber::country::Id;

use super::mask::digits::{digit, is_plus, is_separator};
use crate::domain::channel::ADDRESS_PREFIXES;
use crate::domain::country::Country;
use crate::domain::message::filter::{AddressPattern, Candidate, SUFFIX_DIGITS_MIN};

/// The length of an international number in digits: E.164 allows at most 15, and no country has
/// numbers of fewer than 7 with its calling code.
const INTERNATIONAL_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The maximum number of digits in a spelling: the longest number after the longest international
/// prefix, with room for a national prefix in parentheses.
const WRITTEN_DIGITS_MAX: usize = 24;

/// Digits alone of this length are a short code, and only if they are a valid national number too,
/// also that.
const SHORT_CODE_DIGITS: std::ops::RangeInclusive<usize> = 3..=8;

/// An address as somebody wrote it, or `*` and the last digits of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenAddress(String);

/// The digits of a spelling, without what separates them.
struct Spelling {
    has_plus: bool,
    digits: String,
    /// The digits without a national prefix in parentheses, as in `+44 (0)20 …`.
    without_prefix: Option<String>,
    /// Nothing but ASCII digits.
    is_plain: bool,
}

impl WrittenAddress {
    /// Parses any text except an empty one, or a `*` without at least four digits after it, or `+` and
    /// digits before it.
    pub fn parse(text: &str) -> Option<Self> {
        let text = without_separators(text).unwrap_or_else(|| text.to_owned());
        AddressPattern::parse(&text).map(|_| Self(text))
    }

    /// The pattern of all addresses that may have been meant. Numbers without their calling code are
    /// those of the default country; without one they cannot be understood.
    ///
    /// A number finds the messages on every channel, a number after a channel's prefix only those on
    /// that channel. A leading space counts as a `+` too: an unescaped `+` in a URL's query is
    /// decoded as a space.
    ///
    /// ```
    /// use delivery_ledger::domain::country::Country;
    /// use delivery_ledger::wire::number::WrittenAddress;
    ///
    /// let written = WrittenAddress::parse("(020) 7946 0018").unwrap();
    /// let pattern = written.pattern(Country::parse("GB"));
    /// assert!(pattern.matches("+442079460018") && pattern.matches("whatsapp:+442079460018"));
    /// ```
    pub fn pattern(&self, default_country: Option<Country>) -> AddressPattern {
        let Self(text) = self;
        let parsed = AddressPattern::parse(text);
        if let Some(part @ (AddressPattern::Suffix(_) | AddressPattern::Prefix(_))) = parsed {
            return part;
        }
        let (prefix, number) = split_prefix(text);
        let mut candidates = Vec::new();
        let mut add = |candidate: Candidate| {
            if !candidates.contains(&candidate) {
                candidates.push(candidate);
            }
        };
        for number in Spelling::read(number).map_or(Vec::new(), |it| it.numbers(default_country)) {
            add(match prefix {
                Some(prefix) => Candidate::Address(format!("{prefix}:{number}")),
                None => Candidate::Number(number),
            });
        }
        let is_listed = |one: &Candidate| one.as_str() == text;
        if !candidates.iter().any(is_listed) {
            candidates.push(Candidate::Address(text.clone()));
        }
        AddressPattern::AnyOf(candidates)
    }

    /// True if it consists of digits, in any spelling, or is `*` and digits: no name of a sender.
    pub fn is_number(&self) -> bool {
        let Self(text) = self;
        text.starts_with('*') || Spelling::read(split_prefix(text).1).is_some()
    }

    /// The digits, if they are a short code that may be meant as the end of a number.
    pub fn possible_suffix(&self) -> Option<&str> {
        let Self(text) = self;
        let is_one = text.len() >= SUFFIX_DIGITS_MIN
            && Spelling::read(text).is_some_and(|it| it.is_short_code());
        is_one.then_some(text)
    }

    /// True if this is a national number that cannot be understood without a default country.
    pub fn needs_default_country(&self) -> bool {
        let Self(text) = self;
        let spelling = Spelling::read(split_prefix(text).1).filter(|_| !text.starts_with('*'));
        spelling
            .is_some_and(|it| !it.is_short_code() && !it.has_plus && it.international().is_none())
    }
}

impl Spelling {
    /// Reads a text of digits in any script, with a `+` before them and separators between them;
    /// `None` for any other text, such as a sender's name.
    fn read(text: &str) -> Option<Self> {
        let mut digits = String::new();
        let mut has_plus = false;
        let plain = |c: char| digit(c).and_then(|value| char::from_digit(value.into(), 10));
        for c in text.chars() {
            match plain(c) {
                Some(digit) => digits.push(digit),
                None if is_plus(c) && digits.is_empty() => has_plus = true,
                None if is_separator(c) && !is_plus(c) && !c.is_alphanumeric() => {}
                None => return None,
            }
        }
        let is_number = (1..=WRITTEN_DIGITS_MAX).contains(&digits.len());
        let is_plain = digits == text;
        has_plus |= text.starts_with(' ') && !digits.starts_with('0');
        let parts = text.split_once("(0)");
        let without_prefix = parts.filter(|_| has_plus || digits.starts_with("00"));
        let without_prefix =
            without_prefix.map(|(a, b)| a.chars().chain(b.chars()).filter_map(plain).collect());
        is_number.then_some(Self { has_plus, digits, without_prefix, is_plain })
    }

    fn is_short_code(&self) -> bool {
        self.is_plain && SHORT_CODE_DIGITS.contains(&self.digits.len())
    }

    /// The numbers that may be meant, in E.164 if possible, the most probable first.
    fn numbers(&self, default_country: Option<Country>) -> Vec<String> {
        let in_country = default_country.and_then(|country| country.as_str().parse().ok());
        if self.is_short_code() {
            let national = self.by_library(in_country).filter(|number| number.is_valid());
            return national.map(|number| e164(&number)).into_iter().collect();
        }
        let without_prefix = self.without_prefix.as_deref();
        let without_prefix = without_prefix.and_then(|digits| self.to_international(digits));
        let international = self.international();
        let read = match self.has_plus {
            false => self.by_library(in_country),
            true if self.may_have_national_prefix() => {
                self.by_library(None).filter(phonenumber::PhoneNumber::is_valid)
            }
            true => None,
        };
        let read = read.map(|number| e164(&number));
        let as_written = (!self.has_plus).then(|| self.digits.clone());
        [without_prefix, international, read, as_written].into_iter().flatten().collect()
    }

    /// The digits as an international number, after `+`, `00` or neither.
    fn international(&self) -> Option<String> {
        self.to_international(&self.digits)
    }

    fn to_international(&self, digits: &str) -> Option<String> {
        let digits = match self.has_plus {
            true => digits,
            false => digits.strip_prefix("00").unwrap_or(digits),
        };
        let is_number = !digits.starts_with('0') && INTERNATIONAL_DIGITS.contains(&digits.len());
        is_number.then(|| format!("+{digits}"))
    }

    /// True if a zero may follow the calling code of one to three digits, as in `+44 (0)20 …`. Without
    /// this check every number would be looked up, the first of each country for milliseconds.
    fn may_have_national_prefix(&self) -> bool {
        self.digits.bytes().skip(1).take(3).any(|digit| digit == b'0')
    }

    fn by_library(&self, country: Option<Id>) -> Option<phonenumber::PhoneNumber> {
        let plus = if self.has_plus { "+" } else { "" };
        phonenumber::parse(country, format!("{plus}{}", self.digits)).ok()
    }
}

/// The beginning of a number without the characters between its digits: `+4420*` for `+44 (20)*`;
/// `None` if the text is anything else.
fn without_separators(text: &str) -> Option<String> {
    let number = text.strip_prefix('+')?.strip_suffix('*')?;
    let (digits, others): (String, String) = number.chars().partition(char::is_ascii_digit);
    let are_separators = others.chars().all(|c| " ().-/".contains(c));
    are_separators.then(|| format!("+{digits}*"))
}

fn e164(number: &phonenumber::PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

/// The channel's prefix in small letters, if the address has one, and the rest.
fn split_prefix(address: &str) -> (Option<&'static str>, &str) {
    let Some((before, rest)) = address.split_once(':') else { return (None, address) };
    let is = |name: &&str| before.eq_ignore_ascii_case(name);
    match ADDRESS_PREFIXES.into_iter().find(is) {
        Some(prefix) => (Some(prefix), rest),
        // As in a link on a web page.
        None if is(&"tel") => (None, rest),
        None => (None, address),
    }
}

#[cfg(test)]
mod tests {
    use super::WrittenAddress;
    use crate::domain::country::Country;
    use crate::domain::message::filter::{AddressPattern, Candidate};

    fn pattern(text: &str, country: &str) -> AddressPattern {
        WrittenAddress::parse(text).unwrap().pattern(Country::parse(country))
    }

    fn searched_for(text: &str, country: &str) -> Vec<String> {
        match pattern(text, country) {
            AddressPattern::AnyOf(candidates) => {
                candidates.iter().map(|one| one.as_str().to_owned()).collect()
            }
            part => part.texts(),
        }
    }

    #[test]
    fn every_spelling_of_a_number_finds_it_on_every_channel() {
        for (text, country) in [
            ("+447400795454", ""),
            ("+44 7400 795454", ""),
            ("+44 (0)7400 795454", ""),
            ("+44-7400.795/454", ""),
            ("00447400795454", ""),
            ("0044 7400 795454", "DE"),
            ("447400795454", ""),
            ("447400795454", "DE"),
            ("44 7400 795454", "GB"),
            ("07400 795454", "GB"),
            ("(07400) 795454", "GB"),
            ("7400 795454", "GB"),
            ("011 44 7400 795454", "US"),
            (" 447400795454", ""),
            (" 07400 795454", "GB"),
            ("tel:+44-7400-795454", ""),
            ("\u{202a}+44\u{a0}7400\u{2011}795454\u{202c}", ""),
            ("＋４４７４００７９５４５４", ""),
            ("+٤٤٧٤٠٠٧٩٥٤٥٤", ""),
        ] {
            let pattern = pattern(text, country);
            for found in ["+447400795454", "whatsapp:+447400795454", "rcs:+447400795454"] {
                assert!(pattern.matches(found), "{text:?} {country}: {pattern:?}");
            }
            for other in ["+447400795455", "+1447400795454", "whatsapp+447400795454"] {
                assert!(!pattern.matches(other), "{text:?} {country}: {other}");
            }
        }
    }

    #[test]
    fn a_number_with_a_prefix_is_searched_for_on_that_channel_only() {
        for text in ["whatsapp:+44 7400 795454", "WhatsApp:07400 795454", "whatsapp: 447400795454"]
        {
            let pattern = pattern(text, "GB");
            assert!(pattern.matches("whatsapp:+447400795454"), "{text}");
            assert!(!pattern.matches("+447400795454"), "{text}");
            assert!(!pattern.matches("rcs:+447400795454"), "{text}");
        }
    }

    #[test]
    fn the_addresses_searched_for_are_few_and_the_most_probable_comes_first() {
        for (text, country, expected) in [
            ("+447400795454", "US", &["+447400795454"][..]),
            ("+15558675310", "", &["+15558675310"]),
            ("020 7946 0018", "GB", &["+442079460018", "02079460018", "020 7946 0018"]),
            ("020 7946 0018", "", &["02079460018", "020 7946 0018"]),
            (
                "(555) 867-5310",
                "US",
                &["+5558675310", "+15558675310", "5558675310", "(555) 867-5310"],
            ),
            (
                "06 698 12345",
                "IT",
                &["+3906 69812345".replace(' ', "").as_str(), "0669812345", "06 698 12345"],
            ),
            ("20123456", "DK", &["+4520123456", "20123456"]),
            // A number that no operator has been assigned, but with a national prefix all the same.
            ("+49 (0)151 65621", "", &["+4915165621", "+49015165621", "+49 (0)151 65621"]),
            (
                "0049 (0)151 65621",
                "",
                &["+4915165621", "+49015165621", "0049015165621", "0049 (0)151 65621"],
            ),
        ] {
            assert_eq!(searched_for(text, country), expected, "{text} {country}");
        }
    }

    #[test]
    fn last_digits_short_codes_and_names_are_searched_for_as_they_are() {
        for text in
            ["*5454", "12345", "894546", "ACME", "Acme 24", "1-800-FLOWERS", "rcs:acme_agent"]
        {
            assert_eq!(searched_for(text, "GB"), [text]);
        }
        assert!(!pattern("ACME", "").matches("acme"));
        assert_eq!(
            pattern("12345", "GB"),
            AddressPattern::AnyOf(vec![Candidate::Address("12345".to_owned())])
        );
    }

    #[test]
    fn the_beginning_of_a_number_may_have_separators() {
        assert_eq!(searched_for("+44 (20) 79-4*", ""), ["+4420794*"]);
        for text in ["+*", "+ *", "+44a*", "+44**", "44*", "+4*4", "ACME*", "whatsapp:*5454"] {
            assert_eq!(WrittenAddress::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_national_number_needs_a_default_country() {
        let needs = |text| WrittenAddress::parse(text).unwrap().needs_default_country();
        assert!(needs("020 7946 0018") && needs("whatsapp:07400795454"));
        assert!(!needs("+442079460018") && !needs("0044 20 7946 0018"));
        assert!(!needs("12345") && !needs("ACME") && !needs("*0018"));
    }

    /// For example, +44 7400 123456 is 07400 123456 in Great Britain.
    #[test]
    fn a_number_as_its_country_writes_it_is_found() {
        let (mut numbers, mut unread) = (0, Vec::new());
        for country in Country::all() {
            let Some(metadata) = phonenumber::metadata::DATABASE.by_id(country.as_str()) else {
                panic!("{country}");
            };
            let kinds = metadata.descriptors();
            let examples = [kinds.mobile(), kinds.fixed_line()].into_iter().flatten();
            for example in examples.filter_map(|kind| kind.example()) {
                let full = format!("+{}{example}", metadata.country_code());
                let number = phonenumber::parse(None, &full).unwrap();
                let national = number.format().mode(phonenumber::Mode::National).to_string();
                numbers += 1;
                if !pattern(&national, country.as_str()).matches(&full) {
                    unread.push(format!("{country} {full} {national}"));
                }
            }
        }
        assert!(numbers > 400, "{numbers}");
        // The library takes the area code 250 for the calling code.
        assert_eq!(unread, ["RW +250250123456 250 123 456"]);
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_searched_for_and_finds_itself(text in "\\PC{1,30}") {
            proptest::prop_assume!(!text.contains('*'));
            proptest::prop_assert!(pattern(&text, "AR").matches(&text));
        }
    }

    #[test]
    fn no_digits_make_the_library_panic() {
        let mut random = fastrand::Rng::with_seed(1);
        // One country after the other: the library caches few regular expressions.
        for country in Country::all().flat_map(|country| [country; 40]) {
            let length = random.usize(1..26);
            let plus = if random.bool() { "+" } else { "" };
            let zeros = ["", "0", "00"][random.usize(0..3)];
            let digits = (0..length).map(|_| char::from(random.u8(b'0'..=b'9')));
            let text = format!("{plus}{zeros}{}", digits.collect::<String>());
            pattern(&text, country.as_str());
        }
    }
}
