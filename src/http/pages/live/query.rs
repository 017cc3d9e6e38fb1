//! The query of Live: which events it shows, as its form sends them.

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use crate::domain::event::filter::{EventFilter, ReadEvent};
use crate::domain::message::filter::AddressPattern;
use crate::domain::{Effect, ErrorCode, Status};
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::wire::filter;
use crate::wire::number::WrittenAddress;
use crate::wire::parameters::{not_empty, parsed};

/// The value of `status` for every failure.
pub const FAILURE: &str = "failure";

/// The effects that can be chosen: the unusual ones first.
pub const EFFECTS: [&str; 8] =
    ["late", "duplicate", "conflict", "unrecognised", "click", "feedback", "confirmed", "advanced"];

/// Which events are shown.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct LiveParameters {
    /// A reported status, or `failure` for undelivered and failed
    #[serde(deserialize_with = "status")]
    status: Option<String>,
    /// The effect on the message
    #[serde(deserialize_with = "effect")]
    effect: Option<String>,
    /// The recipient or the sender
    #[serde(deserialize_with = "filter::address")]
    #[param(value_type = Option<String>)]
    q: Option<WrittenAddress>,
    /// The reported error code
    #[serde(deserialize_with = "error_code")]
    #[param(value_type = Option<String>)]
    error_code: Option<ErrorCode>,
}

fn status<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    parsed(value, "a status", not_empty)
}

fn effect<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    let expected = format!("one of {}", EFFECTS.join(", "));
    parsed(value, &expected, |name| EFFECTS.contains(&name).then(|| name.to_owned()))
}

fn error_code<'de, D: Deserializer<'de>>(value: D) -> Result<Option<ErrorCode>, D::Error> {
    parsed(value, "1 to 9 digits other than 0", ErrorCode::parse)
}

/// A query without its empty fields, which forms send too.
pub fn without_empty(query: &str) -> String {
    let filled = form_urlencoded::parse(query.as_bytes());
    let filled = filled.filter(|(_, value)| !value.trim().is_empty());
    let trimmed = filled.map(|(name, value)| (name, value.trim().to_owned()));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(trimmed).finish()
}

/// Conditions on an event and on its effect.
#[derive(Debug, Clone, Default)]
pub struct LiveFilter {
    event: EventFilter,
    is_failure: bool,
    /// The address of the recipient or of the sender.
    address: Option<AddressPattern>,
    effect: Option<String>,
}

impl LiveParameters {
    /// The filter.
    ///
    /// # Errors
    ///
    /// The client may not ask by so much of an address.
    pub fn filter(&self, state: &AdminState, redaction: Redaction) -> Result<LiveFilter, Problem> {
        let is_failure = self.status.as_deref() == Some(FAILURE);
        let pattern = |written: &WrittenAddress| written.pattern(state.default_country);
        let mut event = redaction.check_event_filter(EventFilter {
            status: self.status.clone().filter(|_| !is_failure),
            error_code: self.error_code,
            to: self.q.as_ref().map(pattern),
            ..EventFilter::default()
        })?;
        let address = event.to.take();
        Ok(LiveFilter { event, is_failure, address, effect: self.effect.clone() })
    }
}

impl LiveFilter {
    /// True if every event matches.
    pub fn is_everything(&self) -> bool {
        let Self { event, is_failure, address, effect } = self;
        !is_failure && address.is_none() && effect.is_none() && *event == EventFilter::default()
    }

    /// True if the effect of an event has to be known.
    pub fn is_by_effect(&self) -> bool {
        self.effect.is_some()
    }

    /// True if an event satisfies every condition but that on its effect.
    pub fn matches(&self, read: ReadEvent<'_>) -> bool {
        let status = read.reported.and_then(|reported| reported.status);
        let addressed = read.reported.map(|reported| &reported.addressed);
        let has = |pattern: &AddressPattern| {
            let addresses = addressed.into_iter().flat_map(|it| [it.to.as_ref(), it.from.as_ref()]);
            addresses.flatten().any(|address| pattern.matches(address))
        };
        self.event.matches(read)
            && (!self.is_failure || status.is_some_and(Status::is_failure))
            && self.address.as_ref().is_none_or(has)
    }

    /// True if an effect satisfies the condition on it.
    pub fn matches_effect(&self, effect: Option<Effect>) -> bool {
        self.effect
            .as_deref()
            .is_none_or(|wanted| effect.is_some_and(|effect| effect.name() == wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::without_empty;

    #[test]
    fn a_form_sends_fields_that_are_no_condition() {
        assert_eq!(without_empty("status=&effect=late&q=+&error_code="), "effect=late");
        assert_eq!(without_empty("q=+44 20"), "q=44+20");
    }
}
