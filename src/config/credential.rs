//! Checks account SIDs, tokens and keys for the usual copying mistakes. Unambiguous ones are
//! corrected, others rejected; no message repeats what may be a secret.

use std::path::Path;

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};

use super::messages::warn_once;

/// Twilio's auth tokens, and what is behind the two letters of a SID, are this many hex digits.
const HEX_DIGITS: usize = 32;

/// Quotation marks that shells, files and word processors put around a text.
const QUOTES: [char; 8] = ['"', '\'', '`', '“', '”', '‘', '’', '„'];

/// What people write where a value has to be put in, in lower case.
const PLACEHOLDERS: [&str; 9] =
    ["your_", "your-", "yourauth", "auth_token", "authtoken", "xxxx", "changeme", "<", "${"];

/// Reads a secret. One trailing line end is removed.
pub fn read_file(setting: &str, path: &Path) -> Result<SecretString> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{setting}: cannot read the secret in {}", path.display()))?;
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let secret = text.strip_suffix('\n').unwrap_or(text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        bail!("{setting}: {} is empty; it should hold the secret and nothing else", path.display());
    }
    Ok(SecretString::from(secret.to_owned()))
}

/// An auth token. Blanks, line ends, a byte order mark or quotes around one of Twilio's form are left
/// out, with a warning.
pub fn auth_token(setting: &str, secret: SecretString) -> Result<SecretString> {
    let text = secret.expose_secret();
    if is_token(text) {
        return Ok(secret);
    }
    let bare = bare(text);
    if is_token(bare) {
        warn_once(format!(
            "{setting}: the token has blanks or quotes around it, which are left out: remove them"
        ));
        return Ok(SecretString::from(bare.to_owned()));
    }
    if is_sid("AC", bare) {
        bail!(
            "{setting}: this is an account SID (AC…), not a token: SID and token are swapped, or the \
             SID was copied for both"
        );
    }
    if let Some(kind) = kind_of_sid(bare) {
        bail!("{setting}: this is the SID of {kind}, not an account's auth token");
    }
    if is_placeholder(bare) {
        bail!("{setting}: this is a placeholder; put in the auth token from Twilio's Console");
    }
    if text.chars().any(|letter| is_blank(letter) || QUOTES.contains(&letter)) {
        bail!(
            "{setting}: the token has blanks or quotes in it; it is {HEX_DIGITS} hexadecimal digits \
             and nothing else"
        );
    }
    Ok(secret)
}

/// A secret without a form of its own: only what certainly does not belong to it is noticed.
pub fn secret(setting: &str, secret: SecretString) -> Result<SecretString> {
    let text = secret.expose_secret();
    if bare(text) != text {
        bail!("{setting}: the secret has blanks or quotes around it; leave them out");
    }
    Ok(secret)
}

/// Makes sure that this can be an account's SID.
pub fn account_sid(setting: &str, sid: &str) -> Result<()> {
    if is_sid("AC", sid) {
        return Ok(());
    }
    if is_token(bare(sid)) {
        bail!(
            "{setting}: this has the form of an auth token, and an account SID is AC and {HEX_DIGITS} \
             hexadecimal digits: are SID and token swapped?"
        );
    }
    if bare(sid) != sid {
        bail!("{setting}: the account SID has blanks or quotes around it; leave them out");
    }
    if sid.starts_with("SK") {
        bail!(
            "{setting}: `{sid}` is an API key's SID; set it as TWILIO_API_KEY, and the account's own \
             SID (AC…) here"
        );
    }
    if let Some(kind) = kind_of_sid(sid) {
        bail!("{setting}: `{sid}` is the SID of {kind}, not of an account (AC…)");
    }
    bail!(
        "{setting}: `{sid}` is not an account SID, which is AC and {HEX_DIGITS} hexadecimal digits"
    );
}

/// Makes sure that this can be who a request to Twilio's API comes from.
pub fn api_key(setting: &str, key: &str) -> Result<()> {
    if is_token(bare(key)) {
        bail!("{setting}: this has the form of a secret; an API key's SID begins with SK");
    }
    if bare(key) != key {
        bail!("{setting}: the API key has blanks or quotes around it; leave them out");
    }
    if !key.starts_with("SK") && !key.starts_with("AC") {
        bail!("{setting}: `{key}` is not an API key's SID, which begins with SK");
    }
    Ok(())
}

/// Whether blanks or quotes stand around a text.
pub fn is_wrapped(text: &str) -> bool {
    bare(text) != text
}

/// The text without blanks, and without quotes at both ends.
fn bare(text: &str) -> &str {
    let trimmed = text.trim_matches(is_blank);
    let unquoted = trimmed.strip_prefix(QUOTES).and_then(|text| text.strip_suffix(QUOTES));
    unquoted.map_or(trimmed, |text| text.trim_matches(is_blank))
}

/// White space, and what is as invisible: a byte order mark, zero-width characters.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || letter.is_control()
        || matches!(letter, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}')
}

/// Whether a text has the form of an auth token, and must not be repeated.
pub fn is_token(text: &str) -> bool {
    text.len() == HEX_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// True if a text has the form of Twilio's SIDs: two capital letters and 32 hexadecimal digits.
pub fn has_form_of_sid(text: &str) -> bool {
    text.split_at_checked(2).is_some_and(|(letters, digits)| {
        letters.bytes().all(|byte| byte.is_ascii_uppercase()) && is_token(digits)
    })
}

fn is_sid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(is_token)
}

/// What kinds of SIDs begin with, as far as people mistake them.
fn kind_of_sid(text: &str) -> Option<&'static str> {
    const KINDS: [(&str, &str); 8] = [
        ("AC", "an account"),
        ("SK", "an API key"),
        ("MG", "a messaging service"),
        ("SM", "a message"),
        ("MM", "a message"),
        ("PN", "a phone number"),
        ("VA", "a Verify service"),
        ("HX", "a content template"),
    ];
    KINDS.into_iter().find(|(prefix, _)| is_sid(prefix, text)).map(|(_, kind)| kind)
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_lowercase();
    lower.contains('…') || PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder))
}
