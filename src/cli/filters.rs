//! The flags that choose messages and events, the same for every command.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;

use super::UsageError;
use crate::domain::Timestamp;
use crate::domain::filter::MessageFilter;
use crate::export::EventFilter;
use crate::wire::filter::MessageParameters;
use crate::wire::parameters::{self, BadValue};

/// The filters, as they were given.
#[derive(Debug, Default, clap::Args, Serialize)]
pub struct Filters {
    /// Only messages that stand there: sent, failed, unknown and so on
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

    /// First received then or later: RFC 3339, or a day in UTC
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    since: Option<String>,

    /// First received before
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    until: Option<String>,

    /// Only with evidence of success and of failure (=false: only without)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    conflict: Option<String>,

    /// Only with events that came late
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    late: Option<String>,

    /// Only with events that came twice
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    duplicate: Option<String>,

    /// Only those not settled for so long, such as 6h
    #[arg(long, help_heading = "Filters", value_name = "LENGTH")]
    stuck: Option<String>,

    /// Only inbound messages, which are left out otherwise
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    inbound: Option<String>,

    /// Only what a simulation sent (=false: only what none sent)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    simulated: Option<String>,
}

impl Filters {
    /// The messages that are asked for.
    pub fn of_messages(&self) -> Result<MessageFilter, UsageError> {
        let now = Timestamp::from(OffsetDateTime::now_utc());
        let parameters: MessageParameters = parameters::read(&self.given()).map_err(of_a_flag)?;
        parameters.filter(now).map_err(of_a_flag)
    }

    /// The events that are asked for: by account, time of arrival, and whether a simulation
    /// sent them.
    pub fn of_events(&self) -> Result<EventFilter, UsageError> {
        let of_messages =
            |name: &&str| !["account_sid", "since", "until", "simulated"].contains(name);
        if let Some(name) = self.given().keys().map(String::as_str).find(of_messages) {
            return Err(UsageError(format!("{}: events are not chosen by it", flag(name))));
        }
        let MessageFilter { account_sid, since, until, simulated, .. } = self.of_messages()?;
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

/// The refusal of a flag's value.
pub fn of_a_flag(BadValue { name, value, expected }: BadValue) -> UsageError {
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
