//! The reasons for which the callback listener rejects a request.

use std::fmt;

use crate::twilio::signature::InvalidReason;

/// The reason a request was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Its path is not a callback path.
    Path,
    /// Its method is not POST.
    Method,
    /// It is malformed HTTP.
    Request,
    /// Its body is longer than the limit.
    TooLarge,
    /// Its body did not arrive in time.
    TooSlow,
    /// The body did not arrive completely.
    Broken,
    /// Its body is neither a form nor JSON.
    MediaType,
    /// Its signature is invalid.
    Signature(InvalidReason),
}

impl Rejection {
    /// Every rejection apart from those for the signature.
    pub const WITHOUT_SIGNATURE: [Rejection; 7] = [
        Rejection::Path,
        Rejection::Method,
        Rejection::Request,
        Rejection::TooLarge,
        Rejection::TooSlow,
        Rejection::Broken,
        Rejection::MediaType,
    ];

    /// The name used in metrics and in the quarantine.
    pub fn name(self) -> &'static str {
        match self {
            Rejection::Path => "path",
            Rejection::Method => "method",
            Rejection::Request => "request",
            Rejection::TooLarge => "body_too_large",
            Rejection::TooSlow => "body_too_slow",
            Rejection::Broken => "body_broken",
            Rejection::MediaType => "media_type",
            Rejection::Signature(reason) => reason.name(),
        }
    }

    /// The rejection with this name.
    pub fn parse(name: &str) -> Option<Self> {
        let other = Self::WITHOUT_SIGNATURE.into_iter().find(|rejection| rejection.name() == name);
        other.or_else(|| InvalidReason::parse(name).map(Rejection::Signature))
    }
}

/// Contains nothing from the request.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::Path => "its path is not a callback path",
            Rejection::Method => "its method is not POST",
            Rejection::Request => "it is malformed HTTP",
            Rejection::TooLarge => "its body is too long",
            Rejection::TooSlow => "its body did not arrive in time",
            Rejection::Broken => "its body did not arrive completely",
            Rejection::MediaType => "its body is neither a form nor JSON",
            Rejection::Signature(reason) => return reason.fmt(f),
        })
    }
}
