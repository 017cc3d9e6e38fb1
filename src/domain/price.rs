//! Prices as Twilio reports them: a decimal number and a currency.

use std::fmt;

/// The number of decimal places that are kept. Twilio uses five or six.
pub const DECIMALS: usize = 9;

/// The price of a message. Twilio writes what is charged with a minus sign
/// (<https://www.twilio.com/docs/messaging/api/message-resource>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price {
    /// The amount; what is charged is negative.
    pub amount: Amount,
    /// The currency of the amount.
    pub currency: Currency,
}

/// An amount of money, in billionths of a unit of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i64);

/// A currency as three upper-case letters (ISO 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Amount {
    /// The amount of this many billionths.
    pub const fn from_billionths(billionths: i64) -> Self {
        Self(billionths)
    }

    /// Billionths of a unit.
    pub const fn billionths(self) -> i64 {
        self.0
    }

    /// Parses a decimal number such as `-0.00750`. `None` if it has more than nine decimal places, is not
    /// written like that, or is greater than nine billion.
    ///
    /// ```
    /// use delivery_ledger::domain::price::Amount;
    ///
    /// assert_eq!(Amount::parse("-0.00750").unwrap().billionths(), -7_500_000);
    /// assert_eq!(Amount::parse("-0.00750").unwrap().to_string(), "-0.0075");
    /// assert_eq!(Amount::parse("12").unwrap().to_string(), "12");
    /// assert_eq!(Amount::parse("1e3"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let are_digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits(whole) || !are_digits(fraction) || fraction.len() > DECIMALS {
            return None;
        }
        let billionths: i64 = format!("{whole}{fraction:0<DECIMALS$}").parse().ok()?;
        Some(Self(if is_negative { -billionths } else { billionths }))
    }
}

impl fmt::Display for Amount {
    /// Without trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(DECIMALS as u32);
        let (whole, fraction) = (self.0.unsigned_abs() / unit, self.0.unsigned_abs() % unit);
        let sign = if self.0 < 0 { "-" } else { "" };
        match fraction {
            0 => write!(f, "{sign}{whole}"),
            _ => {
                let decimals = format!("{fraction:0DECIMALS$}");
                write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
            }
        }
    }
}

impl Currency {
    /// Parses three letters, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 3] = text.as_bytes().try_into().ok()?;
        let are_letters = letters.iter().all(u8::is_ascii_alphabetic);
        are_letters.then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// The three letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("letters are UTF-8")
    }
}

impl Price {
    /// Parses an amount and a currency, as the Message resource has them.
    pub fn parse(amount: &str, currency: &str) -> Option<Self> {
        Some(Self { amount: Amount::parse(amount)?, currency: Currency::parse(currency)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Amount, Price};

    proptest! {
        #[test]
        fn an_amount_is_parsed_as_it_is_displayed(billionths in (i64::MIN + 1)..) {
            let amount = Amount::from_billionths(billionths);
            prop_assert_eq!(Amount::parse(&amount.to_string()), Some(amount));
        }

        #[test]
        fn no_text_panics(text in "[-0-9.]{0,30}") {
            Amount::parse(&text);
        }
    }

    #[test]
    fn an_amount_is_a_plain_decimal_number() {
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "1,5", " 1", "--1", "1.0000000001"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
        assert_eq!(Amount::parse("9223372036.854775808"), None);
    }

    #[test]
    fn a_currency_has_three_letters() {
        assert_eq!(Price::parse("-1", "usd").unwrap().currency.as_str(), "USD");
        for currency in ["", "US", "USDT", "U1D", "€"] {
            assert_eq!(Price::parse("-1", currency), None, "{currency}");
        }
    }
}
