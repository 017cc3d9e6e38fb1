//! The filter flags of commands that show events. Each has the name of a query parameter of the API, and all
//! that are given must match what the event itself reports.

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::common::flags::bad_flag;
use crate::cli::common::flags::filters::{number_hint, tag, unknown_tags_hint};
use crate::cli::common::flags::time_zone::TimeZoneFlag;
use crate::config::Settings;
use crate::domain::event::filter::EventFilter;
use crate::domain::message::filter::AddressPattern;
use crate::domain::similar::suggestion;
use crate::domain::time::zone::Zone;
use crate::domain::{ErrorCode, Source, Status};
use crate::store::Views;
use crate::text::printable;
use crate::wire::filter::{ADDRESS_EXPECTED, in_order};
use crate::wire::number::WrittenAddress;

/// The filters, as they were given.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct EventFlags {
    /// The account, by SID or name
    #[arg(long, help_heading = "Filters", value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// The message, by its SID
    #[arg(long, help_heading = "Filters", value_name = "SM…")]
    message_sid: Option<String>,

    /// Where the event came from
    #[arg(long, help_heading = "Filters", value_name = "SOURCE", value_parser = source())]
    source: Option<Source>,

    /// The reported status; may be one that this program does not know
    #[arg(long, help_heading = "Filters", value_name = "STATUS")]
    status: Option<String>,

    /// The reported error code, such as 30005
    #[arg(long, help_heading = "Filters", value_name = "CODE", value_parser = error_code)]
    error_code: Option<ErrorCode>,

    /// The sender: an address, in any spelling if it is a number, or its last digits (*2671) or first
    /// ones (+4420*)
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS", value_parser = address)]
    from: Option<WrittenAddress>,

    /// The recipient: an address, in any spelling if it is a number, or its last digits or first ones
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS", value_parser = address)]
    to: Option<WrittenAddress>,

    /// Only with this tag in its URL, such as order=17; several must all match
    #[arg(long, help_heading = "Filters", value_name = "NAME=VALUE", value_parser = tag)]
    tag: Vec<(String, String)>,

    /// Received at this time or later: a length of time ago (24h, 7d), yesterday, a day, a local time
    /// (2026-11-25T10:00), or RFC 3339
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    since: Option<String>,

    /// Received before this time
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    until: Option<String>,

    #[command(flatten)]
    time_zone: TimeZoneFlag,

    /// Only simulated events (=false: only real ones)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    simulated: Option<bool>,
}

impl EventFlags {
    /// The filter.
    pub fn filter(&self, settings: &Settings) -> Result<EventFilter> {
        let default_country = settings.default_country()?;
        let pattern = |written: &Option<WrittenAddress>| -> Option<AddressPattern> {
            written.as_ref().map(|written| written.pattern(default_country))
        };
        let account_sid = self.account_sid.as_deref().map(|written| settings.account(written));
        let time = |name: &str, text: &Option<String>| {
            let time = text.as_deref().map(|text| self.time_zone.time(name, text, settings));
            time.transpose()
        };
        let (since, until) = (time("since", &self.since)?, time("until", &self.until)?);
        in_order(since, until).map_err(bad_flag)?;
        Ok(EventFilter {
            account_sid: account_sid.transpose()?,
            message_sid: self.message_sid.clone(),
            source: self.source,
            status: self.status.clone(),
            error_code: self.error_code,
            from: pattern(&self.from),
            to: pattern(&self.to),
            tags: self.tag.clone(),
            since,
            until,
            simulated: self.simulated,
        })
    }

    /// The time zone of the times that are given and shown.
    pub fn time_zone(&self, settings: &Settings) -> Result<Zone> {
        self.time_zone.zone(settings)
    }
}

impl EventFlags {
    /// What to tell about a filter that no event matched: the addresses that were searched for, what else
    /// could be tried, and similar names of tags. `views` are those of the log, if there are any.
    pub fn hint_at_nothing_found(
        &self,
        filter: &EventFilter,
        views: Option<&dyn Views>,
        settings: &Settings,
    ) -> Result<String> {
        let addresses = filter.searched_for();
        let searched = match addresses.is_empty() {
            true => String::new(),
            false => {
                let shown: Vec<_> = addresses.iter().map(|address| printable(address)).collect();
                format!("; searched for {}", shown.join(", "))
            }
        };
        let written: Vec<_> = [&self.to, &self.from].into_iter().flatten().cloned().collect();
        let number = number_hint(&written, settings)?;
        let tags = views.map(|views| unknown_tags_hint(&filter.tags, views)).transpose()?;
        Ok(format!("{searched}{number}{}{}", tags.unwrap_or_default(), self.status_hint()))
    }

    /// The statuses that are similar to one that this program does not know.
    fn status_hint(&self) -> String {
        let status = self.status.as_deref().unwrap_or_default();
        match Status::parse(status) {
            Some(_) => String::new(),
            None => suggestion(status, Status::ALL.map(Status::name)),
        }
    }
}

/// Parses a source, and lists the sources for help and completion.
fn source() -> impl TypedValueParser<Value = Source> {
    PossibleValuesParser::new(Source::ALL.map(Source::name))
        .try_map(|name| Source::parse(&name).ok_or("not a source"))
}

fn error_code(text: &str) -> Result<ErrorCode, String> {
    ErrorCode::parse(text).ok_or_else(|| "not a number of 1 to 9 digits, such as 30003".to_owned())
}

fn address(text: &str) -> Result<WrittenAddress, String> {
    WrittenAddress::parse(text).ok_or_else(|| format!("it is not {ADDRESS_EXPECTED}"))
}
