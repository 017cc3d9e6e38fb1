//! The key of a roll-up as the columns of its row.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::NotA;
use crate::domain::country::Country;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::{Contribution, Hour, Rollup, RollupKey, RollupLength};
use crate::domain::{AccountSid, ErrorCode, Lifecycle, Status};
use crate::store::MessageChange;

/// The number that stands for "no error code" in the views.
const NO_ERROR_CODE: i64 = -1;

/// The bits of a roll-up's kind in the views.
const INBOUND: i64 = 1;
const SIMULATED: i64 = 2;

/// The hour of messages that are not open.
const NOT_OPEN: i64 = i64::MIN;

/// The columns of a key, apart from its account. An empty text is an absent value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyColumns<'a> {
    pub hours: i64,
    pub hour: i64,
    pub channel: &'a str,
    pub country: &'a str,
    pub status: &'a str,
    pub error_code: i64,
    pub kind: i64,
    pub open_since: i64,
}

impl<'a> KeyColumns<'a> {
    /// The columns of a key.
    pub fn from_key(key: &'a RollupKey<'_>) -> Self {
        Self {
            hours: key.length.hours(),
            hour: key.hour.0,
            channel: &key.channel,
            country: key.country.as_ref().map_or("", Country::as_str),
            status: key.status.map_or("", Status::name),
            error_code: key.error_code.map(ErrorCode::number).map_or(NO_ERROR_CODE, i64::from),
            kind: i64::from(key.inbound) * INBOUND + i64::from(key.simulated) * SIMULATED,
            open_since: key.open_since.map_or(NOT_OPEN, |hour| hour.0),
        }
    }

    /// The key of these columns.
    pub fn to_key(self, account_sid: Option<&'a AccountSid>) -> Result<RollupKey<'a>, NotA> {
        Ok(RollupKey {
            length: length(self.hours).ok_or(NotA("the hours of a roll-up"))?,
            hour: Hour(self.hour),
            account_sid: account_sid.map(|sid| Cow::Borrowed(sid.as_str())),
            channel: Cow::Borrowed(self.channel),
            country: optional(self.country, Country::parse).ok_or(NotA("a country"))?,
            status: optional(self.status, Status::from_exact_name).ok_or(NotA("a status"))?,
            error_code: error_code(self.error_code).ok_or(NotA("an error code"))?,
            inbound: self.kind & INBOUND != 0,
            simulated: self.kind & SIMULATED != 0,
            open_since: Some(self.open_since).filter(|hour| *hour != NOT_OPEN).map(Hour),
        })
    }
}

/// An empty text is `Some(None)`; `None` if the text cannot be parsed.
fn optional<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}

fn length(hours: i64) -> Option<RollupLength> {
    [RollupLength::Hour, RollupLength::Day].into_iter().find(|length| length.hours() == hours)
}

fn error_code(number: i64) -> Option<Option<ErrorCode>> {
    match number {
        NO_ERROR_CODE => Some(None),
        number => ErrorCode::from_number(u32::try_from(number).ok()?).map(Some),
    }
}

/// The changes of a batch. Tens of thousands of messages have a few hundred roll-ups.
pub type Changes<'b> = HashMap<RollupKey<'b>, Rollup, RandomState>;

/// Subtracts each message from the roll-ups that it was in, and adds it to those that it is in now.
pub fn changes(messages: &[MessageChange]) -> Changes<'_> {
    let mut changes = changes_of_hours(messages);
    let mut of_days = Changes::default();
    for (key, change) in &changes {
        of_days.entry(key.of_day()).or_default().add(change);
    }
    changes.extend(of_days);
    changes.retain(|_, change| !change.is_empty());
    changes
}

fn changes_of_hours(messages: &[MessageChange]) -> Changes<'_> {
    let mut changes = Changes::default();
    for MessageChange { before, message } in messages {
        let mut count = |lifecycle, times| {
            let message = MessageRef::new(&message.key, lifecycle);
            let rollup = changes.entry(RollupKey::from_message(&message)).or_default();
            rollup.count(Contribution::from_message(&message), times);
        };
        let stood: Option<&Lifecycle> = before.as_deref();
        stood.into_iter().for_each(|before| count(before, -1));
        count(&message.lifecycle, 1);
    }
    changes
}
