//! The media type of a body, from the Content-Type header.

use std::borrow::Cow;

/// The media types that Twilio sends. They are recognised without parsing the header.
const COMMON_MEDIA_TYPES: [&str; 2] = [FORM, JSON];

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// The format of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`, or a type that ends in `+json`.
    Json,
}

impl BodyKind {
    /// The format of a body with this Content-Type; `None` if it is neither a form nor JSON. A body
    /// without a Content-Type is a form.
    ///
    /// ```
    /// use delivery_ledger::domain::BodyKind;
    ///
    /// let kind = |content_type: &str| BodyKind::from_content_type(Some(content_type.as_bytes()));
    /// assert_eq!(kind("application/cloudevents+json; charset=utf-8"), Some(BodyKind::Json));
    /// assert_eq!(kind("text/plain"), None);
    /// assert_eq!(BodyKind::from_content_type(None), Some(BodyKind::Form));
    /// ```
    pub fn from_content_type(content_type: Option<&[u8]>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(BodyKind::Form) };
        match &*media_type(content_type) {
            FORM => Some(BodyKind::Form),
            JSON => Some(BodyKind::Json),
            other => other.ends_with("+json").then_some(BodyKind::Json),
        }
    }
}

/// The media type of a Content-Type header, in lower case and without its parameters.
pub fn media_type(content_type: &[u8]) -> Cow<'_, str> {
    let is_equal = |common: &&str| common.as_bytes() == content_type;
    if let Some(common) = COMMON_MEDIA_TYPES.into_iter().find(is_equal) {
        return Cow::Borrowed(common);
    }
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    // A byte that is not UTF-8 becomes U+FFFD instead of turning a JSON body into a form.
    let mut media_type = match String::from_utf8_lossy(media_type) {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    if media_type.bytes().any(|byte| byte.is_ascii_uppercase()) {
        media_type.to_mut().make_ascii_lowercase();
    }
    media_type
}
