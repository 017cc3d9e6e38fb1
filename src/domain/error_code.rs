//! Twilio's error codes, and the table of their meanings. The table is replaceable data, because
//! Twilio renames titles and adds codes (<https://www.twilio.com/docs/api/errors>).

use std::collections::HashMap;

/// An ErrorCode of 1 to 9 digits, of which at least one is not 0: Twilio writes 0 for no error.
/// ReportedCodes are shown and grouped; none of them ever moves a status, since Twilio calls them subject to
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
        digits.then(|| text.parse().ok()).flatten().and_then(Self::from_number)
    }

    /// The code with this number, which has at most 9 digits and is not 0.
    pub fn from_number(number: u32) -> Option<Self> {
        (1..=999_999_999).contains(&number).then_some(Self(number))
    }

    /// The code as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

/// Code, title and fault, one a line.
const BUILT_IN_CSV: &str = include_str!("error_codes.csv");

/// What a table begins with.
const HEADER: [&str; 3] = ["code", "title", "fault"];

/// What is known of error codes.
#[derive(Debug)]
pub struct ErrorCodes(HashMap<ErrorCode, Meaning>);

/// What one code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    pub title: String,
    pub fault: Responsibility,
}

/// Whose fault it usually is. It says where to begin to look, and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Responsibility {
    /// Who sent the message: its content, its pace, its registration, its money.
    Sender,
    /// The number, its handset, or the person: switched off, landline, unsubscribed.
    Recipient,
    Carrier,
    /// What lies behind the channel, such as Meta behind WhatsApp.
    Channel,
    Twilio,
    /// How the account, its senders or the address for callbacks are set up.
    Configuration,
    Unknown,
}

/// Why a table cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {detail}")]
pub struct InvalidCodeTable {
    pub line: u64,
    pub detail: String,
}

impl Default for ErrorCodes {
    /// The built-in table.
    fn default() -> Self {
        Self::parse(BUILT_IN_CSV).expect("the built-in table is valid, as a test checks")
    }
}

impl ErrorCodes {
    /// Reads CSV with the header `code,title,fault`. A code stands in it once.
    pub fn parse(text: &str) -> Result<Self, InvalidCodeTable> {
        let mut lines = csv::Reader::from_reader(text.as_bytes());
        let bad = |line, detail| InvalidCodeTable { line, detail };
        let header = lines.headers().map_err(|error| bad(1, error.to_string()))?;
        if !header.iter().eq(HEADER) {
            return Err(bad(1, format!("the header is not {}", HEADER.join(","))));
        }
        let mut table = HashMap::new();
        for record in lines.records() {
            let line_of = |position: Option<&csv::Position>| position.map_or(0, |at| at.line());
            let record =
                record.map_err(|error| bad(line_of(error.position()), error.to_string()))?;
            let line = line_of(record.position());
            let (code, meaning) = read(&record).map_err(|detail| bad(line, detail))?;
            if table.insert(code, meaning).is_some() {
                return Err(bad(line, format!("code {} stands there twice", code.number())));
            }
        }
        Ok(Self(table))
    }

    /// The title of a code, or `unknown code N` if the table does not have it.
    pub fn title(&self, code: ErrorCode) -> String {
        match self.meaning(code) {
            Some(meaning) => meaning.title.clone(),
            None => format!("unknown code {}", code.number()),
        }
    }

    /// The meaning of a code; `None` if the table does not have it.
    pub fn meaning(&self, code: ErrorCode) -> Option<&Meaning> {
        self.0.get(&code)
    }
}

fn read(record: &csv::StringRecord) -> Result<(ErrorCode, Meaning), String> {
    let [code, title, fault] = [0, 1, 2].map(|column| record.get(column).unwrap_or(""));
    let code = ErrorCode::parse(code)
        .ok_or_else(|| format!("`{}` is not a code of 1 to 9 digits", code.escape_debug()))?;
    if title.is_empty() {
        return Err(format!("code {} has no title", code.number()));
    }
    let fault = Responsibility::parse(fault).ok_or_else(|| {
        let names: Vec<_> = Responsibility::ALL.iter().map(|fault| fault.name()).collect();
        format!("fault `{}` is none of {}", fault.escape_debug(), names.join(", "))
    })?;
    Ok((code, Meaning { title: title.to_owned(), fault }))
}

impl Responsibility {
    /// All of them.
    pub const ALL: [Responsibility; 7] = [
        Responsibility::Sender,
        Responsibility::Recipient,
        Responsibility::Carrier,
        Responsibility::Channel,
        Responsibility::Twilio,
        Responsibility::Configuration,
        Responsibility::Unknown,
    ];

    /// The fault with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }

    /// The word for it in tables.
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
