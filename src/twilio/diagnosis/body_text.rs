//! The candidate texts: what may have been signed after the URL if the body is read in another way.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::query::{from_latin_1, to_latin_1};
use super::variant::BodyEdit;
use crate::domain::BodyKind;
use crate::twilio::callback::{Content, ParsedBody};
use crate::twilio::form::Form;

/// Maximum number of parameters that are left out, one at a time.
const PARAMETERS_MAX: usize = 32;

/// Longer bodies are read in few other ways. Usual ones have 500 bytes.
const EDITED_BYTES_MAX: usize = 8 << 10;

/// Parameters that Twilio may send blank, which some frameworks leave out.
const BLANK_NAMES: [&str; 10] = [
    "Body",
    "ErrorCode",
    "ErrorMessage",
    "MessagingServiceSid",
    "RawDlrDoneDate",
    "ChannelStatusMessage",
    "EventType",
    "From",
    "To",
    "SmsStatus",
];

/// A text that may have been signed.
pub struct SignedText {
    pub edit: Option<BodyEdit>,
    pub cost: u8,
    pub bytes: Vec<u8>,
}

impl SignedText {
    /// The text as it was verified.
    pub fn plain(body: &ParsedBody<'_>) -> Self {
        let bytes = match &body.content {
            Content::Form(form) => form.signed_text(),
            Content::Json(_) => Vec::new(),
        };
        Self { edit: None, cost: 0, bytes }
    }

    /// The text as it was verified, then all others that differ from it.
    pub fn all(
        kind: BodyKind,
        bytes: &[u8],
        body: &ParsedBody<'_>,
        query: Option<&str>,
    ) -> Vec<Self> {
        let mut texts = vec![Self::plain(body)];
        for (edit, bytes) in edited(kind, bytes, query) {
            if texts.iter().all(|have| have.bytes != bytes) {
                texts.push(Self { edit: Some(edit), cost: edit.cost(), bytes });
            }
        }
        texts
    }
}

fn edited(kind: BodyKind, body: &[u8], query: Option<&str>) -> Vec<(BodyEdit, Vec<u8>)> {
    let form = Form::parse(body);
    if kind == BodyKind::Json {
        let of_json = form_of_json(body).map(|text| (BodyEdit::FormOfJson, text));
        return [(BodyEdit::AsForm, form.signed_text())].into_iter().chain(of_json).collect();
    }
    let mut texts = vec![
        (BodyEdit::WithoutLineEnd, without_line_end(body)),
        (BodyEdit::Trimmed, form.trimmed().signed_text()),
        (BodyEdit::WithoutBlanks, form.without_blanks().signed_text()),
        (BodyEdit::PlusKept, with_plus_kept(body)),
        (BodyEdit::NotAtAll, Vec::new()),
    ];
    if body.len() <= EDITED_BYTES_MAX {
        texts.extend(written_otherwise(body, &form));
        texts.extend(query.into_iter().flat_map(|query| by_query(&form, query.as_bytes())));
        texts.extend(by_parameter(&form));
    }
    texts
}

/// The same parameters in another spelling, or in another media type.
fn written_otherwise(body: &[u8], form: &Form<'_>) -> Vec<(BodyEdit, Vec<u8>)> {
    let changed = |change: fn(&[u8]) -> Vec<u8>| form.with_values(change).signed_text();
    let in_charset = |change: fn(&[u8]) -> Option<Vec<u8>>| {
        form.with_values(|value| change(value).unwrap_or_else(|| value.to_vec())).signed_text()
    };
    let once: Vec<u8> = percent_decode(body).collect();
    let mut texts = vec![
        (BodyEdit::LineEnds("CRLF"), changed(|value| replaced(value, b"\n", b"\r\n"))),
        (BodyEdit::LineEnds("LF"), changed(|value| replaced(value, b"\r\n", b"\n"))),
        (BodyEdit::Charset("UTF-8"), in_charset(from_latin_1)),
        (BodyEdit::Charset("Latin-1"), in_charset(to_latin_1)),
        (BodyEdit::AmpersandsMended, Form::parse(&replaced(body, b"&amp;", b"&")).signed_text()),
        // The whole body, or each value.
        (BodyEdit::DecodedAgain, Form::parse(&once).signed_text()),
        (BodyEdit::DecodedAgain, changed(|value| Form::parse_value(value).into_owned())),
    ];
    let of_json = form_of_json(body).map(|text| (BodyEdit::FormOfJson, text));
    let of_multipart = form_of_multipart(body).map(|text| (BodyEdit::FormOfMultipart, text));
    let decoded = STANDARD.decode(body.trim_ascii()).ok();
    let of_base64 =
        decoded.map(|decoded| (BodyEdit::FromBase64, Form::parse(&decoded).signed_text()));
    texts.extend(of_json.into_iter().chain(of_multipart).chain(of_base64));
    texts
}

/// Parameters moved between query and body.
fn by_query(form: &Form<'_>, query: &[u8]) -> [(BodyEdit, Vec<u8>); 2] {
    let of_query = Form::parse(query);
    let without = form.filtered(|pair| !of_query.pairs().any(|(name, _)| *name == pair.0));
    let with = Form::from_pairs(form.pairs().chain(of_query.pairs()).cloned());
    [(BodyEdit::WithoutQuery, without.signed_text()), (BodyEdit::WithQuery, with.signed_text())]
}

/// One parameter added or left out.
fn by_parameter(form: &Form<'_>) -> Vec<(BodyEdit, Vec<u8>)> {
    let have = |name: &str| form.values(name).next().is_some();
    let blank = |name: &'static str| {
        let blank = (Cow::Borrowed(name.as_bytes()), Cow::Borrowed(&b""[..]));
        Form::from_pairs(form.pairs().cloned().chain([blank])).signed_text()
    };
    let missing = BLANK_NAMES.into_iter().filter(|name| !have(name));
    let mut texts: Vec<_> = missing.map(|name| (BodyEdit::WithBlank(name), blank(name))).collect();
    let count = form.pairs().count();
    if count <= PARAMETERS_MAX {
        texts.extend((0..count).map(|left_out| {
            let rest = form.pairs().enumerate().filter(|(at, _)| *at != left_out);
            let rest = Form::from_pairs(rest.map(|(_, pair)| pair.clone()));
            (BodyEdit::WithoutOne, rest.signed_text())
        }));
    }
    texts
}

fn with_plus_kept(body: &[u8]) -> Vec<u8> {
    Form::parse(&replaced(body, b"+", b"%2B")).signed_text()
}

fn without_line_end(body: &[u8]) -> Vec<u8> {
    let cut = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n"));
    Form::parse(cut.unwrap_or(body)).signed_text()
}

/// An object's members as parameters; `None` if one of them is not a scalar.
fn form_of_json(body: &[u8]) -> Option<Vec<u8>> {
    let object: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let pairs = object.into_iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => String::new(),
            Value::Array(_) | Value::Object(_) => return None,
        };
        Some((Cow::Owned(name.into_bytes()), Cow::Owned(value.into_bytes())))
    });
    Some(Form::from_pairs(pairs.collect::<Option<Vec<_>>>()?).signed_text())
}

/// The fields of a multipart body (RFC 7578) as parameters.
fn form_of_multipart(body: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(body).ok()?;
    let boundary = text.lines().next().filter(|line| line.starts_with("--"))?;
    let fields = text.split(boundary).filter_map(|part| {
        let (head, value) = part.split_once("\r\n\r\n")?;
        let (_, name) = head.split_once("name=\"")?;
        let value = value.strip_suffix("\r\n").unwrap_or(value);
        Some((name.split('"').next()?.as_bytes().into(), value.as_bytes().into()))
    });
    Some(Form::from_pairs(fields).signed_text())
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}
