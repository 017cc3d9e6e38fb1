//! How much is kept of requests that are refused for their signature.

use anyhow::{Result, bail};

use super::Settings;
use crate::store::quarantine::Limits;

/// Some days of a sender of a thousand messages an hour, whose public URL is wrong all the time.
const DEFAULT_REQUESTS: u64 = 250_000;

/// Those, at 1 KiB each: a usual callback and its headers.
const DEFAULT_MIB: u64 = 256;

impl Settings {
    /// The limits; nothing where the quarantine is switched off.
    pub fn quarantine(&self) -> Result<Option<Limits>> {
        let in_file = self.file.quarantine.clone().map(|value| ("quarantine", value));
        let switch = self.or_environment(None, "DELIVERY_LEDGER_QUARANTINE").or(in_file);
        match switch.as_ref().map(|(setting, value)| (setting, value.as_str())) {
            None | Some((_, "on")) => {}
            Some((_, "off")) => return Ok(None),
            Some((setting, other)) => bail!("{setting}: `{other}` is neither on nor off"),
        }
        let requests = self.count(
            "DELIVERY_LEDGER_QUARANTINE_REQUESTS",
            ("quarantine_requests", self.file.quarantine_requests),
            DEFAULT_REQUESTS,
        )?;
        let mib = self.count(
            "DELIVERY_LEDGER_QUARANTINE_MIB",
            ("quarantine_mib", self.file.quarantine_mib),
            DEFAULT_MIB,
        )?;
        Ok(Some(Limits { requests, bytes: mib.saturating_mul(1 << 20) }))
    }

    /// A whole number from 1 on.
    fn count(
        &self,
        variable: &'static str,
        (key, in_file): (&'static str, Option<u64>),
        default: u64,
    ) -> Result<u64> {
        let value = self.or_environment(None, variable);
        let value = value.or_else(|| in_file.map(|number| (key, number.to_string())));
        let Some((setting, value)) = value else { return Ok(default) };
        match value.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => bail!("{setting}: `{value}` is not a whole number from 1 on"),
        }
    }
}
