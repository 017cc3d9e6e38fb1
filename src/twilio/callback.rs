//! A callback's bytes as facts: whose message it is about, and what it says of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use smol_str::SmolStr;

use super::form::{self, FirstValues, Form};
use super::resource;
use crate::domain::channel::channel_of;
use crate::domain::kinds::Direction;
use crate::domain::reported::{Addressed, Label, StatusReported};
use crate::domain::simulated::is_simulated;
use crate::domain::{AccountSid, ErrorCode, MessageKey, MessageSid, NewEvent, Source, Status};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    Form,
    Json,
}

/// What was read from one event; the SIDs are borrowed from its body where they stand there as
/// they are. None of them is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<'a> {
    pub account_sid: Option<Cow<'a, str>>,
    pub message_sid: Option<Cow<'a, str>>,
    /// Nothing where the event is kept but not folded, as JSON callbacks are.
    pub reported: Option<StatusReported>,
    /// Whether a simulation sent the event.
    pub simulated: bool,
}

/// The account a body names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    None,
    Account(AccountSid),
    /// Two different AccountSids: no key can be chosen.
    Contradicting,
}

impl BodyKind {
    /// The kind a media type stands for. No Content-Type at all is read as a form.
    pub fn of(media_type: Option<&str>) -> Option<Self> {
        match media_type {
            None | Some(form::MEDIA_TYPE) => Some(BodyKind::Form),
            Some("application/json") => Some(BodyKind::Json),
            Some(other) if other.ends_with("+json") => Some(BodyKind::Json),
            Some(_) => None,
        }
    }
}

impl<'a> Reading<'a> {
    /// Reads an event's body. Nothing is refused: what can't be read is absent.
    pub fn of(event: &'a NewEvent) -> Self {
        let mut reading = match BodyKind::of(event.media_type().as_deref()) {
            Some(BodyKind::Form) => Self::of_form(&Parameters::of(&event.body)),
            Some(BodyKind::Json) => Self::of_json(event),
            None => Self { account_sid: None, message_sid: None, reported: None, simulated: false },
        };
        reading.simulated = is_simulated(event);
        if let Some(reported) = &mut reading.reported
            && reading.simulated
        {
            reported.simulated = true;
            reported.labels.push(Label::Simulated);
        }
        reading
    }

    /// Which message the event belongs to.
    pub fn message_key(&self) -> Option<MessageKey> {
        let message_sid = self.message_sid.as_deref().and_then(MessageSid::parse)?;
        let account_sid = self.account_sid.as_deref().and_then(AccountSid::parse);
        Some(MessageKey { account_sid, message_sid })
    }

    fn of_form(form: &Parameters<'a>) -> Self {
        let message_sid = form.text(Parameter::MessageSid).or_else(|| form.text(Parameter::SmsSid));
        Self {
            account_sid: form.text(Parameter::AccountSid),
            reported: message_sid.as_deref().map(|sid| report_of_form(form, sid)),
            message_sid,
            simulated: false,
        }
    }

    fn of_json(event: &NewEvent) -> Self {
        let object = TopLevel::parse(&event.body);
        let text = |names: &[&str]| object.first(names).filter(|value| !value.is_empty());
        let sid = text(&["MessageSid", "message_sid", "sms_sid"]);
        let is_resource = event.source != Source::Callback;
        let sid = sid.or_else(|| text(&["sid"]).filter(|_| is_resource));
        let reported = sid.as_deref().filter(|_| is_resource);
        Self {
            account_sid: text(&["AccountSid", "account_sid"]).map(Cow::Owned),
            reported: reported.map(|sid| report_of_resource(&object, sid)),
            message_sid: sid.map(Cow::Owned),
            simulated: false,
        }
    }
}

/// What a callback says of a status, as one of a few words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusWord {
    Known(Status),
    /// A word that is no evidence.
    Unrecognised,
    /// No word at all, or one that is not read.
    None,
}

impl StatusWord {
    /// The word of an event.
    pub fn of(event: &NewEvent) -> Self {
        match BodyKind::of(event.media_type().as_deref()) {
            Some(BodyKind::Form) => match words_of_form(&Parameters::of(&event.body)).evidence() {
                (Some(status), _) => StatusWord::Known(status),
                (None, Some(_)) => StatusWord::Unrecognised,
                (None, None) => StatusWord::None,
            },
            _ => StatusWord::None,
        }
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

/// A body, read once for all that the signature needs of it.
pub enum Body<'a> {
    Form(Form<'a>),
    Json(TopLevel),
}

impl<'a> Body<'a> {
    /// Reads a body of this kind.
    pub fn parse(kind: BodyKind, bytes: &'a [u8]) -> Self {
        match kind {
            BodyKind::Form => Body::Form(Form::parse(bytes)),
            BodyKind::Json => Body::Json(TopLevel::parse(bytes)),
        }
    }

    /// The account whose keys may verify this body.
    pub fn claim(&self) -> Claim {
        let values: Vec<Cow<'_, str>> = match self {
            Body::Form(form) => form.values("AccountSid").map(String::from_utf8_lossy).collect(),
            Body::Json(object) => object.values(&["AccountSid", "account_sid"]),
        };
        match values.split_first() {
            Some((first, rest)) if rest.iter().any(|other| other != first) => Claim::Contradicting,
            Some((first, _)) => AccountSid::parse(first).map_or(Claim::None, Claim::Account),
            None => Claim::None,
        }
    }
}

/// The parameters of a callback that facts are read from.
#[derive(Clone, Copy)]
enum Parameter {
    AccountSid,
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
    To,
}

impl Parameter {
    /// How many there are.
    const COUNT: usize = Self::To as usize + 1;

    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"AccountSid" => Self::AccountSid,
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
            b"To" => Self::To,
            _ => return None,
        })
    }
}

/// What a form says of those parameters.
struct Parameters<'a>(FirstValues<'a, { Parameter::COUNT }>);

impl<'a> Parameters<'a> {
    fn of(body: &'a [u8]) -> Self {
        let place = |name: &[u8]| Parameter::named(name).map(|parameter| parameter as usize);
        Self(FirstValues::of(body, place))
    }

    fn text(&self, parameter: Parameter) -> Option<Cow<'a, str>> {
        self.0.text(parameter as usize)
    }

    fn kept(&self, parameter: Parameter) -> Option<SmolStr> {
        self.0.kept(parameter as usize)
    }
}

/// The parameters that tell of a status.
struct Words<'a> {
    message: Option<Cow<'a, str>>,
    sms: Option<Cow<'a, str>>,
    read: bool,
}

impl Words<'_> {
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

fn words_of_form<'a>(form: &Parameters<'a>) -> Words<'a> {
    let word = |name| form.text(name).filter(|word| !word.trim().is_empty());
    let kind = form.text(Parameter::EventType);
    Words {
        message: word(Parameter::MessageStatus),
        sms: word(Parameter::SmsStatus),
        read: kind.is_some_and(|kind| kind.eq_ignore_ascii_case("READ")),
    }
}

fn report_of_form(form: &Parameters<'_>, sid: &str) -> StatusReported {
    let words = words_of_form(form);
    let (status, unrecognised) = words.evidence();
    let direction = direction_of(status, unrecognised.as_deref());
    let to = form.kept(Parameter::To);
    StatusReported {
        status,
        unrecognised,
        error_code: form.text(Parameter::ErrorCode).and_then(|code| ErrorCode::parse(&code)),
        addressed: Addressed {
            from: form.kept(Parameter::From),
            channel: channel_of(to.as_deref(), form.text(Parameter::ChannelPrefix).as_deref(), sid),
            to,
            messaging_service_sid: form.kept(Parameter::MessagingServiceSid),
        },
        raw_dlr_done_date: form.kept(Parameter::RawDlrDoneDate),
        direction,
        simulated: false,
        created_at: None,
        labels: labels(words.differ(), direction, sid),
    }
}

/// The Message resource of Twilio's REST API, as an answer or an import brings it
/// (<https://www.twilio.com/docs/messaging/api/message-resource>).
fn report_of_resource(resource: &TopLevel, sid: &str) -> StatusReported {
    let text = |name: &str| resource.first(&[name]).filter(|value| !value.is_empty());
    let word = text("status");
    let (direction, (status, unrecognised)) = match text("direction") {
        // Whatever its status is called, it is none of an outbound message.
        Some(way) if is_inbound_way(&way) => (Direction::Inbound, (None, word.map(SmolStr::from))),
        way => {
            let evidence = word.map_or((None, None), |word| evidence(&word));
            match direction_of(evidence.0, evidence.1.as_deref()) {
                Direction::Unstated if way.is_some() => (Direction::Outbound, evidence),
                direction => (direction, evidence),
            }
        }
    };
    let kept = |name| text(name).map(SmolStr::from);
    let to = kept("to");
    StatusReported {
        status,
        unrecognised,
        // Where lists of Twilio's have no null, they have 0 for none.
        error_code: text("error_code")
            .and_then(|code| ErrorCode::parse(&code))
            .filter(|code| code.number() != 0),
        addressed: Addressed {
            from: kept("from"),
            channel: channel_of(to.as_deref(), None, sid),
            to,
            messaging_service_sid: kept("messaging_service_sid"),
        },
        raw_dlr_done_date: None,
        direction,
        simulated: false,
        created_at: ["date_created", "date_sent"]
            .into_iter()
            .find_map(|name| resource::date(&text(name)?)),
        labels: labels(false, direction, sid),
    }
}

fn evidence(word: &str) -> (Option<Status>, Option<SmolStr>) {
    match Status::parse(word) {
        Some(status) => (Some(status), None),
        None => (None, Some(SmolStr::new(word))),
    }
}

/// Which way a message went by what its status is. `receiving` and `received` are the statuses of
/// inbound messages (<https://www.twilio.com/docs/messaging/api/message-resource#message-status-values>);
/// any other unknown word may be a new status of an outbound one.
fn direction_of(status: Option<Status>, unrecognised: Option<&str>) -> Direction {
    let is_inbound = |word: &str| {
        INBOUND_STATUSES.iter().any(|inbound| word.trim().eq_ignore_ascii_case(inbound))
    };
    match (status, unrecognised) {
        (Some(_), _) => Direction::Outbound,
        (None, Some(word)) if is_inbound(word) => Direction::Inbound,
        (None, Some(_)) => Direction::Outbound,
        (None, None) => Direction::Unstated,
    }
}

const INBOUND_STATUSES: [&str; 2] = ["receiving", "received"];

/// `inbound`, as the API has it, or `incoming`, as the Console does.
fn is_inbound_way(way: &str) -> bool {
    let way = way.trim().to_ascii_lowercase();
    way.starts_with("inbound") || way.starts_with("incoming")
}

fn labels(words_differ: bool, direction: Direction, sid: &str) -> Vec<Label> {
    let differ = words_differ.then_some(Label::StatusWordsDiffer);
    let odd = (!MessageSid::is_usual(sid)).then_some(Label::OddMessageSid);
    let inbound = (direction == Direction::Inbound).then_some(Label::Inbound);
    differ.into_iter().chain(odd).chain(inbound).collect()
}

/// The scalars at the top of a JSON object, every repetition of a name kept:
/// a map would silently let the last one win.
pub struct TopLevel(Vec<(String, String)>);

impl TopLevel {
    fn parse(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or(Self(Vec::new()))
    }

    /// The first of these names that is there, by its first value.
    fn first(&self, names: &[&str]) -> Option<String> {
        let value = |name: &&str| self.0.iter().find(|(have, _)| have == name);
        names.iter().find_map(value).map(|(_, value)| value.clone())
    }

    fn values(&self, names: &[&str]) -> Vec<Cow<'_, str>> {
        let wanted = self.0.iter().filter(|(name, _)| names.contains(&name.as_str()));
        wanted.map(|(_, value)| Cow::Borrowed(value.as_str())).collect()
    }
}

impl<'de> Deserialize<'de> for TopLevel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TopLevelVisitor)
    }
}

struct TopLevelVisitor;

impl<'de> Visitor<'de> for TopLevelVisitor {
    type Value = TopLevel;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<TopLevel, M::Error> {
        let mut pairs = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if !NAMES_READ.contains(&name.as_str()) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            match map.next_value::<Value>()? {
                Value::String(text) => pairs.push((name, text)),
                Value::Number(number) => pairs.push((name, number.to_string())),
                _ => {}
            }
        }
        Ok(TopLevel(pairs))
    }
}

const NAMES_READ: [&str; 14] = [
    "AccountSid",
    "account_sid",
    "MessageSid",
    "message_sid",
    "sms_sid",
    "sid",
    "status",
    "error_code",
    "from",
    "to",
    "messaging_service_sid",
    "direction",
    "date_created",
    "date_sent",
];
