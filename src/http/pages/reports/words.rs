//! A report's properties and their values in words.

use super::table::Value;
use crate::domain::account_names::AccountNames;
use crate::domain::country::Country;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, ErrorCodes, Timestamp};
use crate::report::{Dimension, RowKey, Step};
use crate::wire::mask;

/// What the words depend on.
pub struct Words<'a> {
    pub zone: &'a Zone,
    pub error_codes: &'a ErrorCodes,
    pub account_names: &'a AccountNames,
    pub masked: bool,
}

/// A value as the head of a row or column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub text: String,
    /// What explains it: the title of a code, the date of a week.
    pub sub: Option<String>,
}

/// The name of a property.
pub fn name(by: &Dimension) -> String {
    match by {
        Dimension::Week => "ISO week".to_owned(),
        Dimension::HourOfDay => "hour of day".to_owned(),
        Dimension::From => "sender".to_owned(),
        Dimension::MessagingService => "messaging service".to_owned(),
        Dimension::ErrorCode => "error code".to_owned(),
        Dimension::Fault => "responsible party".to_owned(),
        Dimension::Tag(tag) => format!("tag {tag}"),
        other => other.kind().to_owned(),
    }
}

/// The name of several values of a property.
pub fn plural(by: &Dimension) -> String {
    match by {
        Dimension::Week => "weeks".to_owned(),
        Dimension::HourOfDay => "hours of the day".to_owned(),
        Dimension::Country => "countries".to_owned(),
        Dimension::Fault => "parties".to_owned(),
        Dimension::Tag(tag) => format!("values of {tag}"),
        other => format!("{}s", name(other)),
    }
}

impl Words<'_> {
    /// A value as the head of a column.
    pub fn column(&self, by: &Dimension, value: &Value) -> Head {
        let Some(step) = &value.step else {
            let Head { text, sub } = self.row(by, value);
            return match (by, sub) {
                // A column is too narrow for the name.
                (Dimension::Country, Some(code)) => Head { text: code, sub: Some(text) },
                (_, sub) => Head { text, sub },
            };
        };
        let (text, sub) = match by {
            Dimension::Hour => ("%H:%M", "%-d %b"),
            Dimension::Week => ("W%V", "%-d %b"),
            Dimension::Month => ("%b", "%Y"),
            _ => ("%a", "%-d %b"),
        };
        let sub = match value.is_unfinished {
            true => "so far".to_owned(),
            false => self.local(step.whole.since, sub),
        };
        Head { text: self.local(step.whole.since, text), sub: Some(sub) }
    }

    /// A value as the head of a row.
    pub fn row(&self, by: &Dimension, value: &Value) -> Head {
        let alone = |text: String| Head { text, sub: None };
        if let Some(step) = &value.step {
            let text = match by {
                Dimension::Hour => "%-d %b %H:%M",
                Dimension::Week => "W%V, from %-d %b",
                Dimension::Month => "%B %Y",
                _ => "%a %-d %b",
            };
            let sub = value.is_unfinished.then(|| "so far".to_owned());
            return Head { text: self.local(step.whole.since, text), sub };
        }
        match (by, &value.key) {
            (Dimension::Fault, RowKey::None) => alone("not failed".to_owned()),
            (Dimension::ErrorCode, RowKey::Number(number)) => {
                let code = u32::try_from(*number).ok().and_then(ErrorCode::from_number);
                let title = code.map(|code| self.error_codes.title(code));
                Head { text: number.to_string(), sub: title }
            }
            (Dimension::Country, RowKey::Text(code)) => match Country::parse(code) {
                Some(country) => Head { text: country.name().to_owned(), sub: Some(code.clone()) },
                None => alone(code.clone()),
            },
            (Dimension::Account, RowKey::Text(sid)) => match self.account_names.name(sid) {
                Some(name) if self.masked => alone(mask::text(name)),
                Some(name) => alone(name.to_owned()),
                None => alone(sid.clone()),
            },
            (by, key) => alone(self.text(by, key)),
        }
    }

    /// A value as text.
    fn text(&self, by: &Dimension, key: &RowKey) -> String {
        match (by, key) {
            (_, RowKey::None) => format!("no {}", name(by)),
            (Dimension::HourOfDay, RowKey::Number(hour)) => format!("{hour:02}:00"),
            // The API's stars cut to four.
            (Dimension::From, RowKey::Text(from)) if self.masked && from.contains('*') => {
                format!("∗∗∗∗{}", from.rsplit_once('*').map_or("", |(_, end)| end))
            }
            (by, key) => by.format(key, |second| second.to_string()).unwrap_or_default(),
        }
    }

    /// A value in a sentence about deliveries: `to DE`, `by SMS`, `this week`.
    pub fn phrase(&self, by: &Dimension, value: &Value) -> String {
        if let Some(step) = &value.step {
            return self.time(by, step, value.is_unfinished);
        }
        let text = self.row(by, value).text;
        if value.key == RowKey::None {
            return format!("with {text}");
        }
        match by {
            Dimension::Country => {
                let country = Country::parse(&self.text(by, &value.key));
                format!("to {}", country.map_or(text, |country| country.name_in_sentence()))
            }
            Dimension::Channel => match text.as_str() {
                "sms" | "mms" | "rcs" => format!("by {}", text.to_uppercase()),
                "whatsapp" => "by WhatsApp".to_owned(),
                other => format!("by {other}"),
            },
            Dimension::From => format!("from {text}"),
            Dimension::MessagingService => format!("of service {text}"),
            Dimension::Account => format!("of account {text}"),
            Dimension::Carrier => format!("carried by {text}"),
            Dimension::Weekday => format!("on {text}s"),
            Dimension::HourOfDay => format!("between {text} and {}", &text.replace(":00", ":59")),
            Dimension::Tag(tag) => format!("with {tag}={text}"),
            other => format!("with {} {text}", name(other)),
        }
    }

    fn time(&self, by: &Dimension, step: &Step, is_unfinished: bool) -> String {
        match by {
            Dimension::Day if is_unfinished => "today".to_owned(),
            Dimension::Day => self.local(step.whole.since, "on %A %-d %B"),
            by if is_unfinished => format!("this {}", by.kind()),
            Dimension::Hour => self.local(step.whole.since, "from %H:%M on %-d %B"),
            Dimension::Week => self.local(step.whole.since, "in week %-V"),
            _ => self.local(step.whole.since, "in %B"),
        }
    }

    /// A time as clocks of the zone show it.
    pub fn local(&self, time: Timestamp, format: &str) -> String {
        self.zone.local(time).strftime(format).to_string()
    }
}
