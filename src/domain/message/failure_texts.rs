//! The texts with which Twilio and the channel explain a failure, in addition to its code.

/// The texts of one event, as they were received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureTexts {
    /// Twilio's text: `ErrorMessage`.
    pub error_message: Option<String>,
    /// The text of WhatsApp or another channel: `ChannelStatusMessage`.
    pub channel_status_message: Option<String>,
}

impl FailureTexts {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.error_message.is_none() && self.channel_status_message.is_none()
    }
}
