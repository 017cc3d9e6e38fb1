//! The country of telephone numbers that are written without a calling code.

use anyhow::{Result, bail};

use super::{DEFAULT_COUNTRY, Settings};
use crate::domain::country::Country;
use crate::domain::similar::suggestion;

impl Settings {
    /// The country of numbers without a calling code; `None` if none is configured, so that such
    /// numbers cannot be understood.
    pub fn default_country(&self) -> Result<Option<Country>> {
        let Some((name, value)) = self.given_text(&DEFAULT_COUNTRY) else { return Ok(None) };
        let letters = value.to_ascii_uppercase();
        let all = Country::all();
        if let Some(country) = all.clone().find(|country| country.as_str() == letters) {
            return Ok(Some(country));
        }
        let similar = match letters.as_str() {
            // Not its code, but a common abbreviation.
            "UK" => "; the United Kingdom is GB".to_owned(),
            // The first two of three letters are mostly the code of two.
            _ => match all.clone().find(|country| letters.starts_with(country.as_str())) {
                Some(country) => format!("; similar: {country}"),
                None => {
                    let all: Vec<_> = all.collect();
                    suggestion(&letters, all.iter().map(Country::as_str))
                }
            },
        };
        bail!(
            "{name}: `{}` is not the two-letter code of a country (ISO 3166-1), such as GB{similar}",
            value.escape_debug()
        )
    }
}
