//! The country of telephone numbers that are written without a calling code.

use anyhow::{Result, bail};

use super::{DEFAULT_COUNTRY, Settings};
use crate::domain::country::Country;

impl Settings {
    /// The country of numbers without a calling code; `None` if none is configured, so that such
    /// numbers cannot be understood.
    pub fn default_country(&self) -> Result<Option<Country>> {
        let Some((name, value)) = self.given_text(&DEFAULT_COUNTRY) else { return Ok(None) };
        match Country::from_code(&value) {
            Ok(country) => Ok(Some(country)),
            Err(expected) => bail!("{name}: `{}` is not {expected}", value.escape_debug()),
        }
    }
}
