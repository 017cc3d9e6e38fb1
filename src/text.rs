//! Text for people: safe to print on a terminal and in a log line, and numbers with commas.

use std::borrow::Cow;
use std::time::Duration;

/// Text with its control characters escaped, so that a callback cannot control a terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| match is_unsafe(c) {
        true => c.escape_default().collect::<String>(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// A number with commas between its thousands: `1,234,567`.
pub fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A length of time in one unit: `0.62 s`, `8.4 s`, `38 s`, `2.5 min`, `36 min`, `11 h`, `3 days`.
pub fn in_words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (value, unit) = match seconds {
        seconds if seconds < 99.5 => (seconds, "s"),
        seconds if seconds < 99.5 * 60.0 => (seconds / 60.0, "min"),
        seconds if seconds < 47.5 * 3600.0 => (seconds / 3600.0, "h"),
        seconds => (seconds / 86_400.0, "days"),
    };
    match value {
        value if value < 0.995 => format!("{value:.2} {unit}"),
        value if value < 9.95 && unit != "h" && unit != "days" => format!("{value:.1} {unit}"),
        value => format!("{value:.0} {unit}"),
    }
}

/// A text with a capital at its beginning.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Whether a character is a control character or changes the direction of the text after it.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{in_words, number};

    #[test]
    fn numbers_have_commas_between_their_thousands() {
        for (value, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (74_420, "74,420"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_length_of_time_has_one_unit_and_two_or_three_digits() {
        for (milliseconds, text) in [
            (0, "0.00 s"),
            (620, "0.62 s"),
            (1840, "1.8 s"),
            (38_000, "38 s"),
            (150_000, "2.5 min"),
            (36 * 60_000, "36 min"),
            (13 * 3_600_000, "13 h"),
            (72 * 3_600_000, "3 days"),
        ] {
            assert_eq!(in_words(Duration::from_millis(milliseconds)), text);
        }
    }
}
