//! Twilio's error codes: a number as callbacks bring it, and what is known of it.

use super::error_codes::ErrorCodes;

/// An ErrorCode of 1 to 9 digits, of which at least one is not 0: Twilio writes 0 for no error.
/// Codes are shown and grouped; none of them ever moves a status, since Twilio calls them subject to
/// change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u32);

impl ErrorCode {
    /// The code, or `None` if the text is not 1 to 9 digits, or is zero.
    ///
    /// ```
    /// use delivery_ledger::domain::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::parse("30003").unwrap().number(), 30003);
    /// assert!(ErrorCode::parse("0").is_none());
    /// assert!(ErrorCode::parse("").is_none());
    /// assert!(ErrorCode::parse("+30003").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().and_then(Self::of_number)
    }

    /// The code with this number, which has at most 9 digits and is not 0.
    pub fn of_number(number: u32) -> Option<Self> {
        (1..=999_999_999).contains(&number).then_some(Self(number))
    }

    /// The code as a number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The code's title in the table in use, or `unknown code N`.
    pub fn title(self) -> String {
        match ErrorCodes::in_use().meaning(self) {
            Some(meaning) => meaning.title.clone(),
            None => format!("unknown code {}", self.0),
        }
    }
}
