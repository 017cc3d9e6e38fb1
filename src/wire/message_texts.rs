//! The texts of a message that may contain addresses: what is masked.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names and values of tags, those with the same name one after the other.
pub type TagPairs<'a> = Cow<'a, [(&'a str, &'a str)]>;

/// The texts of a message that may contain addresses.
#[derive(Debug, Clone)]
pub struct MessageTexts<'a> {
    /// The SID of the message.
    pub message_sid: &'a str,
    /// Its account.
    pub account_sid: Option<&'a str>,
    /// The messaging service that sent it.
    pub messaging_service_sid: Option<&'a str>,
    /// The sender.
    pub from: Option<&'a str>,
    /// The recipient.
    pub to: Option<&'a str>,
    /// The channel.
    pub channel: &'a str,
    /// The carrier's time.
    pub raw_dlr_done_date: Option<&'a str>,
    /// Its tags.
    pub tags: TagPairs<'a>,
}

/// Each name with one of its values.
pub fn tag_pairs(tags: &BTreeMap<String, Vec<String>>) -> TagPairs<'_> {
    let pairs = tags
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name.as_str(), value.as_str())));
    pairs.collect()
}
