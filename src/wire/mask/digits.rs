//! Digits in every script, and the characters that may separate the digits of one number.

use std::ops::RangeInclusive;

/// The value of a numeral that is not a decimal digit, such as `½`.
pub const OTHER_NUMERAL: u8 = 10;

/// The zeros of Unicode's decimal digits (general category Nd); the nine that follow each are 1 to 9.
/// Subscripts and digits with a comma are among them, because compatibility normalization makes
/// digits of them.
const ZEROS: [char; 71] = [
    '0',
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{de6}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{1090}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1946}',
    '\u{19d0}',
    '\u{1a80}',
    '\u{1a90}',
    '\u{1b50}',
    '\u{1bb0}',
    '\u{1c40}',
    '\u{1c50}',
    '\u{2080}',
    '\u{a620}',
    '\u{a8d0}',
    '\u{a900}',
    '\u{a9d0}',
    '\u{a9f0}',
    '\u{aa50}',
    '\u{abf0}',
    '\u{ff10}',
    '\u{104a0}',
    '\u{10d30}',
    '\u{11066}',
    '\u{110f0}',
    '\u{11136}',
    '\u{111d0}',
    '\u{112f0}',
    '\u{11450}',
    '\u{114d0}',
    '\u{11650}',
    '\u{116c0}',
    '\u{11730}',
    '\u{118e0}',
    '\u{11950}',
    '\u{11c50}',
    '\u{11d50}',
    '\u{11da0}',
    '\u{11f50}',
    '\u{16a60}',
    '\u{16ac0}',
    '\u{16b50}',
    '\u{1ccf0}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
    '\u{1e140}',
    '\u{1e2f0}',
    '\u{1e4f0}',
    '\u{1e950}',
    '\u{1f101}',
    '\u{1fbf0}',
];

/// Other runs of digits that normalization folds: the first character, its value, how many follow it.
/// Superscripts, and digits in circles, in parentheses and with a full stop.
const RUNS: [(char, u8, u8); 15] = [
    ('\u{2070}', 0, 1),
    ('\u{2074}', 4, 6),
    ('\u{b2}', 2, 2),
    ('\u{b9}', 1, 1),
    ('\u{2460}', 1, 9),
    ('\u{2474}', 1, 9),
    ('\u{2488}', 1, 9),
    ('\u{24ea}', 0, 1),
    ('\u{24f5}', 1, 9),
    ('\u{24ff}', 0, 1),
    ('\u{2776}', 1, 9),
    ('\u{2780}', 1, 9),
    ('\u{278a}', 1, 9),
    ('\u{1f100}', 0, 1),
    ('\u{1369}', 1, 9),
];

/// Letters by their category that look like punctuation or are invisible, so that they can separate
/// digits: apostrophes and colons, marks on digits, Arabic's tatweel, the strokes of Korean,
/// the dash of Japanese and Chinese's "one", which people type for a dash.
const LETTERS_THAT_SEPARATE: [RangeInclusive<char>; 20] = [
    '\u{2b9}'..='\u{2c1}',
    '\u{2c6}'..='\u{2d1}',
    '\u{2ec}'..='\u{2ee}',
    '\u{345}'..='\u{345}',
    '\u{374}'..='\u{374}',
    '\u{559}'..='\u{559}',
    '\u{5b0}'..='\u{5c7}',
    '\u{610}'..='\u{61a}',
    '\u{640}'..='\u{640}',
    '\u{64b}'..='\u{65f}',
    '\u{670}'..='\u{670}',
    '\u{7fa}'..='\u{7fa}',
    '\u{115f}'..='\u{1160}',
    '\u{1173}'..='\u{1175}',
    '\u{3031}'..='\u{3035}',
    '\u{30fc}'..='\u{30fc}',
    '\u{3161}'..='\u{3164}',
    '\u{4e00}'..='\u{4e00}',
    '\u{ff70}'..='\u{ff70}',
    '\u{ffa0}'..='\u{ffdc}',
];

/// Plus signs. After one of them, fewer digits make a telephone number.
const PLUS_SIGNS: [char; 7] =
    ['+', '\u{207a}', '\u{208a}', '\u{2795}', '\u{fb29}', '\u{fe62}', '\u{ff0b}'];

/// The value of a digit of any script; [`OTHER_NUMERAL`] for a numeral that has none, `None` for
/// anything else.
pub fn digit(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.to_digit(10).map(|value| value as u8);
    }
    let after = |first: char| u32::from(c).checked_sub(u32::from(first));
    let of_zero = |zero: &char| after(*zero).filter(|value| *value < 10);
    let of_run = |(first, value, count): &(char, u8, u8)| {
        after(*first)
            .filter(|steps| *steps < u32::from(*count))
            .map(|steps| steps + u32::from(*value))
    };
    let value = ZEROS.iter().find_map(of_zero).or_else(|| RUNS.iter().find_map(of_run));
    let value = value.and_then(|value| u8::try_from(value).ok());
    value.or_else(|| c.is_numeric().then_some(OTHER_NUMERAL))
}

/// Whether a character may separate the digits of one number.
pub fn is_separator(c: char) -> bool {
    let letter = || LETTERS_THAT_SEPARATE.iter().any(|letters| letters.contains(&c));
    (!c.is_alphanumeric() || letter()) && digit(c).is_none()
}

/// Whether a character is a plus sign.
pub fn is_plus(c: char) -> bool {
    PLUS_SIGNS.contains(&c)
}

#[cfg(test)]
mod tests {
    use super::{OTHER_NUMERAL, digit, is_separator};

    #[test]
    fn digits_of_every_script_have_their_value() {
        for (text, value) in [
            ("7", 7),
            ("\u{ff17}", 7),
            ("\u{667}", 7),
            ("\u{96d}", 7),
            ("\u{1d7d5}", 7),
            ("\u{b2}", 2),
            ("\u{b9}", 1),
            ("\u{2077}", 7),
            ("\u{2466}", 7),
            ("\u{bd}", OTHER_NUMERAL),
        ] {
            assert_eq!(digit(text.chars().next().unwrap()), Some(value), "{text}");
        }
        assert_eq!(digit('a'), None);
        // Unicode has a digit wherever Rust sees a numeral.
        let numerals = ('\0'..=char::MAX).filter(|c| c.is_numeric());
        assert!(numerals.clone().count() > 1_000);
        assert!(numerals.into_iter().all(|c| digit(c).is_some()));
    }

    #[test]
    fn whatever_is_no_letter_and_no_digit_separates() {
        for c in
            " -.()/,_:\u{a0}\u{200b}\u{2011}\u{2013}\u{3000}\n\0\u{fe0f}\u{20e3}\u{3164}\u{30fc}\u{ff70}\u{640}\u{64b}\u{2bc}\u{4e00}\u{3161}"
                .chars()
        {
            assert!(is_separator(c), "{c:?}");
        }
        for c in "a7\u{ff17}é中½".chars() {
            assert!(!is_separator(c), "{c:?}");
        }
    }
}
