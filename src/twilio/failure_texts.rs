//! Twilio's texts about a failure. They are read from the body when a message is shown; views do not
//! contain them.

use super::form::Form;
use super::json::TopLevel;
use crate::domain::message::failure_texts::FailureTexts;
use crate::domain::{BodyKind, NewEvent, Source};

/// The texts in a callback or in a Message resource. An empty text counts as none; bytes that are not
/// UTF-8 become U+FFFD.
pub fn parse(event: &NewEvent) -> FailureTexts {
    match event.body_kind() {
        Some(BodyKind::Form) => {
            let form = Form::parse(&event.body);
            let text = |name| {
                let value = form.values(name).next().filter(|value| !value.is_empty());
                value.map(|value| String::from_utf8_lossy(value).into_owned())
            };
            FailureTexts {
                error_message: text("ErrorMessage"),
                channel_status_message: text("ChannelStatusMessage"),
            }
        }
        Some(BodyKind::Json) if event.source != Source::Callback => {
            let error_message = TopLevel::parse(&event.body).first(&["error_message"]);
            FailureTexts {
                error_message: error_message.filter(|text| !text.is_empty()),
                channel_status_message: None,
            }
        }
        _ => FailureTexts::default(),
    }
}
