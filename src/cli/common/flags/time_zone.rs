//! The flag `--time-zone` of commands that read or show times.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::UsageError;
use crate::cli::common::flags::bad_flag;
use crate::config::Settings;
use crate::domain::Timestamp;
use crate::domain::time::zone::Zone;
use crate::wire::filter::time_flag;

/// The flag, as it was given.
#[derive(Debug, Default, Clone, clap::Args, Serialize)]
pub struct TimeZoneFlag {
    /// The time zone of days and times, such as Europe/Berlin [default: the setting time_zone]
    #[arg(long, value_name = "NAME")]
    time_zone: Option<String>,
}

impl TimeZoneFlag {
    /// The time zone of the flag, or else of the settings.
    pub fn zone(&self, settings: &Settings) -> Result<Zone> {
        match &self.time_zone {
            Some(name) => {
                Ok(Zone::parse(name).map_err(|bad| UsageError(format!("--time-zone: {bad}")))?)
            }
            None => settings.time_zone(),
        }
    }

    /// Parses the time given to the flag of this name, in this zone.
    pub fn time(&self, name: &str, text: &str, settings: &Settings) -> Result<Timestamp> {
        Ok(time_flag(name, text, now(), &self.zone(settings)?).map_err(bad_flag)?)
    }
}

/// The present time.
pub fn now() -> Timestamp {
    Timestamp::from(OffsetDateTime::now_utc())
}
