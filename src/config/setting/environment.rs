//! The environment variables, for help pages: those of the settings, and those that are no settings.

use super::Setting;

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name; with `, …_FILE` if another one may name a file that contains the value.
    pub name: String,
    /// What it sets.
    pub about: String,
}

/// The variables of an account, whose settings in the file are a section.
pub const ACCOUNT_VARIABLES: [(&str, &str); 3] = [
    ("TWILIO_ACCOUNT_SID", "The account"),
    ("TWILIO_AUTH_TOKEN, …_FILE", "Its auth token"),
    ("TWILIO_AUTH_TOKEN_SECONDARY, …_FILE", "Its secondary auth token"),
];

/// The variables of Twilio's own libraries that settings fall back to.
pub const API_VARIABLES: [(&str, &str); 3] = [
    ("TWILIO_API_KEY", "An API key for Twilio, instead of the auth token"),
    ("TWILIO_REGION", "The region of Twilio's API, such as ie1"),
    ("TWILIO_EDGE", "The edge of Twilio's API, such as dublin"),
];

/// The variables of other programs for long output.
pub const PAGER_VARIABLES: [(&str, &str); 2] = [
    ("PAGER", "The pager, if DELIVERY_LEDGER_PAGER is not set"),
    ("LESS", "The options of less [default: FRX]"),
];

/// What other programs observe on a terminal too.
pub const TERMINAL_VARIABLES: [(&str, &str); 3] = [
    ("NO_COLOR", "No colours, if it is set"),
    ("CLICOLOR_FORCE", "Colours in files and pipes too, if it is set"),
    ("COLUMNS", "The width of the terminal"),
];

impl Variable {
    /// The variable of a setting; `None` if it has none.
    pub fn of(setting: &Setting) -> Option<Self> {
        let variable = setting.variable?;
        let in_file = format!("{variable}_FILE");
        let has_file = setting.other_variables.contains(&in_file.as_str());
        let default = setting.default.map(|default| format!(" [default: {default}]"));
        Some(Self {
            name: format!("{variable}{}", if has_file { ", …_FILE" } else { "" }),
            about: format!("{}{}", setting.about, default.unwrap_or_default()),
        })
    }
}

impl From<(&str, &str)> for Variable {
    fn from((name, about): (&str, &str)) -> Self {
        Self { name: name.to_owned(), about: about.to_owned() }
    }
}
