//! What may have been signed after the URL, were the body read otherwise than it is.

use crate::twilio::callback::{Body, BodyKind};
use crate::twilio::form::Form;

/// How a body has to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEdit {
    /// As a form, although it is said to be JSON.
    AsForm,
    /// Not at all, as JSON is and requests without a body are.
    NotAtAll,
    /// Without the blanks around its values.
    Trimmed,
    /// Without the parameters that have no value.
    WithoutBlanks,
    /// With each + for itself, not for a blank.
    PlusKept,
    /// Without the line end behind it, which editors add to files.
    WithoutLineEnd,
}

/// A text that may have been signed.
pub struct SignedText {
    pub edit: Option<BodyEdit>,
    pub bytes: Vec<u8>,
}

impl SignedText {
    /// The text as it should be.
    pub fn plain(body: &Body<'_>) -> Self {
        let bytes = match body {
            Body::Form(form) => form.signed_text(),
            Body::Json(_) => Vec::new(),
        };
        Self { edit: None, bytes }
    }

    /// The text as it should be, then the others that differ from it.
    pub fn all(kind: BodyKind, bytes: &[u8], body: &Body<'_>) -> Vec<Self> {
        let mut texts = vec![Self::plain(body)];
        for (edit, bytes) in edited(kind, bytes) {
            if texts.iter().all(|have| have.bytes != bytes) {
                texts.push(Self { edit: Some(edit), bytes });
            }
        }
        texts
    }
}

fn edited(kind: BodyKind, body: &[u8]) -> Vec<(BodyEdit, Vec<u8>)> {
    let form = Form::parse(body);
    let mut texts = vec![
        (BodyEdit::WithoutLineEnd, without_line_end(body)),
        (BodyEdit::Trimmed, form.trimmed().signed_text()),
        (BodyEdit::WithoutBlanks, form.without_blanks().signed_text()),
        (BodyEdit::PlusKept, with_plus_kept(body)),
        (BodyEdit::NotAtAll, Vec::new()),
    ];
    if kind == BodyKind::Json {
        texts = vec![(BodyEdit::AsForm, form.signed_text())];
    }
    texts
}

fn with_plus_kept(body: &[u8]) -> Vec<u8> {
    let pieces = body.split(|byte| *byte == b'+');
    Form::parse(&pieces.collect::<Vec<_>>().join(&b"%2B"[..])).signed_text()
}

fn without_line_end(body: &[u8]) -> Vec<u8> {
    let cut = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n"));
    Form::parse(cut.unwrap_or(body)).signed_text()
}
