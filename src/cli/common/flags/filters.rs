//! The filter flags of several commands. Each has the name of a query parameter of the API.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::cli::UsageError;
use crate::cli::common::flags::time_zone::{TimeZoneFlag, now};
use crate::cli::common::flags::{bad_flag, flag};
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::domain::event::filter::EventFilter;
use crate::domain::message::filter::MessageFilter;
use crate::domain::time::zone::Zone;
use crate::store::Views;
use crate::telemetry::eprint_line;
use crate::text::printable;
use crate::wire::filter::tag_filter;
use crate::wire::filter::{FilterContext, MessageParameters};
use crate::wire::number::WrittenAddress;
use crate::wire::parameters;

/// The advice if a number cannot be understood.
const NATIONAL_HINT: &str =
    "; to find numbers without a calling code, set default_country, for example to GB";

/// The filters, as they were given.
#[derive(Debug, Default, Clone, clap::Args, Serialize)]
pub struct Filters {
    /// Only messages with this status: sent, failed, unknown and so on
    #[arg(long, help_heading = "Filters", value_name = "STATUS")]
    status: Option<String>,

    /// Only messages with this error code, such as 30005
    #[arg(long, help_heading = "Filters", value_name = "CODE")]
    error_code: Option<String>,

    /// Only from this address, in any spelling if it is a number, or from those that end with these
    /// digits (*2671) or begin with these (+4420*)
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS")]
    from: Option<String>,

    /// Only to this address, in any spelling if it is a number, or to those that end with these digits
    /// (*2671) or begin with these (+4420*)
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS")]
    to: Option<String>,

    /// Only to or from this address, in the same spellings
    #[arg(long, help_heading = "Filters", value_name = "ADDRESS")]
    address: Option<String>,

    /// Only of this account, by SID or name
    #[arg(long, help_heading = "Filters", value_name = "ACCOUNT")]
    account_sid: Option<String>,

    /// Only of this messaging service
    #[arg(long, help_heading = "Filters", value_name = "SID")]
    messaging_service_sid: Option<String>,

    /// Only over this channel
    #[arg(long, help_heading = "Filters", value_name = "CHANNEL")]
    channel: Option<String>,

    /// Only to numbers of this country, such as DE
    #[arg(long, help_heading = "Filters", value_name = "CC")]
    country: Option<String>,

    /// First received at this time or later: a length of time ago (24h, 7d), yesterday, a day, a local
    /// time (2026-11-25T10:00), or RFC 3339
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    since: Option<String>,

    /// First received before this time
    #[arg(long, help_heading = "Filters", value_name = "TIME")]
    until: Option<String>,

    #[command(flatten)]
    #[serde(flatten)]
    time_zone: TimeZoneFlag,

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

    /// Only messages whose outcome is not known yet (=false: only the others)
    #[arg(long, help_heading = "Filters", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    open: Option<String>,

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

    /// Only with this tag, such as order=17; several must all match
    #[arg(long, help_heading = "Filters", value_name = "NAME=VALUE", value_parser = tag)]
    #[serde(skip)]
    tag: Vec<(String, String)>,
}

impl Filters {
    /// The filter of messages.
    pub fn messages(&self, settings: &Settings) -> Result<MessageFilter> {
        self.messages_at(now(), settings)
    }

    /// The same with another current time, from which relative times count back.
    pub fn messages_at(&self, now: Timestamp, settings: &Settings) -> Result<MessageFilter> {
        let is_repeated = |(place, (name, _)): &(usize, &(String, String))| {
            self.tag[..*place].iter().any(|(earlier, _)| earlier == name)
        };
        if let Some((_, (name, _))) = self.tag.iter().enumerate().find(is_repeated) {
            let name = name.escape_debug();
            let twice = format!("--tag: the tag `{name}` is given twice");
            return Err(UsageError(twice).into());
        }
        let context = FilterContext {
            now,
            time_zone: self.time_zone(settings)?,
            default_country: settings.default_country()?,
        };
        let parameters: MessageParameters = parameters::read(&self.given()).map_err(bad_flag)?;
        let named = parameters.with_named_account(&settings.account_names()?);
        Ok(named.and_then(|named| named.filter(&context)).map_err(bad_flag)?)
    }

    /// The filter of events, by what they themselves report.
    pub fn events(&self, settings: &Settings) -> Result<EventFilter> {
        const OF_MESSAGES: [&str; 10] = [
            "address",
            "messaging_service_sid",
            "channel",
            "country",
            "conflict",
            "late",
            "duplicate",
            "open",
            "stuck",
            "inbound",
        ];
        let given = self.given();
        if let Some(name) = OF_MESSAGES.into_iter().find(|name| given.contains_key(*name)) {
            let text = format!("{}: events cannot be filtered by this", flag(name));
            return Err(UsageError(text).into());
        }
        let status = self.status.clone();
        // A status that this program does not know may be in the log.
        let known = Self { status: None, ..self.clone() };
        let MessageFilter {
            error_code, from, to, account_sid, since, until, simulated, tags, ..
        } = known.messages(settings)?;
        Ok(EventFilter {
            status,
            error_code,
            from,
            to,
            account_sid,
            since,
            until,
            simulated,
            tags,
            ..EventFilter::default()
        })
    }

    /// The time zone of the times that are given and shown.
    pub fn time_zone(&self, settings: &Settings) -> Result<Zone> {
        self.time_zone.zone(settings)
    }

    /// Says on stderr which addresses were searched for without success, if the filter has any.
    pub fn hint_at_nothing_found(&self, filter: &MessageFilter, settings: &Settings) -> Result<()> {
        let addresses = filter.searched_for();
        if addresses.is_empty() {
            return Ok(());
        }
        let addresses: Vec<_> = addresses.iter().map(|address| printable(address)).collect();
        let written = [&self.to, &self.from, &self.address].into_iter().flatten();
        let written: Vec<_> = written.filter_map(|text| WrittenAddress::parse(text)).collect();
        let hint = number_hint(&written, settings)?;
        eprint_line(format_args!("no message found; searched for {}{hint}", addresses.join(", ")));
        Ok(())
    }

    /// The values of the flags that were given, by the names of the API's parameters.
    pub fn given(&self) -> BTreeMap<String, String> {
        let fields = serde_json::to_value(self).expect("every field is text");
        let fields = fields.as_object().into_iter().flatten();
        let mut given: BTreeMap<_, _> = fields
            .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect();
        for (name, value) in &self.tag {
            given.insert(format!("{}{name}", parameters::TAG_PREFIX), value.clone());
        }
        given
    }
}

/// Makes sure that messages can be found by the tags of a filter; `lists` is true if they
/// are listed, which needs an index.
pub fn check_tags(filter: &MessageFilter, views: &dyn Views, lists: bool) -> Result<()> {
    if filter.tags.is_empty() {
        return Ok(());
    }
    let indexed = views.checkpoint()?.indexed_tags;
    let checked =
        tag_filter::check_all(&filter.tags, &views.tag_names()?, lists.then_some(&indexed));
    checked.map_err(|bad| UsageError(format!("--tag: {bad}")).into())
}

/// A hint for each tag of a filter that no message has: the names of similar tags.
pub fn unknown_tags_hint(tags: &[(String, String)], views: &dyn Views) -> Result<String> {
    if tags.is_empty() {
        return Ok(String::new());
    }
    let known = views.tag_names()?;
    let unknown = tags.iter().filter_map(|(name, _)| tag_filter::check(name, &known).err());
    Ok(unknown.map(|unknown| format!("; {unknown}")).collect())
}

/// Parses the value of a `--tag` flag.
pub fn tag(text: &str) -> Result<(String, String), String> {
    tag_filter::parse(text).map_err(|bad| format!("it is not {}", bad.expected))
}

/// What to do if one of these addresses is a number that cannot be understood, or may be only the end of
/// one; empty if none is.
pub fn number_hint(written: &[WrittenAddress], settings: &Settings) -> Result<String> {
    let needs_country = settings.default_country()?.is_none()
        && written.iter().any(WrittenAddress::needs_default_country);
    let suffix = written.iter().find_map(WrittenAddress::possible_suffix);
    Ok(match (needs_country, suffix) {
        (true, _) => NATIONAL_HINT.to_owned(),
        (false, Some(digits)) => {
            format!("; for numbers that end with these digits, write *{digits}")
        }
        (false, None) => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::Filters;
    use crate::wire::filter::MessageParameters;
    use crate::wire::parameters;

    #[test]
    fn every_filter_of_the_api_is_a_flag_with_its_name() {
        let fields = serde_json::to_value(Filters::default()).unwrap();
        let mut flags: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
        flags.push(parameters::TAG_PARAMETER.to_owned());
        assert_eq!(flags, parameters::names::<MessageParameters>().collect::<Vec<_>>());
    }
}
