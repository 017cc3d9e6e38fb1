//! Carriers: the mobile network that carried a message, by its codes (ITU-T E.212).

mod names;

use smol_str::SmolStr;

use self::names::NAMES;

/// A network as its country code and its code in that country.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Carrier {
    mcc: SmolStr,
    mnc: SmolStr,
}

impl Carrier {
    /// Parses a mobile country code of three digits and a mobile network code of two or three. JSON may have
    /// them as numbers, without their leading zeros; these are added.
    ///
    /// ```
    /// use delivery_ledger::domain::carrier::Carrier;
    ///
    /// assert_eq!(Carrier::parse("310", "26").unwrap().mnc(), "26");
    /// assert_eq!(Carrier::parse("262", "1").unwrap().mnc(), "01");
    /// assert_eq!(Carrier::parse("310", "T-Mobile"), None);
    /// ```
    pub fn parse(mcc: &str, mnc: &str) -> Option<Self> {
        let digits = |text: &str, least: usize| {
            let are_digits =
                (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
            are_digits.then(|| SmolStr::from(format!("{text:0>least$}")))
        };
        Some(Self { mcc: digits(mcc, 3)?, mnc: digits(mnc, 2)? })
    }

    /// The mobile country code, three digits.
    pub fn mcc(&self) -> &str {
        &self.mcc
    }

    /// The mobile network code, two or three digits.
    pub fn mnc(&self) -> &str {
        &self.mnc
    }

    /// The name of the network, if it is in the table of large ones. Codes of three digits may have lost a
    /// leading zero.
    pub fn name(&self) -> Option<&'static str> {
        let name = |mnc: &str| {
            let codes = (self.mcc(), mnc);
            let place = NAMES.binary_search_by(|(mcc, mnc, _)| (*mcc, *mnc).cmp(&codes)).ok()?;
            Some(NAMES[place].2)
        };
        name(self.mnc()).or_else(|| name(&format!("{:0>3}", self.mnc())))
    }
}

#[cfg(test)]
mod tests {
    use super::Carrier;
    use super::names::NAMES;

    #[test]
    fn the_table_is_sorted_and_each_network_is_in_it_once() {
        assert!(NAMES.is_sorted_by(|(mcc, mnc, _), (next_mcc, next_mnc, _)| {
            (mcc, mnc) < (next_mcc, next_mnc)
        }));
    }

    #[test]
    fn a_network_in_the_table_has_its_name() {
        assert_eq!(Carrier::parse("310", "260").unwrap().name(), Some("T-Mobile"));
        assert_eq!(Carrier::parse("334", "20").unwrap().name(), Some("Telcel"), "334-020");
        assert_eq!(Carrier::parse("999", "99").unwrap().name(), None);
    }
}
