//! The raw event behind a row of the timeline: the body as received, its parameters, the request and the proof.

use crate::domain::digest::Digester;
use crate::domain::hash::hex;
use crate::domain::{BodyKind, RecordedEvent};
use crate::http::auth::redaction::Redaction;
use crate::text::printable;
use crate::twilio::event_sids::EventSids;
use crate::twilio::form::Form;

/// The bytes of a body that are shown: some twenty times a usual one. The rest can be downloaded.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// An event as it was received, or with its addresses masked.
pub struct RawEvent {
    /// The body, divided before each `&` of a form.
    pub body: Vec<Piece>,
    pub body_bytes: usize,
    /// The number of bytes that are not shown.
    pub bytes_left_out: usize,
    /// The parameters of a form, decoded.
    pub parameters: Vec<(String, String)>,
    pub url: Option<String>,
    pub headers: Vec<(String, String)>,
    /// Our own metadata, such as the file of an import.
    pub notes: Vec<(String, String)>,
    pub verification: Verification,
    pub event_id: String,
    /// `None` if it is hidden: a hash over what a client sees masked.
    pub digest: Option<String>,
}

/// A parameter of a form as received, or the whole of another body.
pub struct Piece {
    /// The name, up to the equals sign; empty if it is not a form.
    pub name: String,
    pub rest: String,
}

/// How an event was authenticated.
pub enum Verification {
    /// The account's auth token of this name.
    Token(String),
    /// Another key of this name: a shared key, or a token of another region.
    Key(String),
    /// No signature was checked: the event is not a callback, or was imported without a key.
    None,
}

impl RawEvent {
    /// An event, and the same event as the client may see it.
    pub fn new(event: &RecordedEvent, shown: &RecordedEvent, redaction: Redaction) -> Self {
        let is_form = event.body_kind() == Some(BodyKind::Form);
        let visible = &shown.body[..shown.body.len().min(BODY_BYTES_MAX)];
        let headers = shown.headers.iter();
        let pairs = |form: Form<'_>| form.pairs().map(|(n, v)| (text(n), text(v))).collect();
        Self {
            body: if is_form {
                pieces(visible)
            } else {
                vec![Piece { name: String::new(), rest: text(visible) }]
            },
            body_bytes: shown.body.len(),
            bytes_left_out: shown.body.len() - visible.len(),
            parameters: if is_form { pairs(Form::parse(visible)) } else { Vec::new() },
            url: Some(shown.url.clone()).filter(|url| !url.is_empty()),
            headers: headers.map(|(name, value)| (name.to_owned(), text(value))).collect(),
            notes: shown.notes.iter().map(|(n, v)| (n.replace('_', " "), v.clone())).collect(),
            verification: Verification::new(shown.verified_by.as_deref()),
            event_id: event.event_id.to_string(),
            digest: (!redaction.is_masked()).then(|| digest(event)),
        }
    }
}

impl Verification {
    /// The verification by the key of this name.
    pub fn new(verified_by: Option<&str>) -> Self {
        match verified_by {
            None => Self::None,
            Some(name @ ("primary" | "secondary")) => Self::Token(name.to_owned()),
            Some(name) => Self::Key(name.to_owned()),
        }
    }
}

/// The parameters of a form, each with what is before its equals sign as the name.
fn pieces(body: &[u8]) -> Vec<Piece> {
    let piece = |bytes: &[u8]| {
        let equals = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at(equals);
        Piece { name: text(name), rest: text(rest) }
    };
    body.split(|byte| *byte == b'&').map(piece).collect()
}

/// Bytes as text; those that are not UTF-8, and characters that cannot be seen, are escaped.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&printable(chunk.valid()));
        text.extend(chunk.invalid().escape_ascii().map(char::from));
    }
    text
}

/// The digest of an event, which is its leaf in the tree.
pub fn digest(event: &RecordedEvent) -> String {
    let sids = EventSids::parse(event);
    hex(&Digester::default().digest(event, sids.as_sids()))
}

#[cfg(test)]
mod tests {
    use super::{pieces, text};

    #[test]
    fn every_byte_of_a_body_is_shown() {
        assert_eq!(text(b"a\x00\xffb\r\n\xe2\x80\xae"), "a\\u{0}\\xffb\\r\\n\\u{202e}");
        let shown: Vec<_> =
            pieces(b"To=%2B1&&Flag&=x").into_iter().map(|p| (p.name, p.rest)).collect();
        let expected = [("To", "=%2B1"), ("", ""), ("Flag", ""), ("", "=x")];
        assert_eq!(shown, expected.map(|(name, rest)| (name.to_owned(), rest.to_owned())));
    }
}
