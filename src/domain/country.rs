//! The country that an address lies in, told from a telephone number's leading digits.
//!
//! What the digits mean is `phonenumber`'s knowledge (Google's libphonenumber). To read one number
//! takes it 5 to 25 µs, and a projection asks for every message, so that what it said is remembered
//! by the digits that decide.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use phonenumber::metadata::DATABASE;

/// A country by its two letters (ISO 3166-1; XK is Kosovo).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

/// How many digits a whole number has, calling code included (E.164 allows no more).
const DIGITS_MIN: usize = 7;
const DIGITS_MAX: usize = 15;

/// How many digits behind the calling code decide where several countries share it. In North America
/// these are the area code and one more, elsewhere the narrowest ranges are told by five.
const DECIDING_DIGITS_OF_1: usize = 4;
const DECIDING_DIGITS: usize = 5;

/// Stands for the digits that do not decide.
const FILLER: u8 = b'2';

/// How many answers are remembered, in sets of one cache line: more than there are ranges in use, in
/// 512 KB.
const MEMO_SETS: usize = 1 << 13;
const SET_SLOTS: usize = 8;

/// What a calling code says of the country.
#[derive(Clone, Copy)]
enum CallingCode {
    /// There is no such code, or it belongs to no country.
    None,
    One(Country),
    Shared,
}

impl Country {
    /// The country of an address, with or without a channel in front (`whatsapp:+49…`).
    ///
    /// Only `+` and 7 to 15 digits are a number; anything else lies in no country, and so do numbers
    /// that belong to none, such as +800. Where a calling code has one country it is that one,
    /// however the number goes on. Where several share it, it is the country that `phonenumber` finds
    /// for a number as long as this one, with the same first digits (four behind +1, five behind the
    /// others) and a 2 for each digit behind them: none where no such number is assigned.
    ///
    /// ```
    /// use delivery_ledger::domain::country::Country;
    ///
    /// let country = |address| Country::of_address(address).map(|country| country.to_string());
    /// assert_eq!(country("+14155552671").as_deref(), Some("US"));
    /// assert_eq!(country("rcs:+16137827274").as_deref(), Some("CA"));
    /// assert_eq!(country("+15558675310"), None); // 555 is no area code
    /// assert_eq!(country("messenger:4155552671"), None);
    /// ```
    pub fn of_address(address: &str) -> Option<Self> {
        let number = address.rsplit_once(':').map_or(address, |(_, number)| number);
        let digits = number.strip_prefix('+')?.as_bytes();
        let is_number = (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len())
            && digits.iter().all(u8::is_ascii_digit);
        if !is_number {
            return None;
        }
        match calling_code(digits) {
            (_, CallingCode::None) => None,
            (_, CallingCode::One(country)) => Some(country),
            (length, CallingCode::Shared) => of_shared_code(digits, length),
        }
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

/// Reads the tables that countries are told by, which otherwise the first address waits for: some 50 ms.
pub fn get_ready() {
    LazyLock::force(&CODES);
    ask(b"14155", DIGITS_MIN);
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

/// What each number of up to three digits says.
static CODES: LazyLock<Vec<CallingCode>> = LazyLock::new(|| (0..1000).map(code_of).collect());

/// How long the calling code is that a number begins with, and what it says. No code begins another.
fn calling_code(digits: &[u8]) -> (usize, CallingCode) {
    let mut code = 0;
    for (digit, length) in digits.iter().zip(1..=3) {
        code = code * 10 + usize::from(digit - b'0');
        match CODES[code] {
            CallingCode::None => {}
            found => return (length, found),
        }
    }
    (0, CallingCode::None)
}

fn code_of(code: u16) -> CallingCode {
    match DATABASE.region(&code).as_deref() {
        None | Some([]) => CallingCode::None,
        // 001 is what belongs to no country.
        Some([region]) => Country::parse(region).map_or(CallingCode::None, CallingCode::One),
        Some(_) => CallingCode::Shared,
    }
}

/// Each answer with what it answers: the deciding digits and the length of the number. Whatever
/// order threads write in, a slot holds a right answer to one question, and one that was
/// overwritten is found again the slow way.
static MEMO: [[AtomicU64; SET_SLOTS]; MEMO_SETS] =
    [const { [const { AtomicU64::new(0) }; SET_SLOTS] }; MEMO_SETS];

fn of_shared_code(digits: &[u8], code_length: usize) -> Option<Country> {
    let deciding =
        if code_length == 1 && digits[0] == b'1' { DECIDING_DIGITS_OF_1 } else { DECIDING_DIGITS };
    let deciding = &digits[..digits.len().min(code_length + deciding)];
    let number = deciding.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'));
    // A calling code does not begin with 0, so no question is 0.
    let question = number << 4 | digits.len() as u64;
    let hash = question.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let set = &MEMO[(hash >> 32) as usize % MEMO_SETS];
    for slot in set {
        match slot.load(Ordering::Relaxed) {
            remembered if remembered >> 16 == question => return letters(remembered as u16),
            0 => break,
            _ => {}
        }
    }
    let country = ask(deciding, digits.len());
    let answer = country.map_or(0, |Country(letters)| u16::from_be_bytes(letters));
    let is_empty = |slot: &&AtomicU64| slot.load(Ordering::Relaxed) == 0;
    // A full set gives up one answer, another one for another question.
    let slot = set.iter().find(is_empty).unwrap_or(&set[(hash >> 48) as usize % SET_SLOTS]);
    slot.store(question << 16 | u64::from(answer), Ordering::Relaxed);
    country
}

fn letters(answer: u16) -> Option<Country> {
    (answer != 0).then(|| Country(answer.to_be_bytes()))
}

/// What `phonenumber` says of a number that begins with these digits and has so many.
fn ask(deciding: &[u8], length: usize) -> Option<Country> {
    let digits = deciding.iter().copied().chain(std::iter::repeat(FILLER)).take(length);
    let number: String = ['+'].into_iter().chain(digits.map(char::from)).collect();
    let region = phonenumber::parse(None, number).ok()?.country().id()?;
    Country::parse(region.as_ref())
}
