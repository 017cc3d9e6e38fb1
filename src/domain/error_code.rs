//! Twilio's error codes and the table of their meanings. The table can be replaced, because Twilio
//! renames titles and adds codes (<https://www.twilio.com/docs/api/errors>).

use std::collections::HashMap;

/// A Twilio error code, 1 to 999,999,999; Twilio writes 0 for no error.
///
/// Codes are shown and grouped, but never affect a status: Twilio says that they may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u32);

impl ErrorCode {
    /// Parses 1 to 9 digits; `None` for anything else and for zero.
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
        digits.then(|| text.parse().ok()).flatten().and_then(Self::from_number)
    }

    /// The code with this number; `None` if the number is 0 or has more than 9 digits.
    pub fn from_number(number: u32) -> Option<Self> {
        (1..=999_999_999).contains(&number).then_some(Self(number))
    }

    /// The code as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// One code per line, with its title and fault.
const BUILT_IN_CSV: &str = include_str!("error_codes.csv");

/// The first line of a table.
const HEADER: [&str; 3] = ["code", "title", "fault"];

/// A table of error codes with their meanings.
#[derive(Debug)]
pub struct ErrorCodes(HashMap<ErrorCode, Meaning>);

/// The meaning of an error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// A short description, as in Twilio's list of error codes.
    pub title: String,
    /// The party that is usually responsible.
    pub fault: Responsibility,
}

/// The party that usually causes an error: a hint where to start looking, not proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Responsibility {
    /// The sender of the message: content, rate, registration, account balance.
    Sender,
    /// The number, handset or person: switched off, landline, unsubscribed.
    Recipient,
    /// The carrier: filtering, blocking, an outage in its network.
    Carrier,
    /// The operator of the channel, such as Meta for WhatsApp.
    Channel,
    /// Twilio itself: an internal error or an outage.
    Twilio,
    /// The setup of the account, its senders or the callback URL.
    Configuration,
    /// The code does not tell.
    Unknown,
}

/// The reason why a table is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct InvalidCodeTable {
    /// The line in the file, from 1.
    pub line: u64,
    /// The reason, with the rejected text.
    pub detail: String,
}

impl Default for ErrorCodes {
    /// The built-in table.
    fn default() -> Self {
        Self::parse(BUILT_IN_CSV).expect("the built-in table is valid")
    }
}

impl ErrorCodes {
    /// Parses CSV with the header `code,title,fault`, in which each code occurs once.
    pub fn parse(text: &str) -> Result<Self, InvalidCodeTable> {
        let mut lines = csv::Reader::from_reader(text.as_bytes());
        let bad = |line, detail| InvalidCodeTable { line, detail };
        let header = lines.headers().map_err(|error| bad(1, error.to_string()))?;
        if !header.iter().eq(HEADER) {
            return Err(bad(1, format!("the header is not {}", HEADER.join(","))));
        }
        let mut table = HashMap::new();
        for record in lines.records() {
            let line_of = |at: Option<&csv::Position>| at.map_or(0, |position| position.line());
            let record =
                record.map_err(|error| bad(line_of(error.position()), error.to_string()))?;
            let line = line_of(record.position());
            let (code, meaning) = parse_record(&record).map_err(|detail| bad(line, detail))?;
            if table.insert(code, meaning).is_some() {
                return Err(bad(line, format!("code {} is listed twice", code.number())));
            }
        }
        Ok(Self(table))
    }

    /// The title of a code, or `unknown code N` if the code is not in the table.
    pub fn title(&self, code: ErrorCode) -> String {
        match self.meaning(code) {
            Some(meaning) => meaning.title.clone(),
            None => format!("unknown code {}", code.number()),
        }
    }

    /// The meaning of a code; `None` if it is not in the table.
    pub fn meaning(&self, code: ErrorCode) -> Option<&Meaning> {
        self.0.get(&code)
    }

    /// The party that usually causes a failure with this code, or with none; unknown if the table does
    /// not say.
    pub fn responsibility(&self, code: Option<ErrorCode>) -> Responsibility {
        let meaning = code.and_then(|code| self.meaning(code));
        meaning.map_or(Responsibility::Unknown, |meaning| meaning.fault)
    }
}

fn parse_record(record: &csv::StringRecord) -> Result<(ErrorCode, Meaning), String> {
    let [code, title, fault] = [0, 1, 2].map(|column| record.get(column).unwrap_or(""));
    let code = ErrorCode::parse(code)
        .ok_or_else(|| format!("`{}` is not a code of 1 to 9 digits", code.escape_debug()))?;
    if title.is_empty() {
        return Err(format!("code {} has no title", code.number()));
    }
    let fault = Responsibility::parse(fault).ok_or_else(|| {
        let names: Vec<_> = Responsibility::ALL.iter().map(|fault| fault.name()).collect();
        format!("fault `{}` is not one of {}", fault.escape_debug(), names.join(", "))
    })?;
    Ok((code, Meaning { title: title.to_owned(), fault }))
}

impl Responsibility {
    /// Every variant.
    pub const ALL: [Responsibility; 7] = [
        Responsibility::Sender,
        Responsibility::Recipient,
        Responsibility::Carrier,
        Responsibility::Channel,
        Responsibility::Twilio,
        Responsibility::Configuration,
        Responsibility::Unknown,
    ];

    /// The variant with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The name used in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Responsibility::Sender => "sender",
            Responsibility::Recipient => "recipient",
            Responsibility::Carrier => "carrier",
            Responsibility::Channel => "channel",
            Responsibility::Twilio => "twilio",
            Responsibility::Configuration => "configuration",
            Responsibility::Unknown => "unknown",
        }
    }
}
