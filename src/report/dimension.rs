//! The property by which a report groups messages, and its values.

use hashbrown::Equivalent;
use serde::Deserialize;

use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::{Hour, RollupKey};

/// The property by which messages are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    Day,
    Hour,
    Channel,
    From,
    MessagingService,
    Country,
    ErrorCode,
    Account,
}

/// One value of a dimension: the key of a row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// For messages without a value.
    None,
    /// The first hour of a day, an hour, or an error code.
    Number(i64),
    Text(String),
}

/// A borrowed [`RowKey`], to look up a row. Cloning the key of every message instead would add half
/// to the time of a scan.
#[derive(Debug, Clone, Copy, Hash)]
pub enum RowKeyRef<'a> {
    None,
    Number(i64),
    Text(&'a str),
}

impl Equivalent<RowKey> for RowKeyRef<'_> {
    fn equivalent(&self, key: &RowKey) -> bool {
        match (self, key) {
            (RowKeyRef::None, RowKey::None) => true,
            (RowKeyRef::Number(ours), RowKey::Number(theirs)) => ours == theirs,
            (RowKeyRef::Text(ours), RowKey::Text(theirs)) => ours == theirs,
            _ => false,
        }
    }
}

impl From<&RowKeyRef<'_>> for RowKey {
    fn from(key: &RowKeyRef<'_>) -> Self {
        match key {
            RowKeyRef::None => RowKey::None,
            RowKeyRef::Number(number) => RowKey::Number(*number),
            RowKeyRef::Text(text) => RowKey::Text((*text).to_owned()),
        }
    }
}

impl Dimension {
    /// All dimensions.
    pub const ALL: [Dimension; 8] = [
        Dimension::Day,
        Dimension::Hour,
        Dimension::Channel,
        Dimension::From,
        Dimension::MessagingService,
        Dimension::Country,
        Dimension::ErrorCode,
        Dimension::Account,
    ];

    /// The dimension with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// Its name in flags, queries and reports.
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Day => "day",
            Dimension::Hour => "hour",
            Dimension::Channel => "channel",
            Dimension::From => "from",
            Dimension::MessagingService => "messaging-service",
            Dimension::Country => "country",
            Dimension::ErrorCode => "error-code",
            Dimension::Account => "account",
        }
    }

    /// Whether rollups do not have it, so that messages have to be scanned.
    pub fn needs_messages(self) -> bool {
        matches!(self, Dimension::From | Dimension::MessagingService)
    }

    /// Whether rows are in the order of their keys.
    pub fn is_ordered(self) -> bool {
        matches!(self, Dimension::Day | Dimension::Hour | Dimension::ErrorCode)
    }

    /// The row of a rollup, or of a message that contributes to the rollup with this key.
    pub fn key<'a>(
        self,
        rollup: &'a RollupKey<'_>,
        message: Option<&MessageRef<'a>>,
    ) -> RowKeyRef<'a> {
        let text = |text: Option<&'a str>| text.map_or(RowKeyRef::None, RowKeyRef::Text);
        match self {
            Dimension::Day => RowKeyRef::Number(rollup.hour.day().0),
            Dimension::Hour => RowKeyRef::Number(rollup.hour.0),
            Dimension::Channel => RowKeyRef::Text(&rollup.channel),
            Dimension::From => text(message.and_then(|message| message.from)),
            Dimension::MessagingService => text(message.and_then(|m| m.messaging_service_sid)),
            Dimension::Country => text(rollup.country.as_ref().map(|country| country.as_str())),
            Dimension::ErrorCode => {
                let code = rollup.error_code.map(|code| i64::from(code.number()));
                code.map_or(RowKeyRef::None, RowKeyRef::Number)
            }
            Dimension::Account => text(rollup.account_sid.as_deref()),
        }
    }

    /// A key as text: `2026-01-31`, `2026-01-31T12:00:00Z`, `30003`, or the text itself.
    pub fn format(self, key: &RowKey) -> Option<String> {
        match (self, key) {
            (_, RowKey::None) => None,
            (_, RowKey::Text(text)) => Some(text.clone()),
            (Dimension::Day, RowKey::Number(hour)) => {
                let begins = Hour(*hour).start().to_string();
                Some(begins.split_once('T').map(|(day, _)| day.to_owned()).unwrap_or(begins))
            }
            (Dimension::Hour, RowKey::Number(hour)) => {
                Some(Hour(*hour).start().to_string().replace(".000000", ""))
            }
            (_, RowKey::Number(number)) => Some(number.to_string()),
        }
    }
}
