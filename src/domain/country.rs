//! The country of an address, by the leading digits of its telephone number.
//! A generated table (`country_ranges.in`) has the answers of Google's libphonenumber.

use std::fmt;

/// A country by its two letters (ISO 3166-1; XK is Kosovo).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The length of a number in digits, calling code included (E.164 allows no more).
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;

/// The number of leading digits that decide: a calling code of up to three and five more.
const DECIDING_DIGITS: usize = 8;

/// The countries of numbers with 7, 8, … 15 digits, as pairs of letters; `--` stands for none.
type ByLength = [[u8; 2]; DIGITS_MAX - DIGITS_MIN + 1];

/// Numbers that are in the same country if they have the same length.
struct Range {
    /// The first [`DECIDING_DIGITS`] of its lowest numbers; the range ends where the next one begins.
    begin: u32,
    /// The index of its countries in [`BY_LENGTH`].
    by_length: u16,
}

const fn range(begin: u32, by_length: u16) -> Range {
    Range { begin, by_length }
}

const NONE: [u8; 2] = *b"--";

// Defines `RANGES`, sorted by `begin`, and `BY_LENGTH`. tests/it/report/country.rs generates it.
include!("country_ranges.in");

impl Country {
    /// The country of an address, with or without a channel prefix (`whatsapp:+49…`).
    ///
    /// Only `+` and 7 to 15 digits are a number; anything else is in no country, and neither are
    /// numbers that belong to none, such as +800. A calling code of a single country decides
    /// regardless of the digits after it. If several countries share a calling code, the result is
    /// what libphonenumber says of a number of this length with the same leading digits (four after
    /// +1, five after others) and a 2 for each digit after them: `None` if no such number is assigned.
    ///
    /// ```
    /// use delivery_ledger::domain::country::Country;
    ///
    /// let country = |address| Country::from_address(address).map(|country| country.to_string());
    /// assert_eq!(country("+14155552671").as_deref(), Some("US"));
    /// assert_eq!(country("rcs:+16137827274").as_deref(), Some("CA"));
    /// assert_eq!(country("+15558675310"), None); // 555 is no area code
    /// assert_eq!(country("messenger:4155552671"), None);
    /// ```
    pub fn from_address(address: &str) -> Option<Self> {
        let number = address.rsplit_once(':').map_or(address, |(_, number)| number);
        let digits = number.strip_prefix('+')?.as_bytes();
        let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit);
        if !is_number {
            return None;
        }
        // The shortest number has one digit less than may decide.
        let deciding = digits.iter().chain(b"0").take(DECIDING_DIGITS);
        let deciding = deciding.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let after = RANGES.partition_point(|range| range.begin <= deciding);
        let range = &RANGES[after.checked_sub(1)?];
        let letters = BY_LENGTH[usize::from(range.by_length)][digits.len() - DIGITS_MIN];
        (letters != NONE).then_some(Self(letters))
    }

    /// Reads two letters.
    pub fn parse(letters: &str) -> Option<Self> {
        let letters: [u8; 2] = letters.as_bytes().try_into().ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("they are two ASCII letters")
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
