//! Decides which characters of a text are masked. Escapes are resolved to decide, and masked in place.

use std::borrow::Cow;
use std::ops::Range;

use super::chars::{Coding, Unit, peeled, readings};
use super::digits::{OTHER_NUMERAL, digit, is_plus, is_separator};
use super::known_forms::{Form, in_forms};
use super::secrets;

/// The number of digits of an address that are shown.
pub const DIGITS_SHOWN: usize = 4;

/// The number of digits from which a number counts as an address, with and without a leading `+`. A
/// date has eight.
const DIGITS_WITH_PLUS: usize = 6;
const DIGITS_WITHOUT_PLUS: usize = 9;

/// The number of digits from which an address is also found inside other numbers, and the number of its
/// last digits by which a shorter number matches it. A local number has seven.
pub const DIGITS_KNOWN_MIN: usize = 7;

/// Addresses of one event that are searched for elsewhere in it. A callback has two; without a limit, a
/// hostile body could take quadratic time.
const KNOWN_MAX: usize = 64;

/// Characters that may separate the digits of one number.
const SEPARATORS_MAX: usize = 6;

/// What is masked in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// An address: only its last digits are shown.
    Address,
    /// A person's name: nothing is shown.
    Name,
    /// A signature or a hash: not even its length is shown.
    Secret,
    /// A text that may contain addresses.
    Text,
    /// A text that may contain addresses. If it has this form, only addresses known from elsewhere in
    /// the event are masked.
    Fixed(Form),
}

/// One of several consecutive texts.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    pub text: Cow<'a, [u8]>,
    pub coding: Coding,
    pub rule: Rule,
}

/// The digits of an event's addresses, to be found elsewhere in it.
#[derive(Debug, Clone, Default)]
pub struct Known(Vec<Vec<u8>>);

impl Known {
    /// Of these addresses.
    pub fn of<'a>(addresses: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut all: Vec<_> = addresses.into_iter().map(digits_of).collect();
        all.retain(|digits| digits.len() >= DIGITS_KNOWN_MIN);
        all.sort_unstable();
        all.dedup();
        all.truncate(KNOWN_MAX);
        Self(all)
    }

    /// Whether digits end like one of the addresses.
    fn ends(&self, digits: &[u8]) -> bool {
        let end = digits.len().checked_sub(DIGITS_KNOWN_MIN).map(|at| &digits[at..]);
        end.is_some_and(|end| self.0.iter().any(|address| address.ends_with(end)))
    }
}

/// The digits of a text, however it is escaped.
pub fn digits_of(text: &[u8]) -> Vec<u8> {
    peeled(text, Coding::Plain).iter().filter_map(|unit| digit(unit.char)).collect()
}

impl<'a> Part<'a> {
    /// A text that is not escaped.
    pub fn plain(text: &'a [u8], rule: Rule) -> Self {
        Self { text: Cow::Borrowed(text), coding: Coding::Plain, rule }
    }

    /// The raw text of a form's parameter.
    pub fn encoded(text: impl Into<Cow<'a, [u8]>>, rule: Rule) -> Self {
        Self { text: text.into(), coding: Coding::Encoded, rule }
    }
}

/// Masks a text by a rule.
pub fn masked(text: &str, rule: Rule, known: &Known) -> String {
    let parts = masked_parts(&[Part::plain(text.as_bytes(), rule)], known);
    String::from_utf8_lossy(&parts.concat()).into_owned()
}

/// Masks each part by its rule, and numbers that reach from one part into the next. A masked character
/// becomes one `*`, however it is escaped.
pub fn masked_parts(parts: &[Part<'_>], known: &Known) -> Vec<Vec<u8>> {
    let mut hidden: Vec<Vec<Range<usize>>> = vec![Vec::new(); parts.len()];
    let all: Vec<_> = parts.iter().map(|part| readings(&part.text, part.coding)).collect();
    let layers = all.iter().map(Vec::len).max().unwrap_or(0);
    for layer in 0..layers {
        let read = all.iter().map(|readings| &*readings[layer.min(readings.len() - 1)]);
        hide(parts, &read.collect::<Vec<_>>(), known, &mut hidden);
    }
    parts.iter().zip(hidden).map(|(part, hidden)| render(part, hidden)).collect()
}

/// Marks what is masked in one reading of the parts.
fn hide(parts: &[Part<'_>], read: &[&[Unit]], known: &Known, hidden: &mut [Vec<Range<usize>>]) {
    let mut line = Vec::new();
    for (number, (part, units)) in parts.iter().zip(read).enumerate() {
        let chars: Vec<char> = units.iter().map(|unit| unit.char).collect();
        let mut note = |at: usize| hidden[number].push(units[at].at.clone());
        match part.rule {
            Rule::Address => hidden_of_word(&chars, DIGITS_SHOWN).for_each(&mut note),
            Rule::Name => hidden_of_word(&chars, 0).for_each(&mut note),
            Rule::Secret | Rule::Text | Rule::Fixed(_) => {}
        }
        secrets::within(&chars).into_iter().flatten().for_each(&mut note);
        known_within(&chars, known).into_iter().for_each(&mut note);
        let is_form = matches!(part.rule, Rule::Fixed(form) if form.fits(&chars));
        let in_forms = if is_form { vec![true; chars.len()] } else { in_forms(&chars) };
        // Between two parts stands something that is neither letter nor digit.
        line.push(Char { char: '\n', is_plus: false, in_form: false, at: None });
        line.extend(chars.iter().enumerate().map(|(at, char)| Char {
            char: *char,
            is_plus: is_plus(*char) || (at == 0 && *char == ' '),
            in_form: in_forms[at],
            at: Some((number, at)),
        }));
    }
    for (part, at) in numbers(&line, known) {
        hidden[part].push(read[part][at].at.clone());
    }
}

/// A character of the consecutive parts.
struct Char {
    char: char,
    /// A leading space, which is a `+` that was not escaped.
    is_plus: bool,
    /// It belongs to a known form that is not a number.
    in_form: bool,
    /// Its part, and its place there.
    at: Option<(usize, usize)>,
}

impl Char {
    fn digit(&self) -> Option<u8> {
        digit(self.char).filter(|_| !self.in_form)
    }

    fn separates(&self) -> bool {
        is_separator(self.char) && !self.in_form
    }
}

/// The masked digits of what looks like a telephone number.
fn numbers(line: &[Char], known: &Known) -> Vec<(usize, usize)> {
    let mut hidden = Vec::new();
    let mut at = 0;
    while at < line.len() {
        if line[at].digit().is_none() {
            at += 1;
            continue;
        }
        let (places, end) = run(line, at);
        let digits: Vec<u8> = places.iter().filter_map(|place| line[*place].digit()).collect();
        // A numeral such as ⑫ may stand for two.
        let weights = digits.iter().map(|digit| if *digit == OTHER_NUMERAL { 2 } else { 1 });
        let count: usize = weights.sum();
        let before = line[..at].iter().rev().take(SEPARATORS_MAX).take_while(|c| c.separates());
        let plus = before.chain(&line[at..end]).any(|c| c.is_plus);
        let enough = if plus { DIGITS_WITH_PLUS } else { DIGITS_WITHOUT_PLUS };
        if enough <= count || known.ends(&digits) {
            let shown = places.len().saturating_sub(DIGITS_SHOWN);
            hidden.extend(places[..shown].iter().filter_map(|place| line[*place].at));
        }
        at = end;
    }
    hidden
}

/// The positions of the digits of the number that begins at a position, and the end of the last.
fn run(line: &[Char], begin: usize) -> (Vec<usize>, usize) {
    let (mut places, mut end, mut between) = (Vec::new(), begin, 0);
    for (at, c) in line.iter().enumerate().skip(begin) {
        if c.digit().is_some() {
            places.push(at);
            (end, between) = (at + 1, 0);
        } else if c.separates() {
            // What stands between two parts is ours to count.
            between += usize::from(c.at.is_some());
        }
        if !(c.digit().is_some() || c.separates()) || between > SEPARATORS_MAX {
            break;
        }
    }
    (places, end)
}

/// Everything but punctuation, a prefix such as `whatsapp:` and the last digits.
fn hidden_of_word(chars: &[char], digits_shown: usize) -> impl Iterator<Item = usize> {
    let colon = chars.iter().position(|c| *c == ':').unwrap_or(0);
    let is_prefix = digits_shown > 0 && chars[..colon].iter().all(char::is_ascii_alphabetic);
    let begin = if is_prefix { colon } else { 0 };
    let mut left = digits_shown;
    (begin..chars.len()).rev().filter(move |at| {
        let c = chars[*at];
        let stays = digit(c).is_some() && left > 0;
        left -= usize::from(stays);
        !stays && (c.is_ascii_alphanumeric() || !c.is_ascii())
    })
}

/// The places of known addresses without their last digits, whatever separates the digits.
fn known_within(chars: &[char], known: &Known) -> Vec<usize> {
    let digits: Vec<_> =
        chars.iter().enumerate().filter_map(|(at, c)| Some((at, digit(*c)?))).collect();
    let mut hidden = Vec::new();
    for address in &known.0 {
        for at in digits.windows(address.len()) {
            if at.iter().map(|(_, digit)| digit).eq(address) {
                hidden.extend(at[..address.len() - DIGITS_SHOWN].iter().map(|(at, _)| *at));
            }
        }
    }
    hidden
}

fn render(part: &Part<'_>, mut hidden: Vec<Range<usize>>) -> Vec<u8> {
    if part.rule == Rule::Secret && !part.text.is_empty() {
        return b"*".to_vec();
    }
    hidden.sort_unstable_by_key(|range| (range.start, range.end));
    let mut shown = Vec::with_capacity(part.text.len());
    let mut at = 0;
    for range in hidden {
        if range.start >= at {
            shown.extend_from_slice(&part.text[at..range.start]);
            shown.push(b'*');
        }
        at = at.max(range.end);
    }
    shown.extend_from_slice(&part.text[at..]);
    shown
}
