//! The age at which messages are erased.

use std::time::Duration;

use anyhow::{Result, bail};

use super::{ERASE_AFTER, Settings};
use crate::domain::time::duration;

/// Callbacks of younger messages are still expected.
const SHORTEST: Duration = Duration::from_secs(30 * DAY);

/// The seconds of a day.
const DAY: u64 = 24 * 3600;

impl Settings {
    /// The age at which messages are erased; `None` if they are kept.
    pub fn erase_after(&self) -> Result<Option<Duration>> {
        let (name, value) = self.text(&ERASE_AFTER);
        if value == "off" {
            return Ok(None);
        }
        match length(&value) {
            Some(length) if length >= SHORTEST => Ok(Some(length)),
            _ => {
                bail!("{name}: `{value}` is neither off nor a time from 30d on, such as 400d or 3y")
            }
        }
    }
}

/// A length of time, also in years of 365 days.
fn length(text: &str) -> Option<Duration> {
    match text.strip_suffix('y') {
        Some(years) => duration::parse(&format!("{years}d")).ok()?.checked_mul(365),
        None => duration::parse(text).ok(),
    }
}
