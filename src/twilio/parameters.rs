//! The parameters of a callback, and checks for a body that was cut differently. Twilio signs names and
//! values without separators, so anybody who has one callback can divide its text in another way and
//! send it with the same signature; these checks detect that.

use std::borrow::Cow;

use memchr::memmem;
use smol_str::SmolStr;

use super::form::{FirstValues, Form, Name, may_contain_name};

/// The parameters that facts are read from, and `ApiVersion`, which most callbacks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Twilio documents its parameters")]
pub enum Parameter {
    AccountSid,
    ApiVersion,
    ChannelMessageSid,
    ChannelPrefix,
    ErrorCode,
    EventType,
    From,
    MessageSid,
    MessageStatus,
    MessagingServiceSid,
    RawDlrDoneDate,
    SmsSid,
    SmsStatus,
    Status,
    To,
}

impl Parameter {
    /// The number of parameters.
    const COUNT: usize = Self::To as usize + 1;

    /// The parameters whose names are searched for in other names and in values. `Status` is not one of
    /// them, because it is the end of other names and an everyday word.
    const CONSPICUOUS: [(Self, &'static str); Self::COUNT - 1] = [
        (Self::AccountSid, "AccountSid"),
        (Self::ApiVersion, "ApiVersion"),
        (Self::ChannelMessageSid, "ChannelMessageSid"),
        (Self::ChannelPrefix, "ChannelPrefix"),
        (Self::ErrorCode, "ErrorCode"),
        (Self::EventType, "EventType"),
        (Self::From, "From"),
        (Self::MessageSid, "MessageSid"),
        (Self::MessageStatus, "MessageStatus"),
        (Self::MessagingServiceSid, "MessagingServiceSid"),
        (Self::RawDlrDoneDate, "RawDlrDoneDate"),
        (Self::SmsSid, "SmsSid"),
        (Self::SmsStatus, "SmsStatus"),
        (Self::To, "To"),
    ];

    /// The parameter's name.
    pub fn name(self) -> &'static str {
        let known = Self::CONSPICUOUS.iter().find(|(parameter, _)| *parameter == self);
        known.map_or("Status", |(_, name)| name)
    }

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"AccountSid" => Self::AccountSid,
            b"ApiVersion" => Self::ApiVersion,
            b"ChannelMessageSid" => Self::ChannelMessageSid,
            b"ChannelPrefix" => Self::ChannelPrefix,
            b"ErrorCode" => Self::ErrorCode,
            b"EventType" => Self::EventType,
            b"From" => Self::From,
            b"MessageSid" => Self::MessageSid,
            b"MessageStatus" => Self::MessageStatus,
            b"MessagingServiceSid" => Self::MessagingServiceSid,
            b"RawDlrDoneDate" => Self::RawDlrDoneDate,
            b"SmsSid" => Self::SmsSid,
            b"SmsStatus" => Self::SmsStatus,
            b"Status" => Self::Status,
            b"To" => Self::To,
            _ => return None,
        })
    }
}

/// Further names that Twilio sends
/// (<https://www.twilio.com/docs/messaging/guides/webhook-request>).
const FURTHER: [&str; 30] = [
    "AddOns",
    "ButtonPayload",
    "ButtonText",
    "ChannelInstallSid",
    "ChannelMetadata",
    "ChannelStatusMessage",
    "ChannelToAddress",
    "ChatServiceSid",
    "ConversationSid",
    "DateCreated",
    "DateUpdated",
    "DeliveryReceiptSid",
    "ErrorMessage",
    "ExternalUserId",
    "FromCity",
    "FromCountry",
    "FromState",
    "FromZip",
    "NumMedia",
    "NumSegments",
    "OptOutType",
    "ParticipantSid",
    "ProfileName",
    "SmsMessageSid",
    "StructuredMessage",
    "ToCity",
    "ToCountry",
    "ToState",
    "ToZip",
    "WaId",
];

/// Further names that are everyday words, so that finding them in a value proves nothing.
const EVERYDAY: [&str; 3] = ["Attributes", "Author", "Body"];

/// The number of a further name: its index in the two lists.
fn number_of(name: &[u8]) -> Option<usize> {
    FURTHER.iter().chain(&EVERYDAY).position(|known| known.as_bytes() == name)
}

fn name_of(name: &[u8]) -> Name {
    let wanted = Parameter::named(name).map(|parameter| Name::Wanted(parameter as usize));
    wanted.or_else(|| number_of(name).map(Name::Known)).unwrap_or(Name::Unknown)
}

/// The parameters of a form.
pub struct Parameters<'a> {
    values: FirstValues<'a, { Parameter::COUNT }>,
    body: &'a [u8],
    /// The URL's query: parameters can be moved there, too.
    query: &'a str,
}

impl<'a> Parameters<'a> {
    /// Parses a form in one pass.
    pub fn parse(body: &'a [u8], query: &'a str) -> Self {
        Self { values: FirstValues::parse(body, name_of), body, query }
    }

    /// The first value of a parameter; `None` if it is empty or absent.
    pub fn text(&self, parameter: Parameter) -> Option<Cow<'a, str>> {
        self.values.text(parameter as usize)
    }

    /// Like [`Parameters::text`], as an owned string.
    pub fn kept(&self, parameter: Parameter) -> Option<SmolStr> {
        self.values.kept(parameter as usize)
    }

    /// True if one of the parameters occurs more than once, which Twilio never does.
    pub fn repeated(&self) -> bool {
        self.values.repeated
    }

    /// The number of names that Twilio is not known to send.
    pub fn unknown_names(&self) -> usize {
        self.values.unknown_names
    }

    /// The number of AccountSid, From and To that have no value.
    pub fn missing(&self) -> usize {
        let complete = [Parameter::AccountSid, Parameter::From, Parameter::To];
        complete.into_iter().filter(|parameter| !self.values.has_value(*parameter as usize)).count()
    }

    /// True if a name or a value contains the name of a missing parameter: two parameters were merged,
    /// or some were moved into the query.
    pub fn swallowed(&self) -> bool {
        let has = |parameter: Parameter| self.values.has(parameter as usize);
        let has_addresses = has(Parameter::From) && has(Parameter::To);
        let may_be = self.values.may_contain_names || may_contain_name(self.query.as_bytes());
        if has_addresses && !may_be {
            return false;
        }
        let missing = Parameter::CONSPICUOUS.into_iter().filter(|(parameter, _)| !has(*parameter));
        let further = FURTHER.into_iter().zip(0..);
        let further = further.filter(|(_, number)| !self.values.has_known(*number));
        let further = further.map(|(name, _)| name);
        let missing: Vec<_> = missing.map(|(_, name)| name).chain(further).collect();
        [self.body, self.query.as_bytes()].into_iter().any(|text| contain(text, &missing))
    }
}

/// True if an unknown name, or a value, contains one of these names.
fn contain(form: &[u8], names: &[&str]) -> bool {
    let contains =
        |text: &[u8]| names.iter().any(|name| memmem::find(text, name.as_bytes()).is_some());
    let is_odd = |(name, value): &(Cow<'_, [u8]>, Cow<'_, [u8]>)| {
        contains(value) || name_of(name) == Name::Unknown && contains(name)
    };
    Form::parse(form).pairs().any(is_odd)
}
