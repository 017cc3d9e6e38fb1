//! The flags that choose messages and events, the same for every command.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::Usage;
use crate::domain::Timestamp;
use crate::domain::filter::MessageFilter;
use crate::export::EventFilter;
use crate::wire::filter::{self, BadValue};

/// The filters, as they were given.
#[derive(Debug, clap::Args)]
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
    pub fn of_messages(&self) -> Result<MessageFilter, Usage> {
        let (mut filter, now) =
            (MessageFilter::usual(), Timestamp::from(OffsetDateTime::now_utc()));
        for (name, value) in self.given() {
            filter::set(&mut filter, name, value, now).map_err(of_a_flag)?;
        }
        filter::check(&filter).map_err(of_a_flag)?;
        Ok(filter)
    }

    /// The events that are asked for: by account, time of arrival, and whether a simulation
    /// sent them.
    pub fn of_events(&self) -> Result<EventFilter, Usage> {
        let of_messages =
            |name: &&str| !["account_sid", "since", "until", "simulated"].contains(name);
        if let Some(name) = self.given().keys().copied().find(of_messages) {
            return Err(Usage(format!("{}: events are not chosen by it", flag(name))));
        }
        let MessageFilter { account_sid, since, until, simulated, .. } = self.of_messages()?;
        Ok(EventFilter { account_sid, message_sid: None, since, until, simulated })
    }

    /// Those that were given, by the names that the API has for them.
    pub fn given(&self) -> BTreeMap<&'static str, &str> {
        let values = [
            &self.status,
            &self.error_code,
            &self.from,
            &self.to,
            &self.account_sid,
            &self.messaging_service_sid,
            &self.channel,
            &self.since,
            &self.until,
            &self.conflict,
            &self.late,
            &self.duplicate,
            &self.stuck,
            &self.inbound,
            &self.simulated,
        ];
        let named = filter::MESSAGE_FILTERS.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}

/// The refusal of a flag's value.
pub fn of_a_flag(BadValue { name, value, expected }: BadValue) -> Usage {
    Usage(format!("{}: `{}` is not {expected}", flag(&name), value.escape_debug()))
}

fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}
