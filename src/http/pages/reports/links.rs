//! The lists of the messages that a report's numbers count.

use std::collections::BTreeMap;

use super::question::Question;
use super::table::Value;
use crate::domain::message::tags::IndexedTags;
use crate::http::pages::list::query::ListQuery;
use crate::report::{Clock, Dimension, Period, RowKey};
use crate::wire::mask;
use crate::wire::parameters::TAG_PREFIX;

/// Makes the links of a page.
pub struct Links<'a> {
    pub question: &'a Question,
    /// The tags by which lists find messages.
    pub indexed: &'a IndexedTags,
    pub masked: bool,
}

impl Links<'_> {
    /// The path and query of the messages of the report with these values of its properties and these further
    /// filters; `None` if no list can be filtered so.
    pub fn list(&self, values: &[(&Dimension, &Value)], more: &[(&str, &str)]) -> Option<String> {
        // Lists know the arrival alone.
        if self.question.clock != Clock::Ledger {
            return None;
        }
        let Period { mut since, mut until } = self.question.period;
        let mut filters = self.question.filters.clone();
        for (by, value) in values {
            match &value.step {
                Some(step) => {
                    (since, until) = (since.max(step.part.since), until.min(step.part.until));
                }
                None => {
                    let (name, value) = self.filter(by, &value.key)?;
                    add(&mut filters, &name, value)?;
                }
            }
        }
        for (name, value) in more {
            add(&mut filters, name, (*value).to_owned())?;
        }
        let mut tags = filters.keys().filter_map(|name| name.strip_prefix(TAG_PREFIX));
        if tags.any(|tag| !self.indexed.contains(tag)) {
            return None;
        }
        let times = [("since", since.to_string()), ("until", until.to_string())];
        let times = times.iter().map(|(name, value)| (*name, value.as_str()));
        let filters = filters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Some(ListQuery::with_filters(filters.chain(times)).target())
    }

    /// The filters of the report and of the value of a property; `None` if no filter finds that.
    pub fn filters(&self, by: &Dimension, key: &RowKey) -> Option<BTreeMap<String, String>> {
        let mut filters = self.question.filters.clone();
        let (name, value) = self.filter(by, key)?;
        add(&mut filters, &name, value)?;
        Some(filters)
    }

    /// The filter that finds the messages with a value. There is none for messages without a value, and for
    /// what the token sees masked.
    fn filter(&self, by: &Dimension, key: &RowKey) -> Option<(String, String)> {
        let text = match key {
            RowKey::None => return None,
            RowKey::Number(number) => number.to_string(),
            RowKey::Text(text) => text.clone(),
        };
        let name = match by {
            Dimension::ErrorCode => "error_code",
            Dimension::Country => "country",
            Dimension::Channel => "channel",
            Dimension::Account => "account_sid",
            Dimension::MessagingService => "messaging_service_sid",
            Dimension::From if !self.masked => "from",
            Dimension::Tag(tag) if !self.masked || !mask::hides_tag(tag, &text) => {
                // A list ignores a filter without a value.
                return (!text.is_empty()).then(|| (format!("{TAG_PREFIX}{tag}"), text));
            }
            _ => return None,
        };
        let is_hidden = self.masked && (text.contains('*') || mask::could_be_number(&text));
        (!is_hidden && !text.is_empty()).then(|| (name.to_owned(), text))
    }
}

/// Adds a filter; `None` if there is another one of that name.
fn add(filters: &mut BTreeMap<String, String>, name: &str, value: String) -> Option<()> {
    match filters.get(name) {
        Some(same) if *same == value => {}
        Some(_) => return None,
        None => drop(filters.insert(name.to_owned(), value)),
    }
    Some(())
}
