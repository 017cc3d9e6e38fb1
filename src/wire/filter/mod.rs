//! The filter of messages: the query parameters of the API, which the command line has as flags.

pub mod events;
pub mod tag_filter;

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::number::WrittenAddress;
use super::parameters::{BadValue, account_sid, not_empty, parsed, sid, time, time_zone};
use super::written_time::{self, WrittenTime, ZoneName};
use crate::domain::account_names::AccountNames;
use crate::domain::channel::CHANNELS;
use crate::domain::country::Country;
use crate::domain::message::filter::MessageFilter;
use crate::domain::similar::suggestion;
use crate::domain::time::duration;
use crate::domain::time::duration::ParseError;
use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, ErrorCode, Status, Timestamp};

/// Which messages are asked for. Each field is a parameter of lists, exports and reports.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct MessageParameters {
    /// Current status
    #[serde(deserialize_with = "status")]
    #[param(inline, value_type = StatusWord, required = false)]
    pub status: Option<Option<Status>>,
    /// Error code of the message
    #[serde(deserialize_with = "error_code")]
    #[param(value_type = Option<String>, pattern = "^0*[1-9][0-9]*$", max_length = 9)]
    pub error_code: Option<ErrorCode>,
    /// An address, in any spelling if it is a number; `*` and its last digits, at least four; or its first
    /// digits and `*`, as in `+4420*`
    #[serde(deserialize_with = "address")]
    #[param(value_type = Option<String>, pattern = r"^(\*[0-9]{4,}|\+[ ().\-/]*[0-9][0-9 ().\-/]*\*|[^*]+)$")]
    pub from: Option<WrittenAddress>,
    /// An address, in any spelling if it is a number; `*` and its last digits, at least four; or its first
    /// digits and `*`, as in `+4420*`
    #[serde(deserialize_with = "address")]
    #[param(value_type = Option<String>, pattern = r"^(\*[0-9]{4,}|\+[ ().\-/]*[0-9][0-9 ().\-/]*\*|[^*]+)$")]
    pub to: Option<WrittenAddress>,
    /// The same of either: the recipient's or the sender's address
    #[serde(deserialize_with = "address")]
    #[param(value_type = Option<String>, pattern = r"^(\*[0-9]{4,}|\+[ ().\-/]*[0-9][0-9 ().\-/]*\*|[^*]+)$")]
    pub address: Option<WrittenAddress>,
    /// The account, by SID or name
    #[serde(deserialize_with = "account_sid")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub account_sid: Option<AccountSid>,
    /// The SID of the messaging service that sent it
    #[serde(deserialize_with = "sid")]
    #[param(min_length = 1)]
    pub messaging_service_sid: Option<String>,
    /// The channel, such as `sms` or `whatsapp`
    #[serde(deserialize_with = "channel")]
    #[param(min_length = 1)]
    pub channel: Option<String>,
    /// The country of the recipient's number, as two letters
    #[serde(deserialize_with = "country")]
    #[param(value_type = CountryCode, required = false)]
    pub country: Option<Country>,
    /// First received at this time or later: RFC 3339, a day or a time in the time zone, `yesterday`, or a
    /// length of time ago, such as `24h`
    #[serde(deserialize_with = "time")]
    #[param(inline, value_type = WrittenTime, required = false)]
    pub since: Option<WrittenTime>,
    /// First received before this time
    #[serde(deserialize_with = "time")]
    #[param(inline, value_type = WrittenTime, required = false)]
    pub until: Option<WrittenTime>,
    /// The time zone of days and times, such as `Europe/Berlin`; the default is that of the server's settings
    #[serde(deserialize_with = "time_zone")]
    #[param(value_type = ZoneName, required = false)]
    pub time_zone: Option<Zone>,
    /// Whether there is evidence of both success and failure
    pub conflict: Option<bool>,
    /// Whether any of its events was late
    pub late: Option<bool>,
    /// Whether any of its events was a duplicate
    pub duplicate: Option<bool>,
    /// Whether it is outbound and its outcome is not known yet
    pub open: Option<bool>,
    /// Open for at least this long, such as `6h`
    #[serde(deserialize_with = "length")]
    #[param(value_type = Option<String>, pattern = "^0*[1-9][0-9]{0,8}[smhdw]$")]
    pub stuck: Option<Duration>,
    /// `true`: only inbound messages, which are otherwise left out
    #[param(default = false)]
    pub inbound: Option<bool>,
    /// Whether a simulation sent all of its events
    pub simulated: Option<bool>,
    /// A tag with this value; `NAME` is the tag's name, as in `tag.order=17`
    #[serde(rename = "tag.NAME", deserialize_with = "tag_filter::tags")]
    #[param(rename = "tag.NAME", value_type = Option<String>, max_length = 256)]
    pub tags: Vec<(String, String)>,
}

/// The time and the settings that the meaning of some values depends on.
#[derive(Debug, Clone)]
pub struct FilterContext {
    /// The time that lengths of time count back from.
    pub now: Timestamp,
    /// The time zone, unless the parameters have another one.
    pub time_zone: Zone,
    /// The country of numbers without a calling code; `None` if none is configured.
    pub default_country: Option<Country>,
}

impl MessageParameters {
    /// The same with the account's SID instead of its name.
    pub fn with_named_account(self, names: &AccountNames) -> Result<Self, BadValue> {
        let account_sid = self.account_sid.map(|written| account(&written, names)).transpose()?;
        Ok(Self { account_sid, ..self })
    }

    /// The filter. Inbound messages are left out unless asked for.
    /// The error is that conditions exclude each other.
    pub fn filter(self, context: &FilterContext) -> Result<MessageFilter, BadValue> {
        let FilterContext { now, default_country, ref time_zone } = *context;
        let zone = self.time_zone.as_ref().unwrap_or(time_zone);
        let (since, until) = period(self.since, self.until, now, zone)?;
        let pattern = |written: WrittenAddress| written.pattern(default_country);
        Ok(MessageFilter {
            status: self.status,
            error_code: self.error_code,
            from: self.from.map(pattern),
            to: self.to.map(pattern),
            address: self.address.map(pattern),
            account_sid: self.account_sid,
            messaging_service_sid: self.messaging_service_sid,
            channel: self.channel,
            country: self.country,
            since,
            until,
            conflict: self.conflict,
            late: self.late,
            duplicate: self.duplicate,
            open: self.open,
            stuck_since: self.stuck.map(|length| before(now, length)),
            begun_since: None,
            priced: None,
            inbound: Some(self.inbound.unwrap_or(false)),
            simulated: self.simulated,
            tags: self.tags,
        })
    }
}

/// The account that was written as a SID or a name.
pub fn account(written: &AccountSid, names: &AccountNames) -> Result<AccountSid, BadValue> {
    let written = written.as_str();
    let resolved = names.resolve(written);
    resolved.map_err(|unknown| BadValue::new("account_sid", written, unknown.to_string()))
}

/// A time for a flag or a parameter of this name.
pub fn time_flag(
    name: &str,
    value: &str,
    now: Timestamp,
    zone: &Zone,
) -> Result<Timestamp, BadValue> {
    let written = WrittenTime::parse(value);
    let expected = || BadValue::new(name, value, written_time::EXPECTED);
    Ok(written.ok_or_else(expected)?.time(now, zone))
}

/// The beginning and the end of a period.
///
/// # Errors
///
/// It ends before it begins.
pub fn period(
    since: Option<WrittenTime>,
    until: Option<WrittenTime>,
    now: Timestamp,
    zone: &Zone,
) -> Result<(Option<Timestamp>, Option<Timestamp>), BadValue> {
    let [since, until] = [since, until].map(|time| time.map(|time| time.time(now, zone)));
    in_order(since, until)?;
    Ok((since, until))
}

/// Makes sure that a period does not end before it begins.
pub fn in_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), BadValue> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => {
            let expected = format!("before until ({until}); exchange the two, or change one");
            Err(BadValue::new("since", &since.to_string(), expected))
        }
        _ => Ok(()),
    }
}

fn status<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<Status>>, D::Error> {
    let text = String::deserialize(value)?;
    if text == UNKNOWN {
        return Ok(Some(None));
    }
    let status = Status::parse(&text).map(|status| Some(Some(status)));
    status.ok_or_else(|| {
        let names = || Status::ALL.into_iter().map(Status::name).chain([UNKNOWN]);
        let all = names().collect::<Vec<_>>().join(", ");
        D::Error::custom(format!("one of {all}{}", suggestion(&text, names())))
    })
}

/// The words for `status`, for the API's description.
struct StatusWord;

impl ToSchema for StatusWord {}

impl PartialSchema for StatusWord {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A status, or `unknown`."))
            .enum_values(Some([UNKNOWN].into_iter().chain(Status::ALL.map(Status::name))))
            .into()
    }
}

/// The codes of countries, for the API's description.
pub struct CountryCode;

impl ToSchema for CountryCode {}

impl PartialSchema for CountryCode {
    fn schema() -> RefOr<Schema> {
        let codes = Country::all().map(|country| country.as_str().to_owned());
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A country (ISO 3166-1). Upper and lower case are the same."))
            .enum_values(Some(codes))
            .into()
    }
}

/// The status of messages whose status is not known.
const UNKNOWN: &str = "unknown";

fn error_code<'de, D: Deserializer<'de>>(value: D) -> Result<Option<ErrorCode>, D::Error> {
    parsed(value, "1 to 9 digits other than 0", ErrorCode::parse)
}

/// What is expected where an address is given.
pub const ADDRESS_EXPECTED: &str = "an address, * and at least four digits, or + and digits and *";

/// Reads an address as it was written.
pub fn address<'de, D: Deserializer<'de>>(value: D) -> Result<Option<WrittenAddress>, D::Error> {
    parsed(value, ADDRESS_EXPECTED, WrittenAddress::parse)
}

fn country<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Country>, D::Error> {
    let code = String::deserialize(value)?;
    Country::from_code(&code).map(Some).map_err(D::Error::custom)
}

fn channel<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let channel = parsed(value, "a channel, such as sms or whatsapp", not_empty)?;
    // Twilio may add channels, so that any word can be one.
    let known =
        |written: &String| CHANNELS.into_iter().find(|name| name.eq_ignore_ascii_case(written));
    Ok(channel.map(|written| known(&written).map_or(written, str::to_owned)))
}

fn length<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(value)?;
    duration::parse(&text).map(Some).map_err(|error| {
        serde::de::Error::custom(match error {
            ParseError::Syntax => "a length of time, such as 90m or 6h".to_owned(),
            ParseError::Zero => "at least a second, 1s".to_owned(),
            ParseError::TooLong => {
                format!("so short that its number is at most {}", duration::NUMBER_MAX)
            }
        })
    })
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}
