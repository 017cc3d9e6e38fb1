//! The public URL: taken as it is given, because it is what Twilio signed.

use anyhow::{Result, anyhow};

use crate::twilio::signature::BaseUrl;

/// Reads a public URL. One trailing slash is cut, since a request's path brings its own.
pub fn public_url(given: &str) -> Result<BaseUrl> {
    let text = given.strip_suffix('/').unwrap_or(given);
    let setting = "DELIVERY_LEDGER_PUBLIC_URL or --public-url";
    let refuse =
        |reason: &str| Err(anyhow!("{setting}: public URL `{}` {reason}", redacted(given)));
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
fn redacted(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let secret_start = url[..at].find("://").map_or(0, |scheme_end| scheme_end + "://".len());
    format!("{}…{}", &url[..secret_start], &url[at..])
}
