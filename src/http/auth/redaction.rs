//! Redaction: messages, events and reports as the client's token may see them.

use std::borrow::Cow;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::tokens::{Scope, Visibility};
use crate::domain::account_names::AccountNames;
use crate::domain::event::filter::EventFilter;
use crate::domain::message::filter::{AddressPattern, MessageFilter};
use crate::domain::message::tags::KNOWN_NAMES_MAX;
use crate::domain::{AccountSid, ErrorCodes, Position, RecordedEvent};
use crate::http::error::Problem;
use crate::projection::fold::Folded;
use crate::twilio::callback::ParsedCallback;
use crate::twilio::failure_texts;
use crate::wire::{self, TimelineEntry, mask};

/// What the token of this request may see.
#[derive(Debug, Clone, Copy)]
pub struct Redaction(Visibility);

impl FromRequest for Redaction {
    type Error = Problem;
    type Future = std::future::Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A request that did not pass the access control sees nothing.
        std::future::ready(match request.extensions().get::<Scope>() {
            None => Err(Problem::Internal),
            Some(Scope { visibility: Visibility::Nothing, .. }) => Err(Problem::MayNotRead),
            Some(Scope { visibility, .. }) => Ok(Redaction(*visibility)),
        })
    }
}

impl Redaction {
    /// For a client that may act, such as send, but perhaps not read.
    pub fn of(scope: Scope) -> Self {
        Redaction(scope.visibility)
    }

    /// Whether addresses are masked.
    pub fn is_masked(self) -> bool {
        self.0 != Visibility::Full
    }

    /// Rejects a filter by more of an address than the token sees: the result would reveal it.
    pub fn check_filter(self, filter: MessageFilter) -> Result<MessageFilter, Problem> {
        self.check_addresses(&[&filter.from, &filter.to, &filter.address])?;
        self.check_tags(&filter.tags)?;
        let account_sid = filter.account_sid.as_ref().map(AccountSid::as_str);
        let texts =
            [account_sid, filter.messaging_service_sid.as_deref(), filter.channel.as_deref()];
        texts.into_iter().flatten().try_for_each(|text| self.check_text(text))?;
        Ok(filter)
    }

    /// The same for a filter of events.
    pub fn check_event_filter(self, filter: EventFilter) -> Result<EventFilter, Problem> {
        self.check_addresses(&[&filter.from, &filter.to])?;
        self.check_tags(&filter.tags)?;
        let account_sid = filter.account_sid.as_ref().map(AccountSid::as_str);
        let texts = [account_sid, filter.message_sid.as_deref(), filter.status.as_deref()];
        texts.into_iter().flatten().try_for_each(|text| self.check_text(text))?;
        Ok(filter)
    }

    fn check_addresses(self, patterns: &[&Option<AddressPattern>]) -> Result<(), Problem> {
        let tells = |pattern: &AddressPattern| match pattern {
            AddressPattern::AnyOf(_) | AddressPattern::Prefix(_) => true,
            AddressPattern::Suffix(digits) => digits.len() > mask::DIGITS_SHOWN,
        };
        match self.is_masked() && patterns.iter().copied().flatten().any(tells) {
            true => Err(Problem::MaskedQuestion),
            false => Ok(()),
        }
    }

    fn check_tags(self, tags: &[(String, String)]) -> Result<(), Problem> {
        let hides = |(name, value): &(String, String)| mask::hides_tag(name, value);
        match self.is_masked() && tags.iter().any(hides) {
            true => Err(Problem::MaskedTag),
            false => Ok(()),
        }
    }

    /// Rejects names of tags that could be numbers: the result would reveal whether they exist.
    pub fn check_tag_names<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Problem> {
        match self.is_masked() && names.into_iter().any(mask::hides_tag_name) {
            true => Err(Problem::MaskedTag),
            false => Ok(()),
        }
    }

    /// The names of tags that may be suggested.
    pub fn tag_names(self, mut known: Vec<String>) -> Vec<String> {
        // If there are so many, none is suggested.
        if known.len() < KNOWN_NAMES_MAX {
            known.retain(|name| !self.is_masked() || !mask::hides_tag_name(name));
        }
        known
    }

    /// Rejects a text, such as a SID, that could be a number: the result would reveal whether it exists.
    pub fn check_text(self, text: &str) -> Result<(), Problem> {
        match self.is_masked() && mask::could_be_number(text) {
            true => Err(Problem::MaskedSid),
            false => Ok(()),
        }
    }

    /// Rejects access to raw bytes, which cannot be masked.
    pub fn check_raw(self) -> Result<(), Problem> {
        match self.0 {
            Visibility::Full => Ok(()),
            Visibility::Masked | Visibility::Nothing => Err(Problem::Masked),
        }
    }

    /// The JSON of an event.
    pub fn event(self, event: RecordedEvent) -> wire::ShownEvent {
        // Read before masking, which may change what they are read from.
        let reading = ParsedCallback::parse(&event);
        let reported = reading.reported;
        let account_sid = reading.account_sid.map(Cow::into_owned);
        let message_sid = reading.message_sid.map(Cow::into_owned);
        let masked = self.is_masked();
        wire::ShownEvent::new(event, account_sid, message_sid, reported.as_ref(), masked)
    }

    /// The JSON of a message without its timeline.
    pub fn message_row(self, message: wire::Message) -> wire::Message {
        match self.0 {
            Visibility::Full => message,
            Visibility::Masked | Visibility::Nothing => mask::message(message),
        }
    }

    /// The JSON of a message with its timeline.
    pub fn message(
        self,
        folded: &Folded,
        as_of_position: Position,
        error_codes: &ErrorCodes,
        account_names: &AccountNames,
    ) -> wire::Message {
        let timeline = folded.timeline.iter().map(|entry| {
            let event = self.recorded(entry.event.clone());
            let texts = failure_texts::parse(&event);
            TimelineEntry::new(&event, texts, &entry.reported, entry.effect, entry.change)
        });
        let message =
            wire::Message::new(&folded.key, &folded.lifecycle, as_of_position, error_codes)
                .with_account_name(account_names);
        self.message_row(message.with_timeline(&folded.lifecycle.evidence, timeline))
    }

    /// The event itself, masked if addresses are.
    pub fn recorded(self, event: RecordedEvent) -> RecordedEvent {
        match self.0 {
            Visibility::Full => event,
            Visibility::Masked | Visibility::Nothing => {
                RecordedEvent { event: mask::event(&event), ..event }
            }
        }
    }
}
