//! Limits of the quarantine, which keeps requests that were rejected for their signature.

use anyhow::{Result, bail};

use super::setting::Setting;
use super::{QUARANTINE, QUARANTINE_MIB, QUARANTINE_REQUESTS, Settings};
use crate::store::quarantine::Limits;

impl Settings {
    /// The limits; `None` if the quarantine is switched off.
    pub fn quarantine(&self) -> Result<Option<Limits>> {
        if !self.quarantine_is_on()? {
            return Ok(None);
        }
        let requests = self.count(&QUARANTINE_REQUESTS)?;
        let mib = self.count(&QUARANTINE_MIB)?;
        Ok(Some(Limits { requests, bytes: mib.saturating_mul(1 << 20) }))
    }

    /// Whether rejected requests are kept.
    pub(super) fn quarantine_is_on(&self) -> Result<bool> {
        let (name, switch) = self.text(&QUARANTINE);
        match switch.as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            other => bail!("{name}: `{other}` is neither on nor off"),
        }
    }

    /// A whole number from 1 on.
    pub(super) fn count(&self, setting: &Setting) -> Result<u64> {
        let (name, value) = self.text(setting);
        match value.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => bail!("{name}: `{value}` is not a whole number from 1 on"),
        }
    }
}
