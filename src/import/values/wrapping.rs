//! Removes what spreadsheets and copying add around a text: blanks, quotes, formulas, apostrophes.

use std::borrow::Cow;

/// The maximum number of layers that are removed.
const LAYERS_MAX: usize = 4;

/// True if a character is white space or invisible: byte order marks, zero-width spaces, and the
/// direction marks in copied phone numbers.
pub fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
}

/// The text without its wrapping, and a description of each removed layer.
///
/// ```
/// use delivery_ledger::import::values::unwrapped;
///
/// let (text, done) = unwrapped("=\"+15558675310\"");
/// assert_eq!((&*text, &*done), ("+15558675310", &["a formula around it"][..]));
/// ```
pub fn unwrapped(value: &str) -> (Cow<'_, str>, Vec<&'static str>) {
    let mut text = value;
    let mut done = Vec::new();
    let mut note = |what| {
        if !done.contains(&what) {
            done.push(what);
        }
    };
    for _ in 0..LAYERS_MAX {
        let trimmed = text.trim_matches(is_blank);
        if trimmed != text {
            note("blanks around it");
        }
        let (inside, what) = without_layer(trimmed);
        text = inside;
        match what {
            Some(what) => note(what),
            None => break,
        }
    }
    (Cow::Borrowed(text), done)
}

/// The text without its outermost layer, and a description of that layer.
fn without_layer(text: &str) -> (&str, Option<&'static str>) {
    let quoted = |text: &'_ str| {
        let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        inside.filter(|inside| !inside.contains('"')).map(str::len)
    };
    // `="+1555…"` and `=+1555…` keep Excel from taking a number for one.
    if let Some(formula) = text.strip_prefix('=') {
        if let Some(length) = quoted(formula) {
            return (&formula[1..=length], Some("a formula around it"));
        }
        let is_number = formula.strip_prefix('+').is_some_and(super::is_digits);
        return match is_number {
            true => (formula, Some("a formula around it")),
            false => (text, None),
        };
    }
    if let Some(length) = quoted(text) {
        return (&text[1..=length], Some("quotes around it"));
    }
    // An apostrophe makes a cell text; this program's CSV uses it too, against formulas.
    match text.strip_prefix('\'') {
        Some(rest) => (rest.strip_suffix('\'').unwrap_or(rest), Some("an apostrophe before it")),
        None => (text, None),
    }
}
