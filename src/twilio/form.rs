//! A form body as pairs of bytes: nothing trimmed, nothing dropped, nothing taken for text yet.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};
use percent_encoding::percent_decode;
use smallvec::SmallVec;
use smol_str::SmolStr;

/// The media type of a form.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// How long an escape is: a percent sign and two digits.
const ESCAPE_BYTES: usize = 3;

/// Room for most names and values with escapes, addresses above all. In bytes.
const USUAL_BYTES: usize = 48;

/// Every parameter in the order of the body, percent-decoded, blank values included.
#[derive(Debug, Clone)]
pub struct Form<'a>(Vec<Pair<'a>>);

/// A name and its value.
pub type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Form<'a> {
    /// Reads a body. There is no body that is not a form: an escape that is none stands for itself.
    pub fn parse(body: &'a [u8]) -> Self {
        Self(pieces(body).map(|(name, value)| (decode(name), decode(value))).collect())
    }

    /// Every value of this name, in the order of the body.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(have, _)| **have == *name.as_bytes()).map(|(_, value)| &**value)
    }

    /// A form of these parameters.
    pub fn from_pairs(pairs: impl IntoIterator<Item = Pair<'a>>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// A name or a value without its escapes.
    pub fn parse_value(text: &[u8]) -> Cow<'_, [u8]> {
        decode(text)
    }

    /// Every parameter, in the order of the body.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair<'a>> {
        self.0.iter()
    }

    /// The same with every value changed.
    pub fn with_values(&self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let changed = |(name, value): &Pair<'a>| (name.clone(), change(value).into());
        Self(self.0.iter().map(changed).collect())
    }

    /// The same with only these parameters.
    pub fn filtered(&self, keep: impl Fn(&Pair<'a>) -> bool) -> Self {
        Self(self.0.iter().filter(|pair| keep(pair)).cloned().collect())
    }

    /// The same with the blanks around every value cut off, as some frameworks do.
    pub fn trimmed(&self) -> Self {
        self.with_values(|value| value.trim_ascii().to_vec())
    }

    /// The same without the parameters that have no value, as some frameworks leave them out.
    pub fn without_blanks(&self) -> Self {
        self.filtered(|(_, value)| !value.trim_ascii().is_empty())
    }

    /// Whether a name occurs twice with the same value, which changes nothing in the signed text.
    pub fn repeats_a_pair(&self) -> bool {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort_unstable();
        pairs.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// All parameters as Twilio signs them: names in byte order, the values of a repeated name
    /// de-duplicated and in byte order, each as name and value without any separator
    /// (<https://www.twilio.com/docs/usage/security#validating-requests>).
    pub fn signed_text(&self) -> Vec<u8> {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort_unstable();
        pairs.dedup();
        let length = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        let mut text = Vec::with_capacity(length);
        for (name, value) in pairs {
            text.extend_from_slice(name);
            text.extend_from_slice(value);
        }
        text
    }
}

/// Whether a query's parameters stand in the order of their names, as whatever sorts them puts them.
/// bodySHA256, which Twilio adds, is not counted.
pub fn is_in_order_of_names(query: &str) -> bool {
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    names.filter(|name| *name != "bodySHA256").is_sorted()
}

/// The first value of each of a few names, found in one pass over a body: nothing else of it is
/// decoded.
pub struct FirstValues<'a, const N: usize> {
    /// As they stand in the body.
    values: [Option<&'a [u8]>; N],
    /// The known names that occur, a bit each.
    known: u64,
    /// Whether a wanted or known name occurs more than once.
    pub repeated: bool,
    /// How many names are not known at all.
    pub unknown_names: usize,
    /// Whether a name that is not known, or a value, may contain a name in camel case. It is a first
    /// look that decodes nothing: it may be wrong, but misses none.
    pub may_contain_names: bool,
}

/// What a name is to whoever looks for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// It is looked for, and has this place.
    Wanted(usize),
    /// It is none of these, and has this number, which is below 64.
    Known(usize),
    Unknown,
}

impl<'a, const N: usize> FirstValues<'a, N> {
    /// Looks through a body for the names that are wanted, whose places are below `N`.
    pub fn parse(body: &'a [u8], name_of: impl Fn(&[u8]) -> Name) -> Self {
        let mut found = Self {
            values: [None; N],
            known: 0,
            repeated: false,
            unknown_names: 0,
            may_contain_names: false,
        };
        for (name, value) in pieces(body) {
            // Names are hardly ever escaped, so they are first looked for as they are.
            let known = match name_of(name) {
                Name::Unknown if is_escaped(name) => name_of(&unescaped(name)),
                known => known,
            };
            match known {
                Name::Wanted(place) => {
                    found.repeated |= found.values[place].is_some();
                    found.values[place].get_or_insert(value);
                }
                Name::Known(number) => {
                    found.repeated |= found.has_known(number);
                    found.known |= 1 << number;
                }
                Name::Unknown => {
                    found.unknown_names += 1;
                    found.may_contain_names |= may_contain_name(name);
                }
            }
            found.may_contain_names |= may_contain_name(value);
        }
        found
    }

    /// Whether the known name with this number occurs.
    pub fn has_known(&self, number: usize) -> bool {
        self.known & 1 << number != 0
    }

    /// Whether the name with this place occurs, with whatever value.
    pub fn has(&self, place: usize) -> bool {
        self.values[place].is_some()
    }

    /// The first value of the name with this place; nothing where it is empty or absent. Bytes that
    /// are not UTF-8 become U+FFFD, since every use of it is a word to show or compare.
    pub fn text(&self, place: usize) -> Option<Cow<'a, str>> {
        let value = self.value(place)?;
        Some(match is_escaped(value) {
            true => Cow::Owned(text(&unescaped(value)).into_owned()),
            false => text(value),
        })
    }

    /// The same, to be kept; a short one, as most are, takes no memory of its own.
    pub fn kept(&self, place: usize) -> Option<SmolStr> {
        let value = self.value(place)?;
        Some(match is_escaped(value) {
            true => SmolStr::new(text(&unescaped(value))),
            false => SmolStr::new(text(value)),
        })
    }

    /// Whether the name with this place has a value that is not empty.
    pub fn has_value(&self, place: usize) -> bool {
        self.value(place).is_some()
    }

    fn value(&self, place: usize) -> Option<&'a [u8]> {
        self.values[place].filter(|value| !value.is_empty())
    }
}

/// Whether a text has a capital behind a small letter, as every name of two words has, or an escape
/// of a letter that may hide one.
pub fn may_contain_name(text: &[u8]) -> bool {
    // Without a way out in between, the compiler compares many bytes at a time.
    text.windows(2).fold(false, |any, pair| {
        let capital = pair[0].is_ascii_lowercase() & pair[1].is_ascii_uppercase();
        let escape = (pair[0] == b'%') & (b'4'..=b'7').contains(&pair[1]);
        any | capital | escape
    })
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    // What is UTF-8 is told quicker than what is not is put right.
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// Names and values as they stand in the body.
fn pieces(body: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let ends = memchr_iter(b'&', body).chain([body.len()]);
    let pieces = ends.scan(0, |start, end| {
        let piece = &body[*start..end];
        *start = end + 1;
        Some(piece)
    });
    pieces.filter(|piece| !piece.is_empty()).map(|piece| match memchr(b'=', piece) {
        Some(at) => (&piece[..at], &piece[at + 1..]),
        None => (piece, &[][..]),
    })
}

/// What a name or a value says without its escapes.
type Unescaped = SmallVec<[u8; USUAL_BYTES]>;

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    match is_escaped(text) {
        true => Cow::Owned(unescaped(text).into_vec()),
        false => Cow::Borrowed(text),
    }
}

fn is_escaped(text: &[u8]) -> bool {
    memchr2(b'%', b'+', text).is_some()
}

fn unescaped(mut text: &[u8]) -> Unescaped {
    let mut unescaped = Unescaped::new();
    while let Some(at) = memchr2(b'%', b'+', text) {
        let (plain, rest) = text.split_at(at);
        unescaped.extend_from_slice(plain);
        // What is no escape stands for itself, and the next may begin right behind its first byte.
        let length = match rest {
            [b'%', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => ESCAPE_BYTES,
            _ => 1,
        };
        let (escape, rest) = rest.split_at(length);
        match escape {
            b"+" => unescaped.push(b' '),
            escape => unescaped.extend(percent_decode(escape)),
        }
        text = rest;
    }
    unescaped.extend_from_slice(text);
    unescaped
}
