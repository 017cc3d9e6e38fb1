//! The commented configuration file that `init` writes: every setting with what it is and its default,
//! from the declarations.
//!
//! A line of prose begins with `# `, a setting that is not in effect with `#` alone, so that removing
//! that mark puts it into effect.

use std::fmt::Write;

use toml::Value;

use crate::config::setting::Form::{self, Bool, EnvironmentOnly, List, Number, Special, Text};
use crate::config::setting::declarations::SETTINGS;
use crate::config::setting::{Flags, Setting};

const HEAD: &str = "\
# The configuration of delivery-ledger, with every setting and its default.
#
# Remove the mark in front of a setting, as of #listen, to change it; then `delivery-ledger config show`
# shows what is in effect, and what is invalid. A flag takes precedence over an environment variable, a
# variable over this file, and this file over the default.
#
# A time is a number and s, m, h, d or w. Several values are a list: [\"one\", \"another\"].
# Secrets are best in files of their own, which only the server can read; their paths are relative to
# this file. docs/operations/settings.md and configuration.md say more.
";

const ACCOUNTS: &str = "
# A Twilio account, which signs its callbacks with its auth token; one section for each account. The
# account may be in the environment instead: TWILIO_ACCOUNT_SID, and TWILIO_AUTH_TOKEN or
# TWILIO_AUTH_TOKEN_FILE.
";

const ACCOUNT_KEYS: &str = r#"
# What people call the account; it is shown, and accepted, instead of the SID.
#name = "shop-eu"

# The file that holds the secondary auth token, during a rotation.
#auth_token_secondary_file = "twilio-auth-token-secondary"

# The tokens of other regions and shared keys, each with a name and its file.
#auth_tokens = { ie1 = "twilio-auth-token-ie1" }
#shared_keys = { webhooks_sharedkey_01 = "twilio-shared-key" }

# Whether the account's subaccounts, with their tokens, are fetched from Twilio.
#subaccounts = true

# The account that this one is a subaccount of: its Event Streams may report on this account.
#parent = "ACfedcba9876543210fedcba9876543210"

# auth_token and auth_token_secondary, without _file, would be the tokens themselves.
"#;

const API_TOKENS: &str = r#"
# A token of the admin API with a name of your own, and what its holder may do: read or read:masked,
# find, send, operate. One section for each; delivery-ledger reads the token from its file.
#[api_tokens.support]
#token_file = "support-token"
#scope = "read:masked"
"#;

const WITNESSES: &str = r#"
# Somebody else who cosigns seals after checking that the log has only grown (C2SP tlog-witness); one section for
# each. docs/operations/seals.md says more.
#[[seal.witnesses]]
#key = "witness.example.com+08ec7c3a+BJmW4A/ZY+VBLwYr1YmSu8aMPI84ZHD4DiJbEEsY7IyY"
#url = "https://witness.example.com"
"#;

const FORWARD: &str = r#"
# An application that events are forwarded to, with a name of your own; one section for each. Conditions
# (account, path, tags, status, source) may be left out; an event has to meet all of them.
# docs/operations/forwarding.md says more.
#[forward.orders]
#url = "https://app.example.com/twilio/status"
#account = "AC0123456789abcdef0123456789abcdef"
#path = "/message-status"
#tags = { campaign = "spring" }
#status = "delivered"
#source = "callback"

# all, or advanced: only events that moved their message to another status.
#events = "all"

# Where it begins when it is started for the first time: now, start, or after a position.
#from = "now"

# request: the request as it arrived, signed anew; or message: the message as JSON, signed with a secret,
# which is in secret_file. secret, without _file, would be the secret itself.
#format = "message"
#secret_file = "orders-secret"

# How long an event is tried again, the time limit of one request, and the requests at the same time.
#give_up_after = "3d"
#timeout = "35s"
#requests = 32

# Whether the URL may have a link-local address, where clouds keep the credentials of the machine.
#allow_link_local = false
"#;

/// An account whose SID looks like one.
const EXAMPLE_SID: &str = "AC0123456789abcdef0123456789abcdef";

/// The account to put into the file.
#[derive(Debug, Clone, Copy)]
pub struct TemplateAccount<'a> {
    /// The account's SID.
    pub sid: &'a str,
    /// The file with its auth token, relative to the configuration file; `None` if the section is to be
    /// completed by hand or the environment has the account.
    pub auth_token_file: Option<&'a str>,
}

/// The file, with these flags' values and this account in effect, and everything else as a comment.
pub fn template(flags: &Flags, account: Option<TemplateAccount>) -> String {
    let mut text = HEAD.to_owned();
    // Other secrets are below, with the sections of their own.
    let is_here = |setting: &&Setting| setting.form != Special || setting.example.is_some();
    let (top, in_sections): (Vec<&Setting>, Vec<_>) =
        SETTINGS.iter().copied().filter(is_here).partition(|setting| !setting.key.contains('.'));
    top.iter().for_each(|setting| add(&mut text, setting, flags));
    let mut section = "";
    for setting in in_sections {
        let (of, _) = setting.key.split_once('.').expect("its key has a section");
        if of != section {
            section = of;
            write!(text, "\n[{section}]\n").expect("a String takes every text");
        }
        add(&mut text, setting, flags);
    }
    text.push_str(ACCOUNTS);
    let (mark, sid, file) = match account {
        Some(TemplateAccount { sid, auth_token_file: Some(file) }) => ("", sid, file),
        Some(TemplateAccount { sid, auth_token_file: None }) => ("#", sid, AUTH_TOKEN_FILE),
        None => ("#", EXAMPLE_SID, AUTH_TOKEN_FILE),
    };
    let file = Value::from(file);
    write!(text, "{mark}[accounts.{sid}]\n{mark}auth_token_file = {file}\n")
        .expect("a String takes every text");
    text.push_str(ACCOUNT_KEYS);
    text.push_str(API_TOKENS);
    text.push_str(FORWARD);
    text.push_str(WITNESSES);
    text
}

/// What the file with the auth token is called, next to the configuration file.
pub const AUTH_TOKEN_FILE: &str = "twilio-auth-token";

/// One setting: what it is, its other names, and the line that sets it.
fn add(text: &mut String, setting: &Setting, flags: &Flags) {
    let Setting { key, about, note, form, .. } = setting;
    // In the file, several values are a list.
    let about = about.replace(", separated by commas", "");
    let key = key.rsplit('.').next().unwrap_or(key);
    let other_names: Vec<_> = [setting.flag, setting.variable].into_iter().flatten().collect();
    let other_names = match other_names.is_empty() {
        true => String::new(),
        false => format!(" ({})", other_names.join(", ")),
    };
    write!(text, "\n# {about}{other_names}.\n").expect("a String takes every text");
    for line in note.lines() {
        writeln!(text, "# {line}").expect("a String takes every text");
    }
    let chosen = setting.flag.and_then(|flag| flags.values(flag));
    let example = || setting.default.or(setting.example);
    let (mark, value) = match (chosen, example()) {
        (Some([one]), _) => ("", one_value(*form, one)),
        (Some(many), _) => ("", list(many.iter().map(String::as_str))),
        (None, Some(example)) => ("#", one_or_many(*form, example)),
        (None, None) => return,
    };
    if setting.default.is_none() && chosen.is_none() {
        text.push_str("# There is no default; for example:\n");
    }
    writeln!(text, "{mark}{key} = {value}").expect("a String takes every text");
}

fn one_or_many(form: Form, text: &str) -> String {
    match form {
        List if text.contains(", ") => list(text.split(", ")),
        form => one_value(form, text),
    }
}

fn one_value(form: Form, text: &str) -> String {
    match form {
        Text | List | Special | EnvironmentOnly => Value::from(text).to_string(),
        Number | Bool => text.to_owned(),
    }
}

fn list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    Value::from(texts.map(str::to_owned).collect::<Vec<_>>()).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{AccountEntry, ApiTokenEntry, ConfigFile, ForwardEntry};
    use super::{SETTINGS, template};
    use crate::config::Flags;
    use crate::config::setting::Form;

    #[test]
    fn it_has_every_setting_and_every_key_of_an_account_of_a_token_and_of_a_target() {
        let text = template(&Flags::default(), None);
        let has_line = |key: &str| text.contains(&format!("\n#{key} = "));
        for setting in SETTINGS.iter().filter(|setting| setting.form != Form::EnvironmentOnly) {
            let key = setting.key.rsplit('.').next().unwrap();
            match key {
                "api_token" | "api_tokens" | "forward" | "witnesses" => assert!(text.contains(key)),
                _ => assert!(has_line(key) && !setting.about.is_empty(), "{key}"),
            }
        }
        // The parser names every key that it knows.
        let account = toml::from_str::<AccountEntry>("no = 1").unwrap_err().to_string();
        let token = toml::from_str::<ApiTokenEntry>("no = 1").unwrap_err().to_string();
        let target = toml::from_str::<ForwardEntry>("no = 1").unwrap_err().to_string();
        for key in
            [account, token, target].iter().flat_map(|error| error.split('`').skip(3).step_by(2))
        {
            assert!(
                has_line(key)
                    || text.contains(&format!("{key} and "))
                    || text.contains(&format!(" {key},")),
                "{key}"
            );
        }
    }

    #[test]
    fn as_it_is_it_sets_nothing() {
        let file: ConfigFile = toml::from_str(&template(&Flags::default(), None)).unwrap();
        assert!(file.values.is_empty() && file.accounts.is_empty() && file.api_tokens.is_empty());
        assert!(file.forward.is_empty());
    }
}
