//! The filter of events: the query parameters of the API.

use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::FilterContext;
use super::tag_filter;
use crate::domain::account_names::AccountNames;
use crate::domain::event::filter::EventFilter;
use crate::domain::time::zone::Zone;
use crate::domain::{AccountSid, ErrorCode, Source};
use crate::wire::number::WrittenAddress;
use crate::wire::parameters::{self, BadValue, not_empty, parsed};
use crate::wire::written_time::{WrittenTime, ZoneName};

/// Which events are asked for. Everything that is given must match what the event itself reports.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct EventParameters {
    /// The account, by SID or name
    #[serde(deserialize_with = "parameters::account_sid")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub account_sid: Option<AccountSid>,
    /// The SID of the message that the event belongs to
    #[serde(deserialize_with = "parameters::sid")]
    #[param(min_length = 1)]
    pub message_sid: Option<String>,
    /// Where it came from: `callback`, `send`, `reconcile`, `import` or `erasure`
    #[serde(deserialize_with = "source")]
    #[param(value_type = Option<String>, pattern = "^(callback|send|reconcile|import|erasure)$")]
    pub source: Option<Source>,
    /// The reported status; may be one that this program does not know
    #[serde(deserialize_with = "status")]
    #[param(value_type = Option<String>, min_length = 1)]
    pub status: Option<String>,
    /// The reported error code
    #[serde(deserialize_with = "error_code")]
    #[param(value_type = Option<String>, pattern = "^0*[1-9][0-9]*$", max_length = 9)]
    pub error_code: Option<ErrorCode>,
    /// An address, in any spelling if it is a number; `*` and its last digits, at least four; or its first
    /// digits and `*`, as in `+4420*`
    #[serde(deserialize_with = "super::address")]
    #[param(value_type = Option<String>, pattern = r"^(\*[0-9]{4,}|\+[0-9]+\*|[^*]+)$")]
    pub from: Option<WrittenAddress>,
    /// The same of the recipient
    #[serde(deserialize_with = "super::address")]
    #[param(value_type = Option<String>, pattern = r"^(\*[0-9]{4,}|\+[0-9]+\*|[^*]+)$")]
    pub to: Option<WrittenAddress>,
    /// Received at this time or later: RFC 3339, a day or a time in the time zone, `yesterday`, or a length of
    /// time ago, such as `24h`
    #[serde(deserialize_with = "parameters::time")]
    #[param(inline, value_type = WrittenTime, required = false)]
    pub since: Option<WrittenTime>,
    /// Received before this time
    #[serde(deserialize_with = "parameters::time")]
    #[param(inline, value_type = WrittenTime, required = false)]
    pub until: Option<WrittenTime>,
    /// The time zone of days and times, such as `Europe/Berlin`; the default is that of the server's settings
    #[serde(deserialize_with = "parameters::time_zone")]
    #[param(value_type = ZoneName, required = false)]
    pub time_zone: Option<Zone>,
    /// Whether a simulation sent it
    pub simulated: Option<bool>,
    /// A tag in its URL with this value; `NAME` is the tag's name, as in `tag.order=17`
    #[serde(rename = "tag.NAME", deserialize_with = "tag_filter::tags")]
    #[param(rename = "tag.NAME", value_type = Option<String>, max_length = 256)]
    pub tags: Vec<(String, String)>,
}

impl EventParameters {
    /// The filter.
    ///
    /// # Errors
    ///
    /// No account has the name, or the period ends before it begins.
    pub fn filter(
        self,
        context: &FilterContext,
        names: &AccountNames,
    ) -> Result<EventFilter, BadValue> {
        let zone = self.time_zone.as_ref().unwrap_or(&context.time_zone);
        let (since, until) = super::period(self.since, self.until, context.now, zone)?;
        let pattern = |written: WrittenAddress| written.pattern(context.default_country);
        let account_sid = self.account_sid.map(|written| super::account(&written, names));
        Ok(EventFilter {
            account_sid: account_sid.transpose()?,
            message_sid: self.message_sid,
            source: self.source,
            status: self.status,
            error_code: self.error_code,
            from: self.from.map(pattern),
            to: self.to.map(pattern),
            tags: self.tags,
            since,
            until,
            simulated: self.simulated,
        })
    }
}

fn source<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Source>, D::Error> {
    let expected = format!("one of {}", Source::ALL.map(Source::name).join(", "));
    parsed(value, &expected, Source::parse)
}

fn status<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    parsed(value, "a status", not_empty)
}

fn error_code<'de, D: Deserializer<'de>>(value: D) -> Result<Option<ErrorCode>, D::Error> {
    parsed(value, "1 to 9 digits other than 0", ErrorCode::parse)
}
