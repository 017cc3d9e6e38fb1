//! Checks the values in Twilio's records of messages: intact, repaired or damaged.
//!
//! A value is repaired only if the original is certain. Everything else that Twilio would not have
//! written counts as damaged, because nothing can be removed from the log again.

mod address;
mod date;
mod wrapping;

use std::borrow::Cow;

use crate::domain::{ErrorCode, Status, Timestamp};

pub use self::date::check_range as check_date_range;
pub use self::wrapping::{is_blank, unwrapped};

/// Statuses of inbound messages.
pub const INBOUND: [&str; 2] = ["receiving", "received"];

/// The number of hexadecimal digits in a SID after its prefix.
const SID_DIGITS: usize = 32;

/// The versions of the API that messages name.
const API_VERSIONS: [(&str, [u32; 3], &str); 2] =
    [("2010-04-01", [1, 4, 2010], "40269"), ("2008-08-01", [1, 8, 2008], "39661")];

/// The error values that spreadsheets write into cells.
const SPREADSHEET_ERRORS: [&str; 10] = [
    "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#N/A", "#NULL!", "#NUM!", "#SPILL!", "#CALC!",
    "#FIELD!",
];

/// The kind of value in a member of Twilio's Message resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// SM or MM and 32 hexadecimal digits.
    MessageSid,
    /// AC and 32 hexadecimal digits.
    AccountSid,
    /// MG and 32 hexadecimal digits.
    ServiceSid,
    /// A word.
    Status,
    /// Inbound, or one of the outbound directions.
    Direction,
    /// A number, or nothing.
    ErrorCode,
    /// A telephone number, or an address of another channel.
    Address,
    /// A time.
    Date,
    /// A whole number, such as that of segments.
    Count,
    /// A decimal number.
    Price,
    /// The date of the API's version.
    ApiVersion,
    /// The text of a message: any text is valid.
    Content,
    /// Any other text.
    Other,
}

/// A value after the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked<'v> {
    /// The value is as Twilio wrote it.
    Intact,
    /// The original value, and a description of the damage. A blank text means no value.
    Repaired(Cow<'v, str>, String),
    /// The reason it cannot be what Twilio wrote.
    Damaged(String),
}

impl ValueKind {
    /// The kind of a member of the resource, by its name.
    pub fn from_member(member: &str) -> Self {
        match member {
            "sid" => ValueKind::MessageSid,
            "account_sid" => ValueKind::AccountSid,
            "messaging_service_sid" => ValueKind::ServiceSid,
            "status" => ValueKind::Status,
            "direction" => ValueKind::Direction,
            "error_code" => ValueKind::ErrorCode,
            "from" | "to" => ValueKind::Address,
            "date_created" | "date_sent" | "date_updated" => ValueKind::Date,
            "num_segments" | "num_media" => ValueKind::Count,
            _ if member.eq_ignore_ascii_case("price") => ValueKind::Price,
            "api_version" => ValueKind::ApiVersion,
            "body" => ValueKind::Content,
            _ => ValueKind::Other,
        }
    }

    /// Checks a value that was read at the time `now`.
    ///
    /// ```
    /// use delivery_ledger::domain::Timestamp;
    /// use delivery_ledger::import::values::{Checked, ValueKind};
    ///
    /// let now = Timestamp::parse("2026-01-05T10:00:00Z").unwrap();
    /// let check = |value| ValueKind::Address.check(value, now);
    /// assert_eq!(check("+15558675310"), Checked::Intact);
    /// assert!(matches!(check("'+15558675310"), Checked::Repaired(to, _) if to == "+15558675310"));
    /// assert!(matches!(check("1.55587E+10"), Checked::Damaged(_)));
    /// ```
    pub fn check(self, value: &str, now: Timestamp) -> Checked<'_> {
        if self == ValueKind::Content {
            return Checked::Intact;
        }
        let (text, mut done) = match self {
            ValueKind::Other => (Cow::Borrowed(value), Vec::new()),
            _ => unwrapped(value),
        };
        if is_spreadsheet_error(&text) {
            return Checked::Damaged("a spreadsheet's error in place of a value".to_owned());
        }
        if self != ValueKind::Other && text == "null" {
            // As programs write a JSON null into tables.
            return Checked::Repaired(Cow::Borrowed(""), "the word null stood for no value".into());
        }
        let text = match self.plain(&text, now) {
            _ if text.is_empty() => text,
            Ok(None) => text,
            Ok(Some((repaired, what))) => {
                done.push(what);
                Cow::Owned(repaired)
            }
            Err(why) => return Checked::Damaged(why),
        };
        match done.is_empty() {
            true => Checked::Intact,
            false => Checked::Repaired(text, done.join(", ")),
        }
    }

    /// Checks a value without wrapping; returns the original if a spreadsheet has rewritten it.
    fn plain(self, text: &str, now: Timestamp) -> Result<Option<(String, &'static str)>, String> {
        match self {
            ValueKind::MessageSid => sid(text, &["SM", "MM"], "a message's SID"),
            ValueKind::AccountSid => sid(text, &["AC"], "an account's SID"),
            ValueKind::ServiceSid => sid(text, &["MG"], "a messaging service's SID"),
            ValueKind::Status => status(text),
            // Twilio's lists have 0 for no error.
            ValueKind::ErrorCode if ErrorCode::parse(text).is_some() || is_zero(text) => Ok(None),
            ValueKind::ErrorCode => Err("an error code is 1 to 9 digits, or blank".to_owned()),
            ValueKind::Address => address::check(text).map(|()| None),
            ValueKind::Date => date::check(text, now).map(|()| None),
            ValueKind::Count if is_digits(text) => Ok(None),
            ValueKind::Count => Err("it is a whole number, written with digits alone".to_owned()),
            ValueKind::Price => price(text),
            ValueKind::ApiVersion => api_version(text),
            ValueKind::Direction | ValueKind::Content | ValueKind::Other => Ok(None),
        }
    }
}

/// True if the direction or the status is that of an inbound message.
pub fn is_inbound(direction: Option<&str>, status: Option<&str>) -> bool {
    let word = |text: Option<&str>| text.map(|text| unwrapped(text).0.to_lowercase());
    let came_in =
        |direction: String| ["inbound", "incoming"].iter().any(|w| direction.starts_with(w));
    word(status).is_some_and(|status| INBOUND.contains(&status.as_str()))
        || word(direction).is_some_and(came_in)
}

fn is_spreadsheet_error(text: &str) -> bool {
    // A column that was too narrow is written as a row of #; LibreOffice numbers its errors.
    let too_narrow = text.len() >= 3 && text.bytes().all(|byte| byte == b'#');
    let numbered = text.strip_prefix("Err:").is_some_and(is_digits);
    too_narrow
        || numbered
        || SPREADSHEET_ERRORS.iter().any(|error| error.eq_ignore_ascii_case(text))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_zero(text: &str) -> bool {
    is_digits(text) && text.parse() == Ok(0_u32)
}

/// A number with an exponent: `1.55587E+10`, also with a decimal comma.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return false };
    let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let mantissa = unsigned(mantissa);
    is_digits(&unsigned(exponent))
        && mantissa.starts_with(|first: char| first.is_ascii_digit())
        && mantissa.bytes().all(|byte| byte.is_ascii_digit() || b".,".contains(&byte))
}

/// Twilio writes SIDs with a prefix in capitals and digits in lower case. Two spellings of one SID
/// would be two messages, so any other is repaired.
fn sid(
    text: &str,
    prefixes: &[&str],
    what: &str,
) -> Result<Option<(String, &'static str)>, String> {
    let of_prefix = |prefix: &&str| {
        let (start, digits) = text.split_at_checked(prefix.len())?;
        let is_sid = start.eq_ignore_ascii_case(prefix)
            && digits.len() == SID_DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_sid.then(|| format!("{prefix}{}", digits.to_ascii_lowercase()))
    };
    match prefixes.iter().find_map(of_prefix) {
        Some(usual) if usual == text => Ok(None),
        Some(usual) => Ok(Some((usual, "its letters in the other case"))),
        None => {
            let prefixes = prefixes.join(" or ");
            Err(format!("{what} is {prefixes} and {SID_DIGITS} hexadecimal digits"))
        }
    }
}

fn status(text: &str) -> Result<Option<(String, &'static str)>, String> {
    let is_known = |word: &str| {
        Status::parse(word).is_some() || INBOUND.iter().any(|have| have.eq_ignore_ascii_case(word))
    };
    let joined = text.replace([' ', '-'], "_").to_ascii_lowercase();
    match () {
        _ if is_known(text) => Ok(None),
        // Some tools display `Partially delivered`.
        _ if is_known(&joined) => Ok(Some((joined, "a blank for its underscore"))),
        _ => Err("it is none of Twilio's statuses".to_owned()),
    }
}

fn price(text: &str) -> Result<Option<(String, &'static str)>, String> {
    let is_decimal = |text: &str| {
        let (whole, part) = text.strip_prefix('-').unwrap_or(text).split_once(',')?;
        Some(is_digits(whole) && is_digits(part))
    };
    match () {
        _ if is_scientific(text.trim_start_matches('-')) => {
            Err("a spreadsheet made a number with an exponent of it".to_owned())
        }
        // No message costs thousands, so the comma is not a thousands separator.
        _ if is_decimal(text) == Some(true) => {
            Ok(Some((text.replace(',', "."), "a decimal comma")))
        }
        _ => Ok(None),
    }
}

fn api_version(text: &str) -> Result<Option<(String, &'static str)>, String> {
    let mut numbers: Vec<u32> =
        text.split(['-', '/', '.', ' ']).filter_map(|part| part.parse().ok()).collect();
    numbers.sort_unstable();
    for (version, of_date, serial) in API_VERSIONS {
        match text == version {
            true => return Ok(None),
            false if numbers == of_date || text == serial => {
                return Ok(Some((version.to_owned(), "a spreadsheet's date")));
            }
            false => {}
        }
    }
    Err("Twilio's API has the versions 2010-04-01 and 2008-08-01".to_owned())
}
