//! A target: where events are forwarded to, which ones, and in which form.

use std::fmt;
use std::time::Duration;

use reqwest::Url;

use crate::domain::event::filter::EventFilter;
use crate::domain::{Position, Source};
use crate::forward::webhook_secret::WebhookSecret;
use crate::twilio::callback_path::CallbackPath;

/// The maximum length of a target's name: it is part of lines of output and of metrics.
pub const NAME_BYTES_MAX: usize = 40;

/// How long an event is tried again, unless a target has another time: as long as a weekend lasts.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// The time limit of one request, unless a target has another one. Applications that answer after 29 s, as
/// some hosts allow them to, have answered.
pub const TIMEOUT: Duration = Duration::from_secs(35);

/// The longest time during which a target can have an event tried again: nobody waits for longer than a year,
/// and times this far ahead can be calculated.
pub const GIVE_UP_AFTER_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The longest time limit of one request: a server that stops waits for requests that are running.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(10 * 60);

/// The number of requests that wait for an answer at the same time, unless a target has another one.
pub const REQUESTS: usize = 32;

/// The most requests at the same time that a target can have: each has a connection.
pub const REQUESTS_MAX: usize = 256;

/// The most targets: each has a thread.
pub const TARGETS_MAX: usize = 32;

/// One target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the configuration.
    pub name: String,
    /// Where requests are sent. It has neither credentials nor a fragment.
    pub url: Url,
    /// Which events it gets.
    pub selection: Selection,
    /// Where a target without a position begins.
    pub from: Beginning,
    /// What it gets of an event.
    pub format: Format,
    /// How long after the first attempt an event is given up.
    pub give_up_after: Duration,
    /// The time limit of one request.
    pub timeout: Duration,
    /// The number of requests at the same time.
    pub requests: usize,
    /// Whether it may be at a link-local address (169.254.0.0/16, fe80::/10), where clouds have their
    /// metadata with credentials.
    pub allow_link_local: bool,
}

/// Which events a target gets: those that satisfy every condition.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Conditions on account, tags, status and source.
    pub filter: EventFilter,
    /// The paths at which a callback arrived, any of them; every path if there are none.
    pub paths: Vec<CallbackPath>,
    /// Whether only events are sent that moved their message.
    pub events: Events,
}

/// Whether a target gets events that moved nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Events {
    /// Duplicates, late ones and others as well.
    #[default]
    All,
    /// Only those with the effect `advanced`.
    Advanced,
}

/// Where a target without a position begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beginning {
    /// With the first event after its first start.
    #[default]
    Now,
    /// With the first event of the log.
    Start,
    /// With the event after this position.
    After(Position),
}

/// What a target gets of an event.
#[derive(Debug, Clone)]
pub enum Format {
    /// The request as it arrived, signed anew with the account's token for the target's URL.
    Request,
    /// The JSON of its message, signed as Standard Webhooks
    /// (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).
    Message(WebhookSecret),
}

impl Target {
    /// The URL for people: without its query, which may contain a token.
    pub fn shown_url(&self) -> String {
        match self.url.as_str().split_once('?') {
            Some((before, _)) => format!("{before}?…"),
            None => self.url.to_string(),
        }
    }
}

impl fmt::Display for Selection {
    /// Lists the conditions, such as `account AC…, status delivered`; `everything` if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventFilter { account_sid, tags, status, source, .. } = &self.filter;
        let paths = self.paths.iter().map(CallbackPath::as_given).collect::<Vec<_>>().join(" or ");
        let account = account_sid.as_ref().map(|sid| format!("account {}", sid.as_str()));
        let path = (!paths.is_empty()).then(|| format!("path {paths}"));
        let tags = tags.iter().map(|(name, value)| format!("tag {name}={value}"));
        let status = status.as_ref().map(|status| format!("status {status}"));
        let source = source.map(|source| format!("source {}", source.name()));
        let moved =
            (self.events == Events::Advanced).then(|| "only what moved a message".to_owned());
        let first = account.into_iter().chain(path).chain(tags);
        let all: Vec<_> = first.chain(status).chain(source).chain(moved).collect();
        match &all[..] {
            [] => f.write_str("everything"),
            all => f.write_str(&all.join(", ")),
        }
    }
}

impl Format {
    /// The name in the configuration.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Request => "request",
            Format::Message(_) => "message",
        }
    }

    /// True if the request that arrived is sent.
    pub fn is_request(&self) -> bool {
        matches!(self, Format::Request)
    }

    /// The sources of events that have this form: a request has to be one that arrived.
    pub fn has(&self, source: Source) -> bool {
        match self {
            Format::Request => source == Source::Callback,
            Format::Message(_) => source != Source::Erasure,
        }
    }
}
