//! A form body as pairs of bytes: nothing is trimmed, dropped or decoded as text.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2};
use percent_encoding::percent_decode;
use smallvec::SmallVec;
use smol_str::SmolStr;

/// The media type of a form.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// The query parameter that Twilio adds, with the hash of a body that is not a form
/// (<https://www.twilio.com/docs/usage/security#validating-requests>).
pub const BODY_HASH: &str = "bodySHA256";

/// The length of an escape: a percent sign and two digits.
const ESCAPE_BYTES: usize = 3;

/// The inline size, in bytes, for decoded names and values: enough for most, such as addresses.
const USUAL_BYTES: usize = 48;

/// Every parameter in the order of the body, percent-decoded, blank values included.
#[derive(Debug, Clone)]
pub struct Form<'a>(Vec<Pair<'a>>);

/// A name and its value.
pub type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Form<'a> {
    /// Parses a body. Every body is valid: an invalid escape is taken literally.
    pub fn parse(body: &'a [u8]) -> Self {
        let mut pairs = Vec::with_capacity(memchr_iter(b'&', body).count() + 1);
        pairs.extend(pieces(body).map(|(name, value)| (decode(name), decode(value))));
        Self(pairs)
    }

    /// Every value of this name, in the order of the body.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(have, _)| **have == *name.as_bytes()).map(|(_, value)| &**value)
    }

    /// A form of these parameters.
    pub fn from_pairs(pairs: impl IntoIterator<Item = Pair<'a>>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// Percent-decodes a name or a value.
    pub fn parse_value(text: &[u8]) -> Cow<'_, [u8]> {
        decode(text)
    }

    /// Every parameter, in the order of the body.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair<'a>> {
        self.0.iter()
    }

    /// A copy with every value changed.
    pub fn with_values(&self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let changed = |(name, value): &Pair<'a>| (name.clone(), change(value).into());
        Self(self.0.iter().map(changed).collect())
    }

    /// A copy with only these parameters.
    pub fn filtered(&self, keep: impl Fn(&Pair<'a>) -> bool) -> Self {
        Self(self.0.iter().filter(|pair| keep(pair)).cloned().collect())
    }

    /// A copy with white space trimmed from every value, as some frameworks do.
    pub fn trimmed(&self) -> Self {
        self.with_values(|value| value.trim_ascii().to_vec())
    }

    /// A copy without the parameters that have no value, which some frameworks drop.
    pub fn without_blanks(&self) -> Self {
        self.filtered(|(_, value)| !value.trim_ascii().is_empty())
    }

    /// True if a name occurs twice with the same value, which does not change the signed text.
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

/// True if a query's parameters are sorted by name, apart from [`BODY_HASH`].
pub fn is_in_order_of_names(query: &str) -> bool {
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    names.filter(|name| *name != BODY_HASH).is_sorted()
}

/// The first value of each of a few names, found in one pass over a body without decoding the rest.
pub struct FirstValues<'a, const N: usize> {
    /// Still encoded.
    values: [Option<&'a [u8]>; N],
    /// A bit set of the known names that occur.
    known: u64,
    /// True if a wanted or known name occurs more than once.
    pub repeated: bool,
    /// The number of unknown names.
    pub unknown_names: usize,
    /// True if an unknown name, or a value, may contain a name in camel case. This check decodes nothing,
    /// so it may have false positives, but no false negatives.
    pub may_contain_names: bool,
}

/// The first value of each of a few names as text, in one pass over a body; `None` for a name that does not
/// occur, or whose first value is empty. Bytes that are not UTF-8 become U+FFFD.
pub fn first_texts<'a, const N: usize>(
    body: &'a [u8],
    names: [&str; N],
) -> [Option<Cow<'a, str>>; N] {
    let mut values = [None; N];
    let place = |name: &[u8]| names.iter().position(|wanted| name == wanted.as_bytes());
    for (name, value) in pieces(body) {
        // Names are hardly ever escaped, so they are first compared as they are.
        let found = place(name).or_else(|| is_escaped(name).then(|| place(&unescaped(name)))?);
        if let Some(place) = found {
            values[place].get_or_insert(value);
        }
    }
    values.map(|value| {
        let value = value.filter(|value| !value.is_empty())?;
        Some(decoded_text(value))
    })
}

/// Every parameter as text, in the order of the body. Bytes that are not UTF-8 become U+FFFD.
pub fn texts(body: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    pieces(body).map(|(name, value)| (decoded_text(name), decoded_text(value)))
}

/// The classification of a name in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// Its value is wanted; this is its index.
    Wanted(usize),
    /// It is only counted; this is its number, which is below 64.
    Known(usize),
    /// It is neither.
    Unknown,
}

impl<'a, const N: usize> FirstValues<'a, N> {
    /// Searches a body for the wanted names, whose indices are below `N`.
    pub fn parse(body: &'a [u8], name_of: impl Fn(&[u8]) -> Name) -> Self {
        let mut found = Self {
            values: [None; N],
            known: 0,
            repeated: false,
            unknown_names: 0,
            may_contain_names: false,
        };
        for (name, value) in pieces(body) {
            // Names are rarely escaped, so they are first looked up undecoded.
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

    /// True if the known name with this number occurs.
    pub fn has_known(&self, number: usize) -> bool {
        self.known & 1 << number != 0
    }

    /// True if the wanted name with this index occurs, with any value.
    pub fn has(&self, place: usize) -> bool {
        self.values[place].is_some()
    }

    /// The first value of the wanted name with this index; `None` if it is empty or absent. Invalid UTF-8
    /// becomes U+FFFD, since values are only displayed and compared.
    pub fn text(&self, place: usize) -> Option<Cow<'a, str>> {
        self.value(place).map(decoded_text)
    }

    /// Like [`FirstValues::text`], as an owned string; short values, as most are, need no allocation.
    pub fn kept(&self, place: usize) -> Option<SmolStr> {
        let value = self.value(place)?;
        Some(match is_escaped(value) {
            true => SmolStr::new(text(&unescaped(value))),
            false => SmolStr::new(text(value)),
        })
    }

    /// True if the wanted name with this index has a value that is not empty.
    pub fn has_value(&self, place: usize) -> bool {
        self.value(place).is_some()
    }

    fn value(&self, place: usize) -> Option<&'a [u8]> {
        self.values[place].filter(|value| !value.is_empty())
    }
}

/// True if a text has a capital after a small letter, as every name of two words has, or an escaped
/// letter.
pub fn may_contain_name(text: &[u8]) -> bool {
    // Without an early return the compiler can vectorise the loop.
    text.windows(2).fold(false, |any, pair| {
        let capital = pair[0].is_ascii_lowercase() & pair[1].is_ascii_uppercase();
        let escape = (pair[0] == b'%') & (b'4'..=b'7').contains(&pair[1]);
        any | capital | escape
    })
}

fn decoded_text(value: &[u8]) -> Cow<'_, str> {
    match is_escaped(value) {
        true => Cow::Owned(text(&unescaped(value)).into_owned()),
        false => text(value),
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    // Validating UTF-8 is faster than converting it, and nearly all texts are valid.
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    }
}

/// The names and values of a body, still encoded.
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

/// A decoded name or value.
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
        // An invalid escape is taken literally, and the next one may begin right after its first byte.
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
