//! The form of a report: the properties that can be chosen, and the filters that have no field.

use super::question::Question;
use super::words::name;
use crate::domain::channel::CHANNELS;
use crate::report::Dimension;
use crate::wire::parameters::TAG_PREFIX;

/// The tags that are offered; others can be written in the URL.
const TAGS_MAX: usize = 20;

/// The filters with a field of their own, besides the first tag and the recipient's first digits.
const FIELDS: [&str; 2] = ["country", "channel"];

/// Properties under one heading.
pub struct Group {
    pub label: &'static str,
    pub options: Vec<Choice>,
}

/// A property.
pub struct Choice {
    pub value: String,
    pub text: String,
    pub is_chosen: bool,
}

/// A filter without a field, and the page without it.
pub struct FilterChip {
    pub text: String,
    pub target: String,
}

/// The properties that can be chosen, among them the present one.
pub fn groups(tags: &[String], chosen: Option<&Dimension>) -> Vec<Group> {
    use Dimension::{
        Account, Carrier, Channel, Country, Day, ErrorCode, Fault, From, Hour, HourOfDay,
        MessagingService, Month, Tag, Week, Weekday,
    };
    let mut tags: Vec<_> = tags.iter().take(TAGS_MAX).cloned().map(Tag).collect();
    if let Some(tag @ Tag(_)) = chosen
        && !tags.contains(tag)
    {
        tags.push(tag.clone());
    }
    let choice = |by: Dimension| Choice {
        value: by.name().into_owned(),
        text: name(&by),
        is_chosen: chosen == Some(&by),
    };
    let group = |(label, options): (&'static str, Vec<Dimension>)| Group {
        label,
        options: options.into_iter().map(choice).collect(),
    };
    let all = [
        ("Time", vec![Hour, Day, Week, Month, Weekday, HourOfDay]),
        ("Message", vec![Country, Channel, Carrier, ErrorCode, Fault]),
        ("Sender", vec![From, MessagingService, Account]),
        ("Tag", tags),
    ];
    all.into_iter().filter(|(_, options)| !options.is_empty()).map(group).collect()
}

/// The filters without a field.
pub fn chips(question: &Question) -> Vec<FilterChip> {
    let chip = |(name, value): (&str, &str)| FilterChip {
        text: match name.strip_prefix(TAG_PREFIX) {
            Some(tag) => format!("{tag}={value}"),
            None => format!("{} {value}", name.replace('_', " ")),
        },
        target: question.without(name),
    };
    hidden(question).into_iter().map(chip).collect()
}

/// The filters without a field by name.
pub fn hidden(question: &Question) -> Vec<(&str, &str)> {
    let first_tag = question.tags().next().map(|(name, _)| name);
    let has_field = |name: &str| match name.strip_prefix(TAG_PREFIX) {
        Some(tag) => first_tag == Some(tag),
        None if name == "to" => !question.to_prefix().is_empty(),
        None => FIELDS.contains(&name),
    };
    let filters = question.filters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    filters.filter(|(name, _)| !has_field(name)).collect()
}

/// The channels that can be chosen, among them the present one.
pub fn channels(question: &Question) -> Vec<&str> {
    let chosen = question.value("channel");
    let mut channels = CHANNELS.to_vec();
    if !chosen.is_empty() && !channels.contains(&chosen) {
        channels.push(chosen);
    }
    channels
}
