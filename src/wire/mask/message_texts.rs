//! Masks the texts of a message.

use std::collections::BTreeMap;

use super::known_forms::Form;
use super::tags::tags;
use super::text::{self, Known, Rule};
use crate::wire::message_texts::{MessageTexts, tag_pairs};

/// The texts of a message, masked.
#[derive(Debug)]
pub struct MaskedTexts {
    /// The message's addresses.
    pub(super) known: Known,
    pub(super) message_sid: String,
    pub(super) account_sid: Option<String>,
    pub(super) messaging_service_sid: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) channel: String,
    pub(super) raw_dlr_done_date: Option<String>,
    pub(super) tags: BTreeMap<String, Vec<String>>,
}

impl MaskedTexts {
    /// Masks texts, all of one message.
    pub fn new(texts: &MessageTexts<'_>) -> Self {
        let addresses = texts.from.iter().chain(&texts.to);
        let known = Known::of(addresses.map(|address| address.as_bytes()));
        let sid = |sid: &str| text::masked(sid, Rule::Fixed(Form::Sid), &known);
        let minute = |text: &str| text::masked(text, Rule::Fixed(Form::Minute), &known);
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in &*texts.tags {
            by_name.entry((*name).to_owned()).or_default().push((*value).to_owned());
        }
        Self {
            message_sid: sid(texts.message_sid),
            account_sid: texts.account_sid.map(sid),
            messaging_service_sid: texts.messaging_service_sid.map(sid),
            from: texts.from.map(super::address),
            to: texts.to.map(super::address),
            channel: text::masked(texts.channel, Rule::Text, &known),
            raw_dlr_done_date: texts.raw_dlr_done_date.map(minute),
            tags: tags(&by_name, &known),
            known,
        }
    }

    /// The masked texts.
    pub fn texts(&self) -> MessageTexts<'_> {
        MessageTexts {
            message_sid: &self.message_sid,
            account_sid: self.account_sid.as_deref(),
            messaging_service_sid: self.messaging_service_sid.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            channel: &self.channel,
            raw_dlr_done_date: self.raw_dlr_done_date.as_deref(),
            tags: tag_pairs(&self.tags),
        }
    }
}
