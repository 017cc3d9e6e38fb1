//! What Twilio says of a request that it does not carry out, and what can be done about it.

use std::fmt;

use serde::Deserialize;

use super::Answer;

/// How many characters of Twilio's message are repeated: its longest are half as long.
const MESSAGE_CHARACTERS_MAX: usize = 500;

/// An answer that is an error (<https://www.twilio.com/docs/usage/twilios-response#errors>).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status_code: u16,
    /// Twilio's error code.
    pub code: Option<u32>,
    /// Twilio's own words, without control characters.
    pub message: Option<String>,
    /// Where Twilio explains the error.
    pub more_info: Option<String>,
}

#[derive(Deserialize, Default)]
struct Body {
    code: Option<u32>,
    message: Option<String>,
    more_info: Option<String>,
}

impl Refusal {
    /// Reads an answer; what something on the way answered has neither code nor message.
    pub fn of(answer: &Answer) -> Self {
        let body: Body = serde_json::from_slice(&answer.body).unwrap_or_default();
        let clean = |text: String| {
            let shown = text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARACTERS_MAX);
            Some(shown.collect::<String>().trim().to_owned()).filter(|text| !text.is_empty())
        };
        Self {
            status_code: answer.status_code,
            code: body.code,
            message: body.message.and_then(clean),
            more_info: body.more_info.and_then(clean),
        }
    }

    /// Twilio's words, where it explains them, and what to do; `None` if there is nothing to say.
    pub fn explained(&self) -> Option<String> {
        let parts = [
            self.message.clone().map(|message| message.trim_end_matches('.').to_owned()),
            self.more_info.as_ref().map(|url| format!("see {url}")),
            self.advice().map(str::to_owned),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// What whoever operates the ledger can do.
    pub fn advice(&self) -> Option<&'static str> {
        let too_far_back = self.message.as_deref().is_some_and(|text| text.contains("400 days"));
        Some(match (self.code, self.status_code) {
            _ if too_far_back => "ask for a later time (--since)",
            (Some(20003), _) | (_, 401) => {
                "check the account SID and its auth token, or the API key and its secret; another \
                 region has its own (TWILIO_REGION)"
            }
            (Some(20005), _) => "the account is not active: look into Twilio's Console",
            (Some(20008), _) => "these are test credentials: use the live ones",
            (_, 403) => "the API key may not be allowed to read messages: check its permissions",
            (Some(20404), _) | (_, 404) => {
                "check the account SID, and the region that the messages are kept in \
                 (TWILIO_REGION)"
            }
            (Some(20429), _) | (_, 429) => "try again later, with fewer requests at a time",
            (_, 500..) => "try again later; https://status.twilio.com tells of disturbances",
            _ => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status_code)?;
        if let Some(code) = self.code {
            write!(f, ", error {code}")?;
        }
        match self.explained() {
            Some(explained) => write!(f, ": {explained}"),
            None => Ok(()),
        }
    }
}
