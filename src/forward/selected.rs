//! Which events a target gets, and what is said about each: the status of its message after it, and its effect.

use std::collections::HashMap;

use crate::domain::digest::{Digester, Sids, event_ref};
use crate::domain::message::effect::effect_after;
use crate::domain::message::event_ref::EventRef;
use crate::domain::{
    AccountSid, Effect, MessageKey, Position, RecordedEvent, Rule, Status, StatusReported,
};
use crate::forward::target::{Events, Target};
use crate::store::forward::OrderKey;
use crate::store::{Message, Store, StoreError};
use crate::twilio::callback::ParsedCallback;

/// Why it is not known whether a target gets an event.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum SelectError {
    #[error(transparent)]
    Store(#[from] StoreError),

    #[error("the views have not read position {0} yet; they are being rebuilt")]
    ViewsBehind(Position),
}

/// An event that a target gets.
#[derive(Debug, Clone)]
pub struct SelectedEvent {
    /// The event.
    pub event: RecordedEvent,
    /// The account that it names.
    pub account_sid: Option<AccountSid>,
    /// What it is about; `None` if it says nothing about a message.
    pub about: Option<AboutMessage>,
    /// Events with the same key are sent one after another.
    pub order_key: OrderKey,
    /// The name of the status that it reports, as metrics and comparisons count it; empty if there is none.
    pub reported: &'static str,
}

/// What an event did to its message.
#[derive(Debug, Clone)]
pub struct AboutMessage {
    /// The message as the views have it, so perhaps after later events as well; `None` if the target gets
    /// requests.
    pub message: Option<Box<Message>>,
    /// The status of the message after this event; `None` means `unknown`.
    pub status: Option<Status>,
    /// The effect of this event.
    pub effect: Effect,
}

/// The events that this target gets, of some that the views have read. One whose content is erased has nothing
/// to be sent.
///
/// # Errors
///
/// The views have not read the events, perhaps because they are being rebuilt.
pub fn select(
    target: &Target,
    store: &dyn Store,
    rule: Rule,
    events: Vec<RecordedEvent>,
) -> Result<Vec<SelectedEvent>, SelectError> {
    let candidates: Vec<_> = events
        .into_iter()
        .filter(|event| event.erased.is_none() && target.format.has(event.source))
        .filter_map(|event| Candidate::new(target, event))
        .collect();
    let mut messages = HashMap::new();
    for candidate in &candidates {
        let Some(key) = candidate.key.as_ref().filter(|key| !messages.contains_key(*key)) else {
            continue;
        };
        // Not `load`, which waits for the projection's writes.
        let (checkpoint, found) = store.views().find(&key.message_sid)?;
        if checkpoint.position < candidate.event.position {
            return Err(SelectError::ViewsBehind(candidate.event.position));
        }
        let found = found.into_iter().find(|message| message.key == *key);
        messages.insert(key.clone(), found);
    }
    let described = candidates
        .into_iter()
        .map(|candidate| candidate.describe(rule, &messages, !target.format.is_request()));
    let wanted = |selected: &SelectedEvent| match (&selected.about, target.selection.events) {
        (_, Events::All) => true,
        (Some(about), Events::Advanced) => about.effect == Effect::Advanced,
        (None, Events::Advanced) => false,
    };
    let has_form =
        |selected: &SelectedEvent| target.format.is_request() || selected.about.is_some();
    Ok(described.filter(wanted).filter(has_form).collect())
}

/// An event that satisfies the filter.
struct Candidate {
    event: RecordedEvent,
    account_sid: Option<AccountSid>,
    key: Option<MessageKey>,
    /// `None` if the event reports nothing of a message.
    this: Option<EventRef>,
    order_key: OrderKey,
    reported: &'static str,
}

impl SelectedEvent {
    /// The bytes that it takes in memory, roughly.
    pub fn bytes(&self) -> usize {
        const OTHERS: usize = 1024;
        OTHERS + self.event.body.len() + self.event.url.len()
    }
}

impl Candidate {
    fn new(target: &Target, event: RecordedEvent) -> Option<Self> {
        let reading = ParsedCallback::parse(&event);
        let selection = &target.selection;
        let has_path = selection.paths.is_empty()
            || selection.paths.iter().any(|path| path.matches(path_of(&event.url)));
        if !has_path || !selection.filter.matches(reading.with_event(&event)) {
            return None;
        }
        let account_sid = reading.account_sid.as_deref().and_then(AccountSid::parse);
        let this = reading.reported.as_ref().map(|reported| event_ref(&event, reported));
        let key = reading.reported.as_ref().and(reading.message_key());
        let order_key = order_key(event.position, &reading);
        let reported = reading.reported.as_ref().map_or("", name_of_status);
        Some(Self { account_sid, key, this, order_key, reported, event })
    }

    fn describe(
        self,
        rule: Rule,
        messages: &HashMap<MessageKey, Option<Message>>,
        with_message: bool,
    ) -> SelectedEvent {
        let Self { event, account_sid, key, this, order_key, reported } = self;
        let message = key.and_then(|key| messages.get(&key)).and_then(Option::as_ref);
        let about = message.zip(this).map(|(message, this)| {
            let history = &message.lifecycle.history;
            let earlier: Vec<_> =
                history.iter().filter(|it| it.position < event.position).copied().collect();
            let statuses = earlier.iter().map(|earlier| earlier.status).chain([this.status]);
            AboutMessage {
                status: statuses.max_by_key(|status| rule.rank(*status)).flatten(),
                effect: effect_after(&earlier, this),
                message: with_message.then(|| Box::new(message.clone())),
            }
        });
        SelectedEvent { event, account_sid, about, order_key, reported }
    }
}

fn name_of_status(reported: &StatusReported) -> &'static str {
    match (reported.status, &reported.unrecognised) {
        (Some(status), _) => status.name(),
        // Any word may come, and each would be counted on its own.
        (None, Some(_)) => "unrecognised",
        (None, None) => "",
    }
}

/// The key of an event's message, or of the event alone if it belongs to none.
fn order_key(position: Position, reading: &ParsedCallback<'_>) -> OrderKey {
    let mut key = OrderKey::default();
    match reading.message_sid.as_deref() {
        Some(sid) => {
            let account_sid = reading.account_sid.as_deref();
            let hash = Digester::default().message(Sids { account_sid, message_sid: Some(sid) });
            let bytes = key.len();
            key.copy_from_slice(&hash[..bytes]);
        }
        None => key[8..].copy_from_slice(&position.to_be_bytes()),
    }
    key
}

/// The path of a URL, byte for byte.
fn path_of(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    after_scheme.find('/').map_or("/", |at| &after_scheme[at..])
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_path_of_a_url_is_what_follows_its_host_up_to_the_query() {
        for (url, path) in [
            ("https://a.example/v1/sms/7?b=/c", "/v1/sms/7"),
            ("https://a.example:8443/", "/"),
            ("https://a.example", "/"),
            ("https://a.example?b=/c", "/"),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }
}
