//! By what messages are counted, and what stands before each row.

use hashbrown::Equivalent;
use serde::Deserialize;

use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Hour, RollupKey};

/// By what a report counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    Day,
    Hour,
    Channel,
    From,
    MessagingService,
    Country,
    ErrorCode,
    Account,
}

/// One value of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The messages without one.
    None,
    /// The first hour of a day, an hour, or an error code.
    Number(i64),
    Text(String),
}

/// A key that is only looked up.
#[derive(Debug, Clone, Copy, Hash)]
pub enum KeyRef<'a> {
    None,
    Number(i64),
    Text(&'a str),
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        match (self, key) {
            (KeyRef::None, Key::None) => true,
            (KeyRef::Number(ours), Key::Number(theirs)) => ours == theirs,
            (KeyRef::Text(ours), Key::Text(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl From<&KeyRef<'_>> for Key {
    fn from(key: &KeyRef<'_>) -> Self {
        match key {
            KeyRef::None => Key::None,
            KeyRef::Number(number) => Key::Number(*number),
            KeyRef::Text(text) => Key::Text((*text).to_owned()),
        }
    }
}

impl By {
    /// All of them.
    pub const ALL: [By; 8] = [
        By::Day,
        By::Hour,
        By::Channel,
        By::From,
        By::MessagingService,
        By::Country,
        By::ErrorCode,
        By::Account,
    ];

    /// The property with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == name)
    }

    /// The name used in questions and answers.
    pub fn name(self) -> &'static str {
        match self {
            By::Day => "day",
            By::Hour => "hour",
            By::Channel => "channel",
            By::From => "from",
            By::MessagingService => "messaging-service",
            By::Country => "country",
            By::ErrorCode => "error-code",
            By::Account => "account",
        }
    }

    /// Whether cells do not have it.
    pub fn needs_messages(self) -> bool {
        matches!(self, By::From | By::MessagingService)
    }

    /// Whether rows stand in the order of their keys.
    pub fn is_ordered(self) -> bool {
        matches!(self, By::Day | By::Hour | By::ErrorCode)
    }

    /// The key of a message in this cell, and of who sent it.
    pub fn key<'a>(self, cell: &'a RollupKey<'_>, message: Option<&MessageRef<'a>>) -> KeyRef<'a> {
        let text = |text: Option<&'a str>| text.map_or(KeyRef::None, KeyRef::Text);
        match self {
            By::Day => KeyRef::Number(cell.hour.day().0),
            By::Hour => KeyRef::Number(cell.hour.0),
            By::Channel => KeyRef::Text(&cell.channel),
            By::From => text(message.and_then(|message| message.from)),
            By::MessagingService => text(message.and_then(|m| m.messaging_service_sid)),
            By::Country => text(cell.country.as_ref().map(|country| country.as_str())),
            By::ErrorCode => {
                let code = cell.error_code.map(|code| i64::from(code.number()));
                code.map_or(KeyRef::None, KeyRef::Number)
            }
            By::Account => text(cell.account_sid.as_deref()),
        }
    }

    /// How a key is written: `2026-01-31`, `2026-01-31T12:00:00Z`, `30003`, or the text itself.
    pub fn shown(self, key: &Key) -> Option<String> {
        match (self, key) {
            (_, Key::None) => None,
            (_, Key::Text(text)) => Some(text.clone()),
            (By::Day, Key::Number(hour)) => {
                let begins = Hour(*hour).begins().to_string();
                Some(begins.split_once('T').map(|(day, _)| day.to_owned()).unwrap_or(begins))
            }
            (By::Hour, Key::Number(hour)) => {
                Some(Hour(*hour).begins().to_string().replace(".000000", ""))
            }
            (_, Key::Number(number)) => Some(number.to_string()),
        }
    }
}
