//! Checks the public URL, which is otherwise used exactly as given, because Twilio signs it.

use anyhow::{Result, anyhow};

use super::credential;
use super::messages::warn_once;
use crate::twilio::signature::BaseUrl;

/// Reads a public URL. One trailing slash is cut, since a request's path brings its own.
///
/// Twilio signs the URL that it calls, and scheme and host of that are in lower case. One with capitals
/// is taken in lower case first, and as it is given too.
pub fn public_urls(given: &str) -> Result<Vec<BaseUrl>> {
    let url = public_url(given)?;
    let text = url.as_given();
    let path = text.find("://").map_or(0, |at| at + "://".len());
    let path = text[path..].find('/').map_or(text.len(), |at| path + at);
    let lower = format!("{}{}", text[..path].to_ascii_lowercase(), &text[path..]);
    if lower == text {
        return Ok(vec![url]);
    }
    warn_once(format!(
        "DELIVERY_LEDGER_PUBLIC_URL or --public-url: scheme and host of {text} are in lower case where \
         Twilio signs them, so {lower} is checked too: write it so"
    ));
    Ok(BaseUrl::parse(&lower).into_iter().chain([url]).collect())
}

fn public_url(given: &str) -> Result<BaseUrl> {
    let text = given.strip_suffix('/').unwrap_or(given);
    let setting = "DELIVERY_LEDGER_PUBLIC_URL or --public-url";
    let refuse =
        |reason: &str| Err(anyhow!("{setting}: public URL `{}` {reason}", redacted(given)));
    if credential::is_wrapped(given) {
        return refuse("has blanks or quotes around it; leave them out");
    }
    if text.contains('#') {
        return refuse("has a fragment; Twilio never signs one, so leave it out here");
    }
    if text.contains('?') {
        return refuse("has a query; give scheme, host and path prefix only");
    }
    let Some(base) = BaseUrl::parse(text) else {
        return refuse("is not of the form https://host/prefix");
    };
    let (_, rest) = text.split_once("://").expect("a base URL has a scheme");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return refuse(
            "has a user name or password; Twilio drops them before it signs, so leave them out",
        );
    }
    let (host, port) = split_port(authority);
    if host.is_empty() {
        return refuse("has no host");
    }
    if !host.is_ascii() {
        return refuse("has letters in its host name that are not ASCII; write it as xn--…");
    }
    if host.contains('_') {
        return refuse("has an underscore in its host name; Twilio refuses such callback URLs");
    }
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return refuse("has a port that is not a number from 0 to 65535");
    }
    if !url_characters(host) || !url_characters(path) {
        return refuse("has characters that no URL has; percent-encode them");
    }
    Ok(base)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn url_characters(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`".contains(&byte))
}

/// The URL for a message, without a password that may be in it.
pub(super) fn redacted(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let secret_start = url[..at].find("://").map_or(0, |scheme_end| scheme_end + "://".len());
    format!("{}…{}", &url[..secret_start], &url[at..])
}
