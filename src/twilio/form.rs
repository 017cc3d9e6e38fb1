//! A form body as pairs of bytes: nothing trimmed, nothing dropped, nothing taken for text yet.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// The media type of a form.
pub const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";

/// Every parameter in the order of the body, percent-decoded, blank values included.
#[derive(Debug, Clone)]
pub struct Form<'a>(Vec<Pair<'a>>);

/// A name and its value.
type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);

impl<'a> Form<'a> {
    /// Reads a body. There is no body that is not a form: an escape that is none stands for itself.
    pub fn parse(body: &'a [u8]) -> Self {
        let pieces = body.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty());
        Self(pieces.map(pair).collect())
    }

    /// The first value of this name that is valid text or can be made so: bytes that are not
    /// UTF-8 become U+FFFD, since every use of it is a word to show or compare.
    pub fn first(&self, name: &str) -> Option<Cow<'_, str>> {
        self.values(name).next().map(String::from_utf8_lossy)
    }

    /// Every value of this name, in the order of the body.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.0.iter().filter(move |(have, _)| **have == *name.as_bytes()).map(|(_, value)| &**value)
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

fn pair(piece: &[u8]) -> Pair<'_> {
    let equals = piece.iter().position(|byte| *byte == b'=');
    let (name, value) = match equals {
        Some(at) => (&piece[..at], &piece[at + 1..]),
        None => (piece, &[][..]),
    };
    (decode(name), decode(value))
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'+') {
        return percent_decode(text).into();
    }
    let spaced: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}
