//! Which messages and events are asked for, by the names that queries and flags share.

use std::time::Duration;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, Time};

use crate::domain::duration::Fault;
use crate::domain::filter::{AddressPattern, MessageFilter};
use crate::domain::{AccountSid, ErrorCode, Status, Timestamp, duration};

/// The names that a message filter knows, in the order in which they are listed.
pub const MESSAGE_FILTERS: [&str; 15] = [
    "status",
    "error_code",
    "from",
    "to",
    "account_sid",
    "messaging_service_sid",
    "channel",
    "since",
    "until",
    "conflict",
    "late",
    "duplicate",
    "stuck",
    "inbound",
    "simulated",
];

/// A value that is not what its name calls for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} `{}` is not {expected}", value.escape_debug())]
pub struct BadValue {
    pub name: String,
    pub value: String,
    pub expected: String,
}

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// Adds the condition of this name to a filter; false where there is none of this name.
/// `now` is what `stuck` counts back from.
pub fn set(
    filter: &mut MessageFilter,
    name: &str,
    value: &str,
    now: Timestamp,
) -> Result<bool, BadValue> {
    let text = || Some(value.to_owned()).filter(|text| !text.is_empty());
    match name {
        "status" => filter.status = read(name, value, STATUSES, status)?,
        "error_code" => filter.error_code = read(name, value, "1 to 9 digits", ErrorCode::parse)?,
        "from" => filter.from = read(name, value, ADDRESS, AddressPattern::parse)?,
        "to" => filter.to = read(name, value, ADDRESS, AddressPattern::parse)?,
        "account_sid" => filter.account_sid = read(name, value, "a SID", AccountSid::parse)?,
        "messaging_service_sid" => {
            filter.messaging_service_sid = read(name, value, "a SID", |_| text())?;
        }
        "channel" => {
            filter.channel = read(name, value, "a channel, such as sms or whatsapp", |_| text())?;
        }
        "since" => filter.since = Some(time(name, value)?),
        "until" => filter.until = Some(time(name, value)?),
        "conflict" => filter.conflict = Some(yes_or_no(name, value)?),
        "late" => filter.late = Some(yes_or_no(name, value)?),
        "duplicate" => filter.duplicate = Some(yes_or_no(name, value)?),
        "stuck" => {
            let length = duration::read(value).map_err(|fault| bad(name, value, &length(fault)))?;
            filter.stuck_since = Some(before(now, length));
        }
        "inbound" => filter.inbound = Some(yes_or_no(name, value)?),
        "simulated" => filter.simulated = Some(yes_or_no(name, value)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Makes sure that the conditions do not exclude each other.
pub fn check(filter: &MessageFilter) -> Result<(), BadValue> {
    in_order(filter.since, filter.until)
}

/// Makes sure that a stretch of time does not end before it begins.
pub fn in_order(since: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), BadValue> {
    match (since, until) {
        (Some(since), Some(until)) if since > until => Err(BadValue {
            name: "since".to_owned(),
            value: since.to_string(),
            expected: format!("before until ({until})"),
        }),
        _ => Ok(()),
    }
}

/// A moment as RFC 3339, or a day, which stands for its beginning in UTC. A `+` that was not escaped
/// arrives as a blank.
pub fn time(name: &str, value: &str) -> Result<Timestamp, BadValue> {
    let day = |text: &str| {
        Some(Timestamp::from(Date::parse(text, DAY).ok()?.with_time(Time::MIDNIGHT).assume_utc()))
    };
    let expected = "an RFC 3339 time, such as 2026-01-31T12:00:00Z, or a day, such as 2026-01-31";
    let read = Timestamp::parse(&value.replace(' ', "+")).or_else(|| day(value));
    read.ok_or_else(|| bad(name, value, expected))
}

const STATUSES: &str = "unknown or one of scheduled, accepted, queued, sending, sent, \
    partially_delivered, delivered, read, canceled, undelivered, failed";
const ADDRESS: &str = "an address, or * and at least four digits";

fn status(word: &str) -> Option<Option<Status>> {
    match word {
        "unknown" => Some(None),
        word => Status::parse(word).map(Some),
    }
}

fn yes_or_no(name: &str, value: &str) -> Result<bool, BadValue> {
    value.parse().map_err(|_| bad(name, value, "true or false"))
}

/// What a length of time has to be, where it is not.
fn length(fault: Fault) -> String {
    match fault {
        Fault::Form => "a length of time, such as 90m or 6h".to_owned(),
        Fault::TooShort => "at least a second, 1s".to_owned(),
        Fault::TooLong => format!("so short that its number is at most {}", duration::NUMBER_MAX),
    }
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(micros))
}

/// Reads a value that must be something.
fn read<T>(
    name: &str,
    value: &str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, BadValue> {
    parse(value).map(Some).ok_or_else(|| bad(name, value, expected))
}

fn bad(name: &str, value: &str, expected: &str) -> BadValue {
    BadValue { name: name.to_owned(), value: value.to_owned(), expected: expected.to_owned() }
}
