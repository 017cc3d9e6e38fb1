//! The country of an address, from the leading digits of its telephone number.
//! The table of ranges (`country_ranges.in`) is generated from Google's libphonenumber.

mod names;

use std::collections::BTreeSet;
use std::fmt;

use super::similar::suggestion;

/// A two-letter country code (ISO 3166-1; XK is Kosovo).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// The length of a number in digits, including the calling code (E.164 allows at most 15).
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;

/// The number of leading digits that are looked up: a calling code of up to three, and five more.
const DECIDING_DIGITS: usize = 8;

/// The countries of numbers with 7, 8, … 15 digits; `--` stands for none.
type ByLength = [[u8; 2]; DIGITS_MAX - DIGITS_MIN + 1];

/// A range of numbers: those of equal length are in the same country.
struct Range {
    /// The first [`DECIDING_DIGITS`] of its lowest number. It ends where the next range begins.
    begin: u32,
    /// An index into [`BY_LENGTH`].
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
    /// `None` if the address is not `+` and 7 to 15 digits, or if the number belongs to no country,
    /// such as +800. If a calling code belongs to one country, the digits after it do not matter. If
    /// several countries share it, the result is that of libphonenumber for the same leading digits
    /// (four after +1, five after others) and length, with a 2 for every other digit: `None` if no
    /// such number is assigned.
    ///
    /// ```
    /// use delivery_ledger::domain::country::Country;
    ///
    /// let country = |address| Country::from_address(address).map(|country| country.to_string());
    /// assert_eq!(country("+14155552671").as_deref(), Some("US"));
    /// assert_eq!(country("rcs:+16137827274").as_deref(), Some("CA"));
    /// assert_eq!(country("+15558675310"), None); // 555 is not an area code
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
        // The shortest number has one digit less than DECIDING_DIGITS.
        let deciding = digits.iter().chain(b"0").take(DECIDING_DIGITS);
        let deciding = deciding.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        let after = RANGES.partition_point(|range| range.begin <= deciding);
        let range = &RANGES[after.checked_sub(1)?];
        let letters = BY_LENGTH[usize::from(range.by_length)][digits.len() - DIGITS_MIN];
        (letters != NONE).then_some(Self(letters))
    }

    /// Every country that has telephone numbers, in alphabetical order.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        let letters: BTreeSet<_> =
            BY_LENGTH.iter().flatten().filter(|letters| **letters != NONE).collect();
        let countries: Vec<_> = letters.into_iter().map(|letters| Self(*letters)).collect();
        countries.into_iter()
    }

    /// The country with this code, in upper or lower case, if it has telephone numbers.
    ///
    /// # Errors
    ///
    /// What was expected instead, with a similar code.
    ///
    /// ```
    /// use delivery_ledger::domain::country::Country;
    ///
    /// assert_eq!(Country::from_code("de").unwrap().as_str(), "DE");
    /// let expected = Country::from_code("UK").unwrap_err();
    /// assert!(expected.ends_with("; the United Kingdom is GB"), "{expected}");
    /// ```
    pub fn from_code(code: &str) -> Result<Self, String> {
        let letters = code.to_ascii_uppercase();
        let all: Vec<_> = Self::all().collect();
        if let Some(country) = all.iter().find(|country| country.as_str() == letters) {
            return Ok(*country);
        }
        // The first two of three letters are mostly the code of two.
        let begin =
            all.iter().find(|country| letters.len() == 3 && letters.starts_with(country.as_str()));
        let similar = match (letters.as_str(), begin) {
            // Not its code, but a common abbreviation.
            ("UK", _) => "; the United Kingdom is GB".to_owned(),
            (_, Some(country)) => format!("; similar: {country}"),
            (_, None) => suggestion(&letters, all.iter().map(Self::as_str)),
        };
        Err(format!("the two-letter code of a country (ISO 3166-1), such as GB{similar}"))
    }

    /// Parses two capital letters.
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
