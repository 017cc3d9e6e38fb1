//! The URL of a target.

use anyhow::Result;

use super::value::Value;
use crate::config::{credential, url};
use crate::forward::address::{Url, is_link_local, literal_address};

/// A URL for errors about missing ones.
pub const EXAMPLE: &str = "https://app.example.com/twilio/status";

/// Reads the URL of a target.
///
/// # Errors
///
/// It is not an http or https URL, has a user name, a password, a fragment or characters that would be left
/// out, or a link-local address without permission.
pub fn target_url(given: &Value<'_>, allow_link_local: bool) -> Result<Url> {
    let Some(text) = given.text() else {
        return Err(given.error(&format!("is not a URL, such as {EXAMPLE}")));
    };
    parse(text, allow_link_local).map_err(|reason| given.error_in(&shown(text), &reason))
}

/// Reads a URL to send events to. The error completes a sentence that begins with the URL.
pub fn parse(text: &str, allow_link_local: bool) -> Result<Url, String> {
    if credential::is_wrapped(text) {
        return Err("has blanks or quotes around it; leave them out".to_owned());
    }
    // A parser of URLs corrects all of these without a word, and something else is called.
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control() || letter == '\\') {
        return Err("has blanks or backslashes in it; percent-encode them".to_owned());
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        return Err(format!("does not begin with http:// or https://, as {EXAMPLE} does"));
    }
    let url: Url = text.parse().map_err(|reason| format!("is not a URL: {reason}"))?;
    if text.split('#').count() > 1 {
        return Err("has a fragment, which is never sent; leave it out".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() || has_at_sign(text) {
        return Err("has a user name or password, which is not sent; leave them out".to_owned());
    }
    if url.port() == Some(0) {
        return Err("has port 0, on which nothing can be reached".to_owned());
    }
    if !allow_link_local && literal_address(&url).is_some_and(is_link_local) {
        return Err(
            "has a link-local address, where clouds keep the credentials of the machine; set \
                    allow_link_local = true if the application is really there"
                .to_owned(),
        );
    }
    Ok(url)
}

/// True if there is an @ before the path: `https://@host` has an empty user name.
fn has_at_sign(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.contains('@')
}

/// The URL for a message: without a password, and without the query, which may contain a token.
pub fn shown(url: &str) -> String {
    let before = url.split_once('?').map(|(before, _)| format!("{before}?…"));
    url::redacted(before.as_deref().unwrap_or(url))
}
