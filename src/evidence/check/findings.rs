//! What can be wrong with a bundle.

use crate::domain::Position;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its kind.
    pub kind: FindingKind,
    /// The position that it is about, if it is about one.
    pub position: Option<Position>,
    /// What was found, as a sentence.
    pub detail: String,
}

/// The kind of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// It is not JSON, or a member is missing, unknown, there twice, or of the wrong type.
    BadFormat,
    /// A key of the bundle is not consistent.
    BadKey,
    /// A change of the key is not signed by both keys, or of another origin.
    BadKeyChange,
    /// The seal is not a note of three lines.
    BadSeal,
    /// A signature of a known key is invalid.
    BadSignature,
    /// No trusted key of the seal's origin has signed it.
    UnknownKey,
    /// A witness that has to have cosigned has not.
    WitnessMissing,
    /// No timestamp of the authority is valid.
    BadTimestamp,
    /// The seal does not fit to one that was kept elsewhere.
    OtherSeal,
    /// A value that no event of a log has, or a body that names another message than the event.
    BadEvent,
    /// Entry, position and proof do not lead to the root.
    BadProof,
    /// An event of another message.
    ForeignEvent,
    /// There are no events, or they repeat, or are out of order.
    BadOrder,
    /// No erasure names the position of an erased event.
    BadErasure,
    /// A fold of these events gives another lifecycle.
    LifecycleDiffers,
    /// The entries are not those that were sealed.
    BadEntries,
    /// The log has further events of this message.
    Incomplete,
}

impl FindingKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadFormat => "bad-format",
            Self::BadKey => "bad-key",
            Self::BadKeyChange => "bad-key-change",
            Self::BadSeal => "bad-seal",
            Self::BadSignature => "bad-signature",
            Self::UnknownKey => "unknown-key",
            Self::WitnessMissing => "witness-missing",
            Self::BadTimestamp => "bad-timestamp",
            Self::OtherSeal => "other-seal",
            Self::BadEvent => "bad-event",
            Self::BadProof => "bad-proof",
            Self::ForeignEvent => "foreign-event",
            Self::BadOrder => "bad-order",
            Self::BadErasure => "bad-erasure",
            Self::LifecycleDiffers => "lifecycle-differs",
            Self::BadEntries => "bad-entries",
            Self::Incomplete => "incomplete",
        }
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// Adds one that is about no position.
    pub fn add(&mut self, kind: FindingKind, detail: impl ToString) {
        self.0.push(Finding { kind, position: None, detail: detail.to_string() });
    }

    /// Adds one about a position.
    pub fn at(&mut self, kind: FindingKind, position: Position, detail: impl ToString) {
        self.0.push(Finding { kind, position: Some(position), detail: detail.to_string() });
    }
}
