//! The properties by which a report groups messages, and the values that are the keys of its rows.

use std::borrow::Cow;

use hashbrown::Equivalent;
use jiff::civil::Date;
use smallvec::SmallVec;

use super::local_time::LocalTime;
use crate::domain::carrier::Carrier;
use crate::domain::message::message_ref::MessageRef;
use crate::domain::rollup::RollupKey;
use crate::domain::similar::suggestion;
use crate::domain::{ErrorCodes, Status};

/// The maximum number of properties of a report: its table has a column for each.
pub const DIMENSIONS_MAX: usize = 2;

/// A property by which messages are grouped. Times are those at which messages began by the report's clock,
/// in its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// The calendar day.
    Day,
    /// The hour of a day.
    Hour,
    /// ISO 8601: from Monday to Sunday.
    Week,
    /// The calendar month.
    Month,
    /// Monday to Sunday.
    Weekday,
    /// The hour from 0 to 23, of any day.
    HourOfDay,
    /// The channel, such as `sms` or `whatsapp`.
    Channel,
    /// The sender's address.
    From,
    /// The messaging service that sent the message.
    MessagingService,
    /// The country of the recipient's number.
    Country,
    /// The error code shown for the message.
    ErrorCode,
    /// The party that is usually responsible for the failure; messages that are neither undelivered
    /// nor failed have none.
    Fault,
    /// The network that carried the message: its name, or else its codes.
    Carrier,
    /// The account of the message.
    Account,
    /// The first value, in byte order, of the tag with this name.
    Tag(String),
}

/// Why there is no report by these properties.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum InvalidDimensions {
    #[error("`{}` is not a property; there are {names}, and tag:NAME{similar}", name.escape_debug())]
    Unknown { name: String, names: String, similar: String },
    #[error("a report has at most two properties; make several reports, or export the messages")]
    TooMany,
}

/// One value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// For messages without a value.
    None,
    /// An error code, or a time as `LocalTime` numbers it.
    Number(i64),
    /// Any other value.
    Text(String),
}

/// The key of a row: a value of each dimension.
pub type RowKeys = SmallVec<[RowKey; 1]>;

/// A borrowed [`RowKey`], to look up a row. Cloning the key of every message instead would add half
/// to the time of a scan.
#[derive(Debug, Clone, Hash)]
pub enum RowKeyRef<'a> {
    None,
    Number(i64),
    Text(Cow<'a, str>),
}

/// Borrowed [`RowKeys`].
#[derive(Debug, Hash)]
pub struct RowKeysRef<'a>(pub SmallVec<[RowKeyRef<'a>; DIMENSIONS_MAX]>);

impl Equivalent<RowKeys> for RowKeysRef<'_> {
    fn equivalent(&self, keys: &RowKeys) -> bool {
        self.0.len() == keys.len()
            && self.0.iter().zip(keys).all(|(ours, theirs)| match (ours, theirs) {
                (RowKeyRef::None, RowKey::None) => true,
                (RowKeyRef::Number(ours), RowKey::Number(theirs)) => ours == theirs,
                (RowKeyRef::Text(ours), RowKey::Text(theirs)) => ours == theirs,
                _ => false,
            })
    }
}

impl From<&RowKeysRef<'_>> for RowKeys {
    fn from(keys: &RowKeysRef<'_>) -> Self {
        let key = |key: &RowKeyRef<'_>| match key {
            RowKeyRef::None => RowKey::None,
            RowKeyRef::Number(number) => RowKey::Number(*number),
            RowKeyRef::Text(text) => RowKey::Text(text.clone().into_owned()),
        };
        keys.0.iter().map(key).collect()
    }
}

impl<'a> RowKeyRef<'a> {
    fn text(text: &'a str) -> Self {
        RowKeyRef::Text(Cow::Borrowed(text))
    }

    /// The name of a network; without one its country code and network code, such as `310-260`.
    fn carrier(carrier: &Carrier) -> Self {
        RowKeyRef::Text(match carrier.name() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(format!("{}-{}", carrier.mcc(), carrier.mnc())),
        })
    }
}

impl Dimension {
    /// All dimensions apart from tags.
    pub const ALL: [Dimension; 14] = [
        Dimension::Day,
        Dimension::Hour,
        Dimension::Week,
        Dimension::Month,
        Dimension::Weekday,
        Dimension::HourOfDay,
        Dimension::Channel,
        Dimension::From,
        Dimension::MessagingService,
        Dimension::Country,
        Dimension::ErrorCode,
        Dimension::Fault,
        Dimension::Carrier,
        Dimension::Account,
    ];

    /// The dimension with this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name.strip_prefix("tag:") {
            Some(tag) => (!tag.is_empty()).then(|| Dimension::Tag(tag.to_owned())),
            None => Self::ALL.into_iter().find(|dimension| dimension.name() == name),
        }
    }

    /// One or two dimensions, with a comma in between; one that is given twice counts once.
    ///
    /// # Errors
    ///
    /// A name is unknown, or there are more than two.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, InvalidDimensions> {
        let mut dimensions = Vec::new();
        for name in names.split(',').map(str::trim) {
            let Some(dimension) = Self::parse(name) else {
                let known = Self::ALL.map(|known| known.name().into_owned());
                return Err(InvalidDimensions::Unknown {
                    name: name.to_owned(),
                    names: known.join(", "),
                    similar: suggestion(name, known.iter().map(String::as_str)),
                });
            };
            if !dimensions.contains(&dimension) {
                dimensions.push(dimension);
            }
        }
        match dimensions.len() {
            ..=DIMENSIONS_MAX => Ok(dimensions),
            _ => Err(InvalidDimensions::TooMany),
        }
    }

    /// Its name in flags, queries and reports.
    pub fn name(&self) -> Cow<'static, str> {
        match self {
            Dimension::Tag(name) => Cow::Owned(format!("tag:{name}")),
            other => Cow::Borrowed(other.kind()),
        }
    }

    /// Its name, which is the same for all tags.
    pub fn kind(&self) -> &'static str {
        match self {
            Dimension::Day => "day",
            Dimension::Hour => "hour",
            Dimension::Week => "week",
            Dimension::Month => "month",
            Dimension::Weekday => "weekday",
            Dimension::HourOfDay => "hour-of-day",
            Dimension::Channel => "channel",
            Dimension::From => "from",
            Dimension::MessagingService => "messaging-service",
            Dimension::Country => "country",
            Dimension::ErrorCode => "error-code",
            Dimension::Fault => "fault",
            Dimension::Carrier => "carrier",
            Dimension::Account => "account",
            Dimension::Tag(_) => "tag",
        }
    }

    /// True if rollups do not have it, so that messages have to be scanned.
    pub fn needs_messages(&self) -> bool {
        matches!(
            self,
            Dimension::From | Dimension::MessagingService | Dimension::Carrier | Dimension::Tag(_)
        )
    }

    /// True if it is a time in the report's zone.
    pub fn is_time(&self) -> bool {
        self.is_period() || matches!(self, Dimension::Weekday | Dimension::HourOfDay)
    }

    /// True if its values are consecutive periods, such as days.
    pub fn is_period(&self) -> bool {
        matches!(self, Dimension::Day | Dimension::Hour | Dimension::Week | Dimension::Month)
    }

    /// True if rows are in the order of their keys.
    pub fn is_ordered(&self) -> bool {
        self.is_time() || *self == Dimension::ErrorCode
    }

    /// The value of a rollup, or of a message that contributes to the rollup with this key. `local` is
    /// when it began; only a time needs it.
    pub fn key<'a>(
        &self,
        rollup: &'a RollupKey<'_>,
        message: Option<&MessageRef<'a>>,
        local: LocalTime,
        error_codes: &ErrorCodes,
    ) -> RowKeyRef<'a> {
        let text = |text: Option<&'a str>| text.map_or(RowKeyRef::None, RowKeyRef::text);
        match self {
            Dimension::Channel => RowKeyRef::text(&rollup.channel),
            Dimension::From => text(message.and_then(|message| message.from)),
            Dimension::MessagingService => text(message.and_then(|m| m.messaging_service_sid)),
            Dimension::Country => text(rollup.country.as_ref().map(|country| country.as_str())),
            Dimension::ErrorCode => {
                let code = rollup.error_code.map(|code| i64::from(code.number()));
                code.map_or(RowKeyRef::None, RowKeyRef::Number)
            }
            Dimension::Fault => match rollup.status {
                Some(Status::Undelivered | Status::Failed) => {
                    RowKeyRef::text(error_codes.responsibility(rollup.error_code).name())
                }
                _ => RowKeyRef::None,
            },
            Dimension::Carrier => {
                let carrier = message.and_then(|message| message.details.carrier());
                carrier.map_or(RowKeyRef::None, RowKeyRef::carrier)
            }
            Dimension::Account => text(rollup.account_sid.as_deref()),
            Dimension::Tag(wanted) => {
                let tags = message.into_iter().flat_map(|message| &message.tags);
                let first = tags.clone().find(|(name, _)| name == wanted);
                text(first.map(|(_, value)| *value))
            }
            time => RowKeyRef::Number(time.number(local)),
        }
    }

    /// The number of a time's value; consecutive for periods.
    pub fn number(&self, local: LocalTime) -> i64 {
        match self {
            Dimension::Hour => local.hour_starts_at,
            Dimension::Week => local.week(),
            Dimension::Month => local.month(),
            Dimension::Weekday => local.weekday(),
            Dimension::HourOfDay => local.hour_of_day.into(),
            _ => local.day,
        }
    }

    /// A key as text: `2026-01-31`, `2026-W05`, `2026-01`, `Saturday`, `13`, `2026-01-31T12:00:00Z`,
    /// `30003`, or the text itself. An hour has the offset of its zone, which `offset` adds.
    pub fn format(&self, key: &RowKey, offset: impl Fn(i64) -> String) -> Option<String> {
        let number = match key {
            RowKey::None => return None,
            RowKey::Text(text) => return Some(text.clone()),
            RowKey::Number(number) => *number,
        };
        let date =
            |day: i64| LocalTime::date_of(day).map_or(day.to_string(), |day| day.to_string());
        Some(match self {
            Dimension::Day => date(number),
            Dimension::Week => {
                let week = LocalTime::date_of(LocalTime::first_day_of_week(number))
                    .map(Date::iso_week_date);
                week.map_or(number.to_string(), |week| {
                    format!("{}-W{:02}", week.year(), week.week())
                })
            }
            Dimension::Month => {
                format!("{:04}-{:02}", number.div_euclid(12), number.rem_euclid(12) + 1)
            }
            Dimension::Weekday => WEEKDAYS[number.rem_euclid(7) as usize].to_owned(),
            Dimension::HourOfDay => format!("{number:02}"),
            Dimension::Hour => offset(number),
            _ => number.to_string(),
        })
    }
}

/// Weekdays, from the first of a week (ISO 8601).
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
