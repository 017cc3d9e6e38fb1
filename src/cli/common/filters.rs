//! The filter flags of several commands. Each has the name of a query parameter of the API.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::UsageError;
use crate::domain::Timestamp;
use crate::domain::message::filter::MessageFilter;
use crate::export::EventFilter;
use crate::wire::filter::MessageParameters;
use crate::wire::parameters::{self, BadValue};

/// The filters, as they were given.
#[derive(Debug, Default, clap::Args, Serialize)]
pub struct Filters {
    /// Only messages with this status: sent, failed, unknown and so on
    #[arg(long, help_heading = "Filters", value_name = "STATUS")]
    status: Option<String>,

    #[arg(long, help_heading = "Filters", value_name = "CODE")]
    error_code: Option<String>,

    /// Only from this address, or from those that end with these digits (*2671)
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS")]
    from: Option<String>,

    /// Only to this address, or to those that end with these digits
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS")]
    to: Option<String>,

    #[arg(long, help_heading = "Filters", value_name = "SID")]
    account_sid: Option<String>,

    #[arg(long, help_heading = "Filters", value_name = "SID")]
    messaging_service_sid: Option<String>,

    #[arg(long, help_heading = "Filters", value_name = "CHANNEL")]
    channel: Option<String>,

    /// First received at this time or later: RFC 3339, or a day in UTC
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    since: Option<String>,

    /// First received before this time
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    until: Option<String>,

    /// Only with evidence of both success and failure (=false: only without)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    conflict: Option<String>,

    /// Only with late events
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    late: Option<String>,

    /// Only with duplicate events
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    duplicate: Option<String>,

    /// Only those open for at least this long, such as 6h
    #[arg(long, help_heading = "Filters", value_name = "LENGTH")]
    stuck: Option<String>,

    /// Only inbound messages, which are otherwise left out
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    inbound: Option<String>,

    /// Only simulated messages and events (=false: only real ones)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    simulated: Option<String>,
}

impl Filters {
    /// The filter of messages.
    pub fn messages(&self) -> Result<MessageFilter, UsageError> {
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let parameters: MessageParameters = parameters::read(&self.given()).map_err(bad_flag)?;
        parameters.filter(now).map_err(bad_flag)
    }

    /// The filter of events: by account, time of receipt, and whether a simulation sent them.
    pub fn events(&self) -> Result<EventFilter, UsageError> {
        let of_messages =
            |name: &&str| !["account_sid", "since", "until", "simulated"].contains(name);
        if let Some(name) = self.given().keys().map(String::as_str).find(of_messages) {
            return Err(UsageError(format!("{}: events are not chosen by it", flag(name))));
        }
        let MessageFilter { account_sid, since, until, simulated, .. } = self.messages()?;
        Ok(EventFilter { account_sid, message_sid: None, since, until, simulated })
    }

    /// The values of the flags that were given, by the names of the API's parameters.
    pub fn given(&self) -> BTreeMap<String, String> {
        let fields = serde_json::to_value(self).expect("every field is text");
        let fields = fields.as_object().into_iter().flatten();
        fields
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect()
    }
}

/// The error for the value of a flag.
pub fn bad_flag(BadValue { name, value, expected }: BadValue) -> UsageError {
    UsageError(format!("{}: `{}` is not {expected}", flag(&name), value.escape_debug()))
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::Filters;
    use crate::wire::filter::MessageParameters;
    use crate::wire::parameters;

    #[test]
    fn every_filter_of_the_api_is_a_flag_with_its_name() {
        let fields = serde_json::to_value(Filters::default()).unwrap();
        let flags: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        assert_eq!(flags, parameters::names::<MessageParameters>().collect::<Vec<_>>());
    }
}
