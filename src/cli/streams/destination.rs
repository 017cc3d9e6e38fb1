//! The URLs at which a ledger receives events of Event Streams, and whether a sink sends to one of them.

use anyhow::{Result, bail};

use super::UsageError;
use crate::checks::configuration::url::{host, is_https, is_reachable};
use crate::config::Settings;

/// The only URL; several public URLs are wrong usage.
pub fn only(settings: &Settings) -> Result<String> {
    let [public_url] = &public_urls(settings)?[..] else {
        let all = public_urls(settings)?.join(", ");
        let text = format!("there are several public URLs: {all}; choose one with --public-url");
        return Err(UsageError(text).into());
    };
    refuse_unreachable(public_url)?;
    Ok(format!("{public_url}{}", path(settings)?))
}

/// The URL below each public URL that Twilio can reach; it is an error if there is none.
pub fn all(settings: &Settings) -> Result<Vec<String>> {
    let path = path(settings)?;
    let public_urls = public_urls(settings)?;
    let reachable = public_urls.iter().filter(|url| refuse_unreachable(url).is_ok());
    let all: Vec<_> = reachable.map(|url| format!("{url}{path}")).collect();
    if let ([], Some(first)) = (&all[..], public_urls.first()) {
        refuse_unreachable(first)?;
    }
    Ok(all)
}

/// True if both are the same URL to Twilio: the query, the letter case of scheme and host, and a port that
/// the scheme implies make no difference.
pub fn is_same(one: &str, other: &str) -> bool {
    comparable(one) == comparable(other)
}

/// The public URLs, at least one. One with capitals is among them in lower case, too.
fn public_urls(settings: &Settings) -> Result<Vec<String>> {
    let mut distinct: Vec<String> = Vec::new();
    for url in settings.public_urls()? {
        if !distinct.iter().any(|have| is_same(have, url.as_given())) {
            distinct.push(url.as_given().to_owned());
        }
    }
    if distinct.is_empty() {
        bail!(
            "Twilio has to know where to send events: set DELIVERY_LEDGER_PUBLIC_URL or --public-url to \
             the URL under which it reaches serve"
        );
    }
    Ok(distinct)
}

fn path(settings: &Settings) -> Result<String> {
    Ok(settings.event_streams_path()?.as_given().to_owned())
}

fn refuse_unreachable(public_url: &str) -> Result<()> {
    let host = host(public_url);
    if !is_reachable(host) {
        bail!(
            "public URL `{public_url}`: Twilio cannot reach {host} over the internet; use the public host \
             name of the proxy in front of the server"
        );
    }
    if !is_https(public_url) {
        bail!(
            "public URL `{public_url}` is not https: events contain addresses and the text of messages; \
             terminate TLS in a proxy in front, and use https"
        );
    }
    Ok(())
}

fn comparable(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let implied = if scheme == "https" { ":443" } else { ":80" };
    let authority = authority.strip_suffix(implied).unwrap_or(&authority);
    format!("{scheme}://{authority}{path}")
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn a_sink_sends_to_a_destination_if_scheme_host_port_and_path_are_the_same() {
        let ours = "https://hooks.example.com/event-streams";
        for same in [
            ours,
            "https://Hooks.example.com:443/event-streams",
            "HTTPS://hooks.example.com/event-streams?tenant=7",
        ] {
            assert!(is_same(ours, same), "{same}");
        }
        for other in [
            "http://hooks.example.com/event-streams",
            "https://hooks.example.com:8443/event-streams",
            "https://hooks.example.com/Event-streams",
            "https://hooks.example.com/event-streams/",
            "https://hooks.example.com.evil.example/event-streams",
        ] {
            assert!(!is_same(ours, other), "{other}");
        }
    }
}
