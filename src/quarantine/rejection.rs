//! Reasons for which the callback listener rejects a request.

use std::fmt;

use crate::twilio::signature::InvalidReason;

/// Why a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Its path is no callback path.
    Path,
    /// Its method is not POST.
    Method,
    /// It is not written as HTTP requires.
    Request,
    TooLarge,
    TooSlow,
    /// The body did not arrive whole.
    Broken,
    MediaType,
    /// Its signature does not fit.
    Signature(InvalidReason),
}

impl Rejection {
    /// Every rejection that is not about the signature.
    pub const WITHOUT_SIGNATURE: [Rejection; 7] = [
        Rejection::Path,
        Rejection::Method,
        Rejection::Request,
        Rejection::TooLarge,
        Rejection::TooSlow,
        Rejection::Broken,
        Rejection::MediaType,
    ];

    /// The word for it in metrics and in the quarantine.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::Path => "path",
            Rejection::Method => "method",
            Rejection::Request => "request",
            Rejection::TooLarge => "body_too_large",
            Rejection::TooSlow => "body_too_slow",
            Rejection::Broken => "body_broken",
            Rejection::MediaType => "media_type",
            Rejection::Signature(refusal) => refusal.name(),
        }
    }

    /// The rejection with this name.
    pub fn parse(name: &str) -> Option<Self> {
        let other = Self::WITHOUT_SIGNATURE.into_iter().find(|rejection| rejection.name() == name);
        other.or_else(|| InvalidReason::parse(name).map(Rejection::Signature))
    }
}

/// Without anything that was sent.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::Path => "it came to a path that is no callback path",
            Rejection::Method => "its method is not POST",
            Rejection::Request => "it is not written as HTTP requires",
            Rejection::TooLarge => "its body is too long",
            Rejection::TooSlow => "its body did not arrive in time",
            Rejection::Broken => "its body did not arrive whole",
            Rejection::MediaType => "its body is neither a form nor JSON",
            Rejection::Signature(refusal) => return refusal.fmt(f),
        })
    }
}
