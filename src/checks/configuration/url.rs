//! Checks on the URL that Twilio calls, and on the connection overrides in it.

use std::net::IpAddr;

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::Source;
use crate::twilio::form::is_in_order_of_names;

/// Checks that Twilio can reach the public URL, as far as its form shows.
pub fn public(context: &CheckContext) -> Vec<Finding> {
    let Ok(urls) = context.settings.public_urls() else {
        return Vec::new();
    };
    if urls.is_empty() && context.unreadable.is_some() {
        return Vec::new();
    }
    if urls.is_empty() {
        return vec![Finding::warn(
            "none is configured, so signatures are checked against the listening address",
            "set DELIVERY_LEDGER_PUBLIC_URL to exactly the URL that Twilio calls",
        )];
    }
    urls.iter().map(|url| of_url(url.as_given())).collect()
}

fn of_url(url: &str) -> Finding {
    let host = host(url);
    if !is_reachable(host) {
        return Finding::warn(
            format!("{url}: Twilio cannot reach {host} over the internet"),
            "use the public host name of the proxy in front of the server",
        );
    }
    if is_https(url) {
        return Finding::ok(url);
    }
    Finding::warn(
        format!("{url} is not https: Twilio sends callbacks, including addresses, unencrypted"),
        "terminate TLS in a proxy in front, and use https here and at Twilio",
    )
}

/// True if the scheme of a URL is https.
pub fn is_https(url: &str) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
}

/// The host of a URL, without its port.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

/// True if a host looks public. Nothing is looked up.
pub fn is_reachable(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => {
            !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified())
        }
        Ok(IpAddr::V6(v6)) => {
            !(v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_unspecified())
        }
        Err(_) => {
            let inside = [".local", ".localhost", ".internal", ".lan", ".home.arpa"];
            host.contains('.') && !inside.iter().any(|end| host.ends_with(end))
        }
    }
}

/// Checks that the callback URL of messages has connection overrides that make Twilio retry.
pub fn callback(context: &CheckContext) -> Vec<Finding> {
    if context.unreadable.is_some() {
        return Vec::new();
    }
    let overrides = context.settings.callback_overrides();
    let has = |name: &str, value: &str| {
        let mut pairs = overrides.split('&').filter_map(|pair| pair.split_once('='));
        pairs.any(|(have, given)| have == name && given.split(',').any(|one| one == value))
    };
    let Ok(url) = context.settings.status_callback() else { return Vec::new() };
    let retried = (1..=5).any(|count: u8| has("rc", &count.to_string()));
    vec![match retried && (has("rp", "all") || has("rp", "5xx")) {
        true => {
            Finding::ok(format!("{url} for messages, and for the Messaging Service's callback"))
        }
        false => Finding::warn(
            format!("{url}: Twilio does not retry after a 503 or a timeout"),
            "end the callback URL in #rc=5&rp=all, here (callback_overrides) and at Twilio",
        ),
    }]
}

/// Checks that the query parameters of callback URLs are sorted by name, so that sorting them again
/// does not invalidate the signature.
pub fn query(context: &CheckContext) -> Vec<Finding> {
    let callbacks = context.last_events().iter().filter(|event| event.source == Source::Callback);
    let queries: Vec<_> =
        callbacks.filter_map(|event| event.url.split_once('?').map(|(_, query)| query)).collect();
    match queries.iter().filter(|query| !is_in_order_of_names(query)).count() {
        0 => Vec::new(),
        unordered => vec![Finding::warn(
            format!(
                "{unordered} of the last callbacks have query parameters that are not sorted by name"
            ),
            "sort them by name in callback URLs: if a proxy, or Twilio itself, sorts the query, the \
             signature does not match any more",
        )],
    }
}

#[cfg(test)]
mod tests {
    use super::is_reachable;

    #[test]
    fn a_host_is_reachable_where_it_is_one_of_the_internet() {
        for host in ["hooks.example.com", "203.0.113.7", "[2001:db8::1]"] {
            assert!(is_reachable(host), "{host}");
        }
        for host in [
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.2",
            "[::1]",
            "[fd00::1]",
            "ledger",
            "a.local",
        ] {
            assert!(!is_reachable(host), "{host}");
        }
    }
}
