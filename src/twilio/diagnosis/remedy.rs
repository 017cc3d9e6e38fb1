//! The result of a diagnosis: the remedy, if one was found.

use super::variant::{BodyEdit, UrlEdit};
use crate::twilio::signature::InvalidReason;

/// Why a signature does not fit, as far as that can be found out. Its text contains no key and nothing
/// that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diagnosis {
    /// It fits after this correction.
    Fits(Remedy),
    /// It is the account's own, over this URL and another body.
    BodyChanged,
    /// No correction makes it fit.
    Unknown {
        /// Why the signature is invalid.
        reason: InvalidReason,
        /// False if the search was ended before all corrections were tried.
        all_tried: bool,
        /// A token that should have signed does not have the form of Twilio's.
        odd_token: bool,
    },
}

/// What has to be corrected for a signature to fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remedy {
    /// The signature had to be taken out of another encoding.
    pub(super) signature_repaired: bool,
    pub(super) url: Vec<UrlEdit>,
    pub(super) body: Option<BodyEdit>,
    /// A description of the key; `None` if it is one that should have signed.
    pub(super) key: Option<String>,
    /// `bodySHA256` in the query is that of another body, and the signature fits everything else.
    pub(super) hash_replaced: bool,
}

impl Diagnosis {
    /// Whether the signature was made with a configured key, so that it fits once the cause is fixed.
    pub fn is_found(&self) -> bool {
        !matches!(self, Diagnosis::Unknown { .. })
    }
}

impl Remedy {
    /// Whether it only changes scheme, host and port, which makes it cheap to try on other requests.
    pub fn is_of_origin(&self) -> bool {
        self.body.is_none() && self.url.iter().all(UrlEdit::is_of_origin)
    }
}
