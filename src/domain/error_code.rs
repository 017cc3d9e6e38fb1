//! Twilio's error codes: a number as callbacks bring it, and the title it is known by.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Code and title, one a line; replaceable data, because Twilio renames titles and adds codes
/// (<https://www.twilio.com/docs/api/errors>).
const TITLES_CSV: &str = include_str!("error_codes.csv");

/// An ErrorCode of 1 to 9 digits. Codes are shown and grouped; none of them ever moves a status,
/// since Twilio calls them subject to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u32);

impl ErrorCode {
    /// The code, or nothing where the text is not 1 to 9 digits.
    ///
    /// ```
    /// use delivery_ledger::domain::ErrorCode;
    ///
    /// assert_eq!(ErrorCode::parse("30003").unwrap().number(), 30003);
    /// assert!(ErrorCode::parse("").is_none());
    /// assert!(ErrorCode::parse("+30003").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let digits = (1..=9).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(Self)
    }

    /// The code as a number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Twilio's title for the code, or `unknown code N`.
    pub fn title(self) -> String {
        static TITLES: LazyLock<HashMap<u32, String>> = LazyLock::new(titles);
        match TITLES.get(&self.0) {
            Some(title) => title.clone(),
            None => format!("unknown code {}", self.0),
        }
    }
}

fn titles() -> HashMap<u32, String> {
    let mut table = csv::Reader::from_reader(TITLES_CSV.as_bytes());
    table.deserialize().map(|row| row.expect("the table is part of the program")).collect()
}
