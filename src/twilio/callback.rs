//! A callback's bytes as facts: whose message it is about, and what it says of it.

use std::borrow::Cow;

use smallvec::SmallVec;
use smol_str::SmolStr;

use super::direction::evidence;
use super::event_sids::{ACCOUNT_IN_DATA, ACCOUNT_IN_JSON, EventSids, is_of_conversations};
use super::form::Form;
use super::json::cloud_event::CloudEvent;
use super::json::{TopLevel, clicks, feedback, message_resource};
use super::parameters::{Parameter, Parameters};
use super::{direction, shape, tags};
use crate::domain::channel::{derive_channel, is_channel_explicit};
use crate::domain::event::filter::ReadEvent;
use crate::domain::event::{is_simulated, note};
use crate::domain::message::status_reported::Direction;
use crate::domain::message::status_reported::{Addressing, Arrival, Doubt, Label, StatusReported};
use crate::domain::message::tags::Tags;
use crate::domain::{
    AccountSid, BodyKind, ErrorCode, MessageKey, MessageSid, NewEvent, Source, Status,
};

/// The facts in one event. SIDs are borrowed from its body unless they are escaped there; none is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedCallback<'a> {
    /// The account that the body names, if any.
    pub account_sid: Option<Cow<'a, str>>,
    /// The message that the event belongs to, if any.
    pub message_sid: Option<Cow<'a, str>>,
    /// `None` if the event reports nothing of a message.
    pub reported: Option<StatusReported>,
    /// True if a simulation sent the event.
    pub simulated: bool,
}

/// The account a body names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedAccount {
    /// It names none.
    None,
    /// The only one that it names.
    Account(AccountSid),
    /// Two different AccountSids: no key can be chosen.
    Contradicting,
}

impl<'a> ParsedCallback<'a> {
    /// Reads an event's body. Nothing is refused: what can't be read is absent.
    pub fn parse(event: &'a NewEvent) -> Self {
        let mut parsed = match event.body_kind() {
            Some(BodyKind::Form) => Self::from_form(event),
            Some(BodyKind::Json) => Self::from_json(event),
            None => Self { account_sid: None, message_sid: None, reported: None, simulated: false },
        };
        if event.notes.contains_key(note::SIGNED_BY) {
            parsed.reported = None;
        }
        parsed.simulated = is_simulated(event);
        if let Some(reported) = &mut parsed.reported {
            reported.imported = event.is_imported();
        }
        if let Some(reported) = &mut parsed.reported
            && parsed.simulated
        {
            reported.simulated = true;
            reported.labels.push(Label::Simulated);
        }
        parsed
    }

    /// Which message the event belongs to.
    pub fn message_key(&self) -> Option<MessageKey> {
        let message_sid = self.message_sid.as_deref().and_then(MessageSid::parse)?;
        let account_sid = self.account_sid.as_deref().and_then(AccountSid::parse);
        Some(MessageKey { account_sid, message_sid })
    }

    /// This and the event it was read from, for a filter.
    pub fn with_event<'e>(&'e self, event: &'e NewEvent) -> ReadEvent<'e> {
        ReadEvent {
            event,
            account_sid: self.account_sid.as_deref(),
            message_sid: self.message_sid.as_deref(),
            reported: self.reported.as_ref(),
        }
    }

    fn from_form(event: &'a NewEvent) -> Self {
        let form = Parameters::parse(&event.body, event.query());
        let EventSids { account_sid, message_sid } =
            EventSids::from_form(|parameter| form.text(parameter));
        let reported = message_sid.as_deref().map(|sid| report_of_form(&form, sid));
        let reported = reported.map(|reported| match event.source {
            Source::Callback => StatusReported {
                tags: tags::parse(event.query()),
                arrival: Arrival::Callback,
                ..reported
            },
            _ => reported,
        });
        Self { account_sid, message_sid, reported, simulated: false }
    }

    fn from_json(event: &NewEvent) -> Self {
        let object = TopLevel::parse(&event.body);
        let EventSids { account_sid, message_sid } = EventSids::from_json(&object, event.source);
        let reported = match event.source {
            Source::Callback => {
                let sid = message_sid.as_deref();
                sid.and_then(|sid| report_of_json_callback(&object, sid, event))
            }
            _ => EventSids::of_resource(&object).map(|sid| {
                feedback::reported(&object, &sid, &event.url)
                    .unwrap_or_else(|| message_resource::reported(&object, &sid))
            }),
        };
        Self { account_sid, message_sid, reported, simulated: false }
    }
}

/// The status that a callback reports, as a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWord {
    /// A status of an outbound message.
    Known(Status),
    /// A word that is no evidence.
    Unrecognised,
    /// No word at all, or one that is not read.
    None,
}

impl StatusWord {
    /// Every one of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Status::ALL.into_iter().map(StatusWord::Known).chain([Self::Unrecognised, Self::None])
    }

    /// Twilio's word, `unrecognised` or `none`.
    pub fn name(self) -> &'static str {
        match self {
            StatusWord::Known(status) => status.name(),
            StatusWord::Unrecognised => "unrecognised",
            StatusWord::None => "none",
        }
    }
}

/// A body, parsed once for everything that is asked before its event is stored.
pub struct ParsedBody<'a> {
    /// The body as received.
    pub bytes: &'a [u8],
    /// Its parameters or members.
    pub content: Content<'a>,
}

/// What a body consists of.
pub enum Content<'a> {
    /// The parameters of a form.
    Form(Form<'a>),
    /// The members at the top of a JSON object.
    Json(TopLevel),
}

impl<'a> ParsedBody<'a> {
    /// Parses a body of this kind. Every body can be parsed: what cannot be read is absent.
    pub fn parse(kind: BodyKind, bytes: &'a [u8]) -> Self {
        let content = match kind {
            BodyKind::Form => Content::Form(Form::parse(bytes)),
            BodyKind::Json => Content::Json(TopLevel::parse(bytes)),
        };
        Self { bytes, content }
    }

    /// The account that the body names, whose keys may verify it.
    pub fn claimed_account(&self) -> ClaimedAccount {
        let values: SmallVec<[Cow<'_, str>; 2]> = match &self.content {
            Content::Form(form) => form.values("AccountSid").map(String::from_utf8_lossy).collect(),
            Content::Json(object) => {
                let data = object.cloud_event().unwrap_or_default();
                let in_data = data.values(&ACCOUNT_IN_DATA).into_iter();
                let in_data = in_data.map(|sid| Cow::Owned(sid.into_owned()));
                object.values(&ACCOUNT_IN_JSON).into_iter().chain(in_data).collect()
            }
        };
        match values.split_first() {
            Some((first, rest)) if rest.iter().any(|other| other != first) => {
                ClaimedAccount::Contradicting
            }
            Some((first, _)) => {
                AccountSid::parse(first).map_or(ClaimedAccount::None, ClaimedAccount::Account)
            }
            None => ClaimedAccount::None,
        }
    }

    /// The status that the body reports.
    pub fn status_word(&self) -> StatusWord {
        let evidence = match &self.content {
            Content::Form(form) => StatusParameters::read(|parameter| {
                let value = form.values(parameter.name()).next();
                value.filter(|value| !value.is_empty()).map(String::from_utf8_lossy)
            })
            .evidence(),
            Content::Json(object) => {
                let status = CloudEvent::from_object(object).and_then(|event| event.status());
                status.unwrap_or_default()
            }
        };
        match evidence {
            (Some(status), _) => StatusWord::Known(status),
            (None, Some(_)) => StatusWord::Unrecognised,
            (None, None) => StatusWord::None,
        }
    }
}

/// The parameters that tell of a status.
struct StatusParameters<'a> {
    message: Option<Cow<'a, str>>,
    sms: Option<Cow<'a, str>>,
    read: bool,
}

impl<'a> StatusParameters<'a> {
    /// Reads them from a form by `text`, which has the first value of a parameter unless it is empty.
    fn read(text: impl Fn(Parameter) -> Option<Cow<'a, str>>) -> Self {
        let word = |name| text(name).filter(|word| !word.trim().is_empty());
        if text(Parameter::MessageSid).is_some_and(|sid| is_of_conversations(&sid)) {
            return Self { message: word(Parameter::Status), sms: None, read: false };
        }
        let kind = text(Parameter::EventType);
        Self {
            message: word(Parameter::MessageStatus),
            sms: word(Parameter::SmsStatus),
            read: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("READ")),
        }
    }

    /// The status, or the word that is none.
    fn evidence(&self) -> (Option<Status>, Option<SmolStr>) {
        match self.message.as_ref().or(self.sms.as_ref()) {
            _ if self.read => (Some(Status::Read), None),
            Some(word) => evidence(word),
            None => (None, None),
        }
    }

    fn differ(&self) -> bool {
        matches!((&self.message, &self.sms), (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b))
    }
}

fn report_of_form(form: &Parameters<'_>, sid: &str) -> StatusReported {
    let words = StatusParameters::read(|parameter| form.text(parameter));
    let (status, unrecognised) = words.evidence();
    let direction = direction::of_status(status, unrecognised.as_deref());
    let (to, from) = (form.kept(Parameter::To), form.kept(Parameter::From));
    let (prefix, code) = (form.text(Parameter::ChannelPrefix), form.text(Parameter::ErrorCode));
    let service = form.kept(Parameter::MessagingServiceSid);
    let raw_dlr_done_date = form.kept(Parameter::RawDlrDoneDate);
    let is = |value: Option<&str>, form: fn(&str) -> bool| value.is_none_or(form);
    let is_shaped = is(from.as_deref(), shape::may_be_address)
        && is(to.as_deref(), shape::may_be_address)
        && is(code.as_deref(), shape::is_of_digits)
        && is(raw_dlr_done_date.as_deref(), shape::is_of_digits)
        && is(prefix.as_deref(), shape::may_be_channel)
        && is(service.as_deref(), shape::may_be_sid);
    let (swallowed, repeated) = (form.swallowed(), form.repeated());
    StatusReported {
        status,
        unrecognised,
        error_code: code.and_then(|code| ErrorCode::parse(&code)),
        // A value of another form than Twilio's may contain another parameter whose name is unknown.
        doubt: Doubt::new(
            swallowed || repeated || !is_shaped,
            form.missing(),
            form.unknown_names(),
        ),
        addressed: Addressing {
            channel: derive_channel(to.as_deref(), from.as_deref(), prefix.as_deref(), sid),
            channel_is_explicit: is_channel_explicit(
                to.as_deref(),
                from.as_deref(),
                prefix.as_deref(),
            ),
            from,
            to,
            messaging_service_sid: service,
        },
        raw_dlr_done_date,
        direction,
        simulated: false,
        imported: false,
        created_at: None,
        tags: Tags::default(),
        arrival: Arrival::Other,
        details: None,
        labels: labels(&[
            (words.differ(), Label::StatusWordsDiffer),
            (!MessageSid::has_documented_form(sid), Label::OddMessageSid),
            (direction == Direction::Inbound, Label::Inbound),
            (swallowed, Label::SwallowedParameter),
            (repeated, Label::RepeatedParameter),
        ]),
    }
}

/// What JSON that arrived as a callback reports of the message with this SID: a CloudEvent, or a click.
fn report_of_json_callback(
    object: &TopLevel,
    sid: &str,
    event: &NewEvent,
) -> Option<StatusReported> {
    let mut reported = if clicks::is_callback(object) {
        clicks::reported(object, sid, event)
    } else {
        CloudEvent::from_object(object)?.reported(sid, event)?
    };
    reported.tags.merge(&tags::parse(event.query()));
    Some(reported)
}

fn labels(odd: &[(bool, Label)]) -> Vec<Label> {
    odd.iter().filter(|(is_odd, _)| *is_odd).map(|(_, label)| *label).collect()
}

/// What is odd about an event that only its timeline shows, since telling it takes longer: a
/// parameter that occurs twice with the same value, whatever its name.
pub fn repeats_a_parameter(event: &NewEvent) -> bool {
    let is_form = event.body_kind() == Some(BodyKind::Form);
    is_form && Form::parse(&event.body).repeats_a_pair()
}
