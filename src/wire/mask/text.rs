//! Which bytes of a text are hidden. Text that stands percent-encoded is judged by what it means
//! and hidden where it stands.

use std::ops::Range;

/// How many digits of an address stay.
pub const DIGITS_SHOWN: usize = 4;

/// From how many digits on a number is taken for an address: with a `+` before it, and without.
/// A date has eight.
const DIGITS_WITH_PLUS: usize = 6;
const DIGITS_WITHOUT_PLUS: usize = 9;

/// From how many digits on an address is looked for inside of other numbers.
const DIGITS_KNOWN_MIN: usize = 7;

/// From how many letters and digits on a word is an id, such as a SID, whose digits are no number.
const ID_LENGTH_MIN: usize = 32;

/// What may stand between the digits of one number, and how much of it.
const SEPARATORS: &[u8] = b" -.()/";
const SEPARATORS_MAX: usize = 3;

/// How a text is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It is an address: nothing but its last digits stays.
    Address,
    /// It is somebody's name: nothing of it stays.
    Name,
    /// It may hold addresses.
    Text,
    /// It is of a form that looks like a number and is none; only the addresses that are known
    /// to stand beside it are hidden.
    Fixed,
}

/// The digits of the addresses that an event names, to be found again elsewhere in it.
#[derive(Debug, Clone, Default)]
pub struct Known(Vec<Vec<u8>>);

impl Known {
    /// Of these addresses.
    pub fn of<'a>(addresses: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let digits = |address: &[u8]| address.iter().copied().filter(u8::is_ascii_digit).collect();
        let all = addresses.into_iter().map(digits);
        Self(all.filter(|digits: &Vec<u8>| digits.len() >= DIGITS_KNOWN_MIN).collect())
    }
}

/// A text with what the rule hides as `*`.
pub fn masked(text: &str, rule: Rule, known: &Known) -> String {
    let hidden = hidden(text.as_bytes(), rule, known);
    let units = (0..text.len()).map(|at| at..at + 1);
    String::from_utf8_lossy(&render(text.as_bytes(), units, &hidden)).into_owned()
}

/// The same for text that is percent-encoded; an escape that is hidden becomes one `*`.
pub fn masked_encoded(encoded: &[u8], rule: Rule, known: &Known) -> Vec<u8> {
    let units = units(encoded);
    let decoded: Vec<u8> = units.iter().map(|unit| decoded(&encoded[unit.clone()])).collect();
    let hidden = hidden(&decoded, rule, known);
    render(encoded, units.into_iter(), &hidden)
}

/// What percent-encoded text means.
pub fn decode(encoded: &[u8]) -> Vec<u8> {
    units(encoded).into_iter().map(|unit| decoded(&encoded[unit])).collect()
}

fn render(text: &[u8], units: impl Iterator<Item = Range<usize>>, hidden: &[bool]) -> Vec<u8> {
    let shown = |(unit, hidden): (Range<usize>, &bool)| match hidden {
        true => b"*".as_slice(),
        false => &text[unit],
    };
    units.zip(hidden).flat_map(shown).copied().collect()
}

/// Each byte or escape, by where it stands.
fn units(encoded: &[u8]) -> Vec<Range<usize>> {
    let mut units = Vec::with_capacity(encoded.len());
    let mut at = 0;
    while at < encoded.len() {
        let digits = encoded.get(at + 1..at + 3);
        let escape =
            encoded[at] == b'%' && digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
        let length = if escape { 3 } else { 1 };
        units.push(at..at + length);
        at += length;
    }
    units
}

fn decoded(unit: &[u8]) -> u8 {
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
    match unit {
        [_, high, low] => digit(*high) << 4 | digit(*low),
        [b'+'] => b' ',
        [byte, ..] => *byte,
        [] => 0,
    }
}

/// For each byte, whether it is hidden.
fn hidden(text: &[u8], rule: Rule, known: &Known) -> Vec<bool> {
    let mut hidden = vec![false; text.len()];
    match rule {
        Rule::Address => hide_word(text, DIGITS_SHOWN, &mut hidden),
        Rule::Name => hide_word(text, 0, &mut hidden),
        Rule::Text => {
            numbers(text).into_iter().for_each(|number| hide_digits(text, number, &mut hidden));
            hide_known(text, known, &mut hidden);
        }
        Rule::Fixed => hide_known(text, known, &mut hidden),
    }
    hidden
}

/// Hides all that is no punctuation, but for a prefix such as `whatsapp:` and the last digits.
fn hide_word(text: &[u8], digits_shown: usize, hidden: &mut [bool]) {
    let colon = text.iter().position(|byte| *byte == b':').unwrap_or(0);
    let is_prefix = digits_shown > 0 && text[..colon].iter().all(u8::is_ascii_alphabetic);
    let begin = if is_prefix { colon } else { 0 };
    let mut left = digits_shown;
    for at in (begin..text.len()).rev() {
        let stays = text[at].is_ascii_digit() && left > 0;
        left -= usize::from(stays);
        hidden[at] = !stays && (text[at].is_ascii_alphanumeric() || !text[at].is_ascii());
    }
}

/// Hides the digits of a number but for the last.
fn hide_digits(text: &[u8], number: Range<usize>, hidden: &mut [bool]) {
    let digits: Vec<usize> = number.filter(|at| text[*at].is_ascii_digit()).collect();
    let shown = digits.len().saturating_sub(DIGITS_SHOWN);
    digits[..shown].iter().for_each(|at| hidden[*at] = true);
}

/// Hides the addresses that are known, however their digits are set apart.
fn hide_known(text: &[u8], known: &Known, hidden: &mut [bool]) {
    let places: Vec<usize> = (0..text.len()).filter(|at| text[*at].is_ascii_digit()).collect();
    let digits: Vec<u8> = places.iter().map(|at| text[*at]).collect();
    for address in &known.0 {
        for (begin, _) in digits.windows(address.len()).enumerate().filter(|(_, at)| at == address)
        {
            let shown = address.len() - DIGITS_SHOWN;
            places[begin..begin + shown].iter().for_each(|at| hidden[*at] = true);
        }
    }
}

/// What looks like a telephone number.
fn numbers(text: &[u8]) -> Vec<Range<usize>> {
    let in_id = in_id(text);
    let is_digit = |at: usize| text[at].is_ascii_digit() && !in_id[at];
    let mut numbers = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !is_digit(at) {
            at += 1;
            continue;
        }
        let (begin, mut end, mut count) = (at, at, 0);
        while at < text.len() && at - end <= SEPARATORS_MAX {
            if is_digit(at) {
                (count, end) = (count + 1, at + 1);
            } else if !SEPARATORS.contains(&text[at]) {
                break;
            }
            at += 1;
        }
        // A `+` that was not escaped means a blank.
        let plus = begin > 0 && (text[begin - 1] == b'+' || (begin == 1 && text[0] == b' '));
        let enough = if plus { DIGITS_WITH_PLUS } else { DIGITS_WITHOUT_PLUS };
        if count >= enough {
            numbers.push(begin..end);
        }
        at = end.max(begin + 1);
    }
    numbers
}

/// For each byte, whether it is part of an id.
fn in_id(text: &[u8]) -> Vec<bool> {
    let mut in_id = vec![false; text.len()];
    let mut begin = 0;
    for end in 0..=text.len() {
        if end < text.len() && text[end].is_ascii_alphanumeric() {
            continue;
        }
        in_id[begin..end].fill(end - begin >= ID_LENGTH_MIN);
        begin = (end + 1).min(text.len());
    }
    in_id
}
