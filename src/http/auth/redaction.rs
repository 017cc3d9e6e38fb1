//! Messages and events as the asker may see them.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::tokens::{Scope, Visibility};
use crate::domain::filter::{AddressPattern, MessageFilter};
use crate::domain::{AccountSid, RecordedEvent};
use crate::http::error::Problem;
use crate::projection::fold::Folded;
use crate::report::output::ReportJson;
use crate::twilio::callback::Reading;
use crate::wire::{self, TimelineEntry, mask};

/// What the asker's token lets them see.
#[derive(Debug, Clone, Copy)]
pub struct Redaction(Visibility);

impl FromRequest for Redaction {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // Without a word from the guard nothing is shown.
        std::future::ready(match request.extensions().get::<Scope>() {
            None => Err(Problem::Internal),
            Some(Scope { visibility: Visibility::Nothing, .. }) => Err(Problem::MayNotRead),
            Some(Scope { visibility, .. }) => Ok(Redaction(*visibility)),
        })
    }
}

impl Redaction {
    /// Whether addresses are hidden.
    pub fn is_masked(self) -> bool {
        self.0 != Visibility::Full
    }

    /// A question, unless it asks for more of an address than would be shown: the answer would tell.
    pub fn check_filter(self, filter: MessageFilter) -> Result<MessageFilter, Problem> {
        let tells = |pattern: &AddressPattern| match pattern {
            AddressPattern::Whole(_) => true,
            AddressPattern::Ending(digits) => digits.len() > mask::DIGITS_SHOWN,
        };
        if self.is_masked() && filter.from.iter().chain(&filter.to).any(tells) {
            return Err(Problem::MaskedQuestion);
        }
        let account_sid = filter.account_sid.as_ref().map(AccountSid::as_str);
        let texts =
            [account_sid, filter.messaging_service_sid.as_deref(), filter.channel.as_deref()];
        texts.into_iter().flatten().try_for_each(|text| self.check_text(text))?;
        Ok(filter)
    }

    /// Nothing, unless this text, such as a SID, could be a number: whether something has it would
    /// tell. It makes no difference whether anything does.
    pub fn check_text(self, text: &str) -> Result<(), Problem> {
        match self.is_masked() && mask::tells(text) {
            true => Err(Problem::MaskedSid),
            false => Ok(()),
        }
    }

    /// Whether bytes may be seen as they came.
    pub fn check_raw(self) -> Result<(), Problem> {
        match self.0 {
            Visibility::Full => Ok(()),
            Visibility::Masked | Visibility::Nothing => Err(Problem::Masked),
        }
    }

    /// An event.
    pub fn event(self, event: RecordedEvent) -> wire::Event {
        // Read before anything is hidden: what is hidden may be what they are read from.
        let reading = Reading::of(&event);
        let account_sid = reading.account_sid.map(Cow::into_owned);
        let message_sid = reading.message_sid.map(Cow::into_owned);
        match self.0 {
            Visibility::Full => wire::Event::new(event, account_sid, message_sid),
            Visibility::Masked | Visibility::Nothing => {
                mask::recorded(event, account_sid, message_sid)
            }
        }
    }

    /// A message as it stands.
    pub fn message_row(self, message: wire::Message) -> wire::Message {
        match self.0 {
            Visibility::Full => message,
            Visibility::Masked | Visibility::Nothing => mask::message(message),
        }
    }

    /// A report, of which rows by sender have addresses.
    pub fn report(self, report: ReportJson) -> ReportJson {
        match self.0 {
            Visibility::Full => report,
            Visibility::Masked | Visibility::Nothing => report.masked(),
        }
    }

    /// A message with its timeline.
    pub fn message(self, folded: &Folded, as_of_position: u64) -> wire::Message {
        let timeline = folded.timeline.iter().map(|entry| {
            let event = self.recorded(entry.event.clone());
            TimelineEntry::new(&event, &entry.reported, entry.effect)
        });
        let message = wire::Message::new(&folded.key, &folded.lifecycle, as_of_position);
        self.message_row(message.with_timeline(timeline))
    }

    fn recorded(self, event: RecordedEvent) -> RecordedEvent {
        match self.0 {
            Visibility::Full => event,
            Visibility::Masked | Visibility::Nothing => {
                RecordedEvent { event: mask::event(&event), ..event }
            }
        }
    }
}
