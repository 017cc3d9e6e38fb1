//! The marks of an event: what it reports if that is no status, and an unusual effect.

use crate::domain::message::click::ReportedClick;
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::{Effect, StatusReported};

/// A mark: its tone, symbol and text.
pub struct Mark {
    pub tone: &'static str,
    pub symbol: &'static str,
    pub text: &'static str,
}

impl Mark {
    /// The mark of an effect; `None` for the usual one, and for a click and feedback, which
    /// [`of_subject`](Self::of_subject) marks.
    pub fn of(effect: Effect) -> Option<Self> {
        let (tone, symbol) = match effect {
            Effect::Advanced | Effect::Click | Effect::Feedback => return None,
            Effect::Confirmed => ("none", "e-confirmed"),
            Effect::Late => ("late", "e-late"),
            Effect::Duplicate(_) => ("none", "e-duplicate"),
            Effect::Conflict => ("conflict", "e-conflict"),
            Effect::Unrecognised => ("none", "e-unrecognised"),
        };
        Some(Self { tone, symbol, text: effect.name() })
    }

    /// What an event reports, if it is a click or feedback.
    pub fn of_subject(reported: &StatusReported) -> Option<Self> {
        let (symbol, text) = match (reported.click(), reported.feedback()) {
            (Some(ReportedClick { click, .. }), _) if click.is_preview => {
                ("e-click", "click, likely preview")
            }
            (Some(_), _) => ("e-click", "click"),
            (None, Some(FeedbackOutcome::Confirmed)) => ("e-feedback", "feedback: confirmed"),
            (None, Some(FeedbackOutcome::Unconfirmed)) => ("e-feedback", "feedback: unconfirmed"),
            (None, None) => return None,
        };
        Some(Self { tone: "none", symbol, text })
    }
}
