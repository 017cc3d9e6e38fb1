//! The account and the message that an event's body names. How they are read is part of the log's format,
//! because their hash is part of the event's digest: a change here needs a new version of it
//! (docs/LOG_FORMAT.md).

use std::borrow::Cow;

use super::form::first_texts;
use super::json::TopLevel;
use super::parameters::Parameter;
use crate::domain::digest::Sids;
use crate::domain::{BodyKind, NewEvent, Source};

/// The parameters of a form that SIDs are read from.
const FORM_PARAMETERS: [Parameter; 4] =
    [Parameter::AccountSid, Parameter::MessageSid, Parameter::SmsSid, Parameter::ChannelMessageSid];

/// The names that JSON has for the account, at its top and in the data of a CloudEvent.
pub(super) const ACCOUNT_IN_JSON: [&str; 2] = ["AccountSid", "account_sid"];
pub(super) const ACCOUNT_IN_DATA: [&str; 2] = ["accountSid", "account_sid"];

/// The names that JSON has for the message, at its top and in the data of a CloudEvent.
const MESSAGE_IN_JSON: [&str; 3] = ["MessageSid", "message_sid", "sms_sid"];
const MESSAGE_IN_DATA: [&str; 2] = ["messageSid", "message_sid"];

/// Whether a SID is of a message of Conversations, which is sent as a message with a SID of its own.
/// Its delivery receipts name that one in ChannelMessageSid
/// (<https://www.twilio.com/docs/conversations/conversations-webhooks>).
pub(super) fn is_of_conversations(sid: &str) -> bool {
    sid.starts_with("IM")
}

/// The SIDs in an event's body, which are part of its digest (docs/LOG_FORMAT.md). None of them is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventSids<'a> {
    /// The account that the body names, if any.
    pub account_sid: Option<Cow<'a, str>>,
    /// The message that the event belongs to, if any.
    pub message_sid: Option<Cow<'a, str>>,
}

impl<'a> EventSids<'a> {
    /// Reads the SIDs of an event, and nothing else of its body.
    pub fn parse(event: &'a NewEvent) -> Self {
        match event.body_kind() {
            Some(BodyKind::Form) => {
                let names = FORM_PARAMETERS.map(Parameter::name);
                let values = first_texts(&event.body, names);
                Self::from_form(|parameter| {
                    let place = FORM_PARAMETERS.iter().position(|known| *known == parameter)?;
                    values[place].clone()
                })
            }
            Some(BodyKind::Json) => Self::from_json(&TopLevel::parse(&event.body), event.source),
            None => Self::default(),
        }
    }

    /// The same for the digest.
    pub fn as_sids(&self) -> Sids<'_> {
        Sids { account_sid: self.account_sid.as_deref(), message_sid: self.message_sid.as_deref() }
    }

    /// From a form, of which `text` returns the first value of a parameter unless it is empty. A receipt
    /// of Conversations belongs to the message in ChannelMessageSid.
    pub(super) fn from_form(text: impl Fn(Parameter) -> Option<Cow<'a, str>>) -> Self {
        let sid = text(Parameter::MessageSid).or_else(|| text(Parameter::SmsSid));
        let message_sid = match sid.as_deref().is_some_and(is_of_conversations) {
            true => text(Parameter::ChannelMessageSid).filter(|sid| !is_of_conversations(sid)),
            false => sid,
        };
        Self { account_sid: text(Parameter::AccountSid), message_sid }
    }

    /// From JSON: the members of the object, or of the data of a single CloudEvent.
    pub(super) fn from_json(object: &TopLevel, source: Source) -> EventSids<'static> {
        let text = |names: &[&str]| object.first(names).filter(|value| !value.is_empty());
        let data = object.cloud_event();
        let in_data = |names: &[&str]| data.as_ref()?.first(names).filter(|sid| !sid.is_empty());
        let account_sid = text(&ACCOUNT_IN_JSON).or_else(|| in_data(&ACCOUNT_IN_DATA));
        let at_the_top = match source {
            Source::Callback => text(&MESSAGE_IN_JSON),
            _ => Self::of_resource(object),
        };
        let message_sid = at_the_top.or_else(|| in_data(&MESSAGE_IN_DATA));
        EventSids {
            account_sid: account_sid.map(Cow::Owned),
            message_sid: message_sid.map(Cow::Owned),
        }
    }

    /// The message SID of JSON that may be Twilio's Message resource, in which it is only called `sid`.
    pub(super) fn of_resource(object: &TopLevel) -> Option<String> {
        let text = |names: &[&str]| object.first(names).filter(|value| !value.is_empty());
        text(&MESSAGE_IN_JSON).or_else(|| text(&["sid"]))
    }
}
