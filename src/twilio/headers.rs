//! The headers of a request: those that are stored, and those in which proxies name the called URL.

use std::borrow::Cow;

/// The header with the ids of the ledgers that have forwarded a request, in lower case. A ledger rejects a request
/// with its own id, because it would forward it in a circle for ever.
pub const LEDGER_IDS_HEADER: &str = "delivery-ledger-ledger-id";

/// The headers of events, in addition to every `x-twilio-…` and `i-twilio-…`.
const KEPT_HEADERS: [&str; 4] = ["content-type", "user-agent", "x-home-region", LEDGER_IDS_HEADER];

/// True if events are stored with this header, by its name in lower case. Never Authorization or Cookie.
pub fn is_event_header(name: &str) -> bool {
    let twilio = name.starts_with("x-twilio-") || name.starts_with("i-twilio-");
    twilio || KEPT_HEADERS.contains(&name)
}

/// The part of the original request that a proxy names in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Host, with or without a port; several are separated by commas.
    Host,
    /// A port, or several.
    Port,
    /// `http` or `https`, or a flag for encryption.
    Scheme,
    /// A path, a prefix of it, or the whole URL.
    Path,
    /// The elements of RFC 7239.
    Forwarded,
}

/// A header that proxies and platforms set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyHeader {
    /// In its usual spelling; header names are compared case-insensitively.
    pub name: &'static str,
    /// The part of the URL that it names.
    pub says: Says,
}

const fn header(name: &'static str, says: Says) -> ProxyHeader {
    ProxyHeader { name, says }
}

/// Headers that proxies, platforms and frameworks document for the URL that was called. A search tries
/// them in this order, the most common ones first.
pub const PROXY_HEADERS: [ProxyHeader; 51] = [
    header("X-Forwarded-Host", Says::Host),
    header("Forwarded", Says::Forwarded),
    header("X-Original-Host", Says::Host),
    header("X-Real-Host", Says::Host),
    header("Disguised-Host", Says::Host),
    header("X-Envoy-Original-Host", Says::Host),
    header("X-Forwarded-Authority", Says::Host),
    header("X-HTTP-Host-Override", Says::Host),
    header("X-Host", Says::Host),
    header("X-Forwarded-Server", Says::Host),
    header("Host", Says::Host),
    header("X-Forwarded-Port", Says::Port),
    header("X-Original-Port", Says::Port),
    header("X-Real-Port", Says::Port),
    header("X-Original-URL", Says::Path),
    header("X-Original-URI", Says::Path),
    header("X-Rewrite-URL", Says::Path),
    header("X-Forwarded-Uri", Says::Path),
    header("X-Forwarded-Url", Says::Path),
    header("X-Forwarded-Path", Says::Path),
    header("X-Forwarded-Prefix", Says::Path),
    header("X-Envoy-Original-Path", Says::Path),
    header("X-Original-Path", Says::Path),
    header("X-Replaced-Path", Says::Path),
    header("X-MS-Original-URL", Says::Path),
    header("X-WAWS-Unencoded-URL", Says::Path),
    header("X-Request-URI", Says::Path),
    header("X-Request-Path", Says::Path),
    header("X-Real-Uri", Says::Path),
    header("X-Url", Says::Path),
    header("X-Script-Name", Says::Path),
    header("X-Ingress-Path", Says::Path),
    header("X-External-Path", Says::Path),
    header("X-Forwarded-Context", Says::Path),
    header("X-Forwarded-PathBase", Says::Path),
    header("X-Forwarded-BasePath", Says::Path),
    header("X-Matched-Path", Says::Path),
    header("X-Invoke-Path", Says::Path),
    header("X-Forwarded-Proto", Says::Scheme),
    header("X-Forwarded-Protocol", Says::Scheme),
    header("X-Forwarded-Scheme", Says::Scheme),
    header("X-Forwarded-Ssl", Says::Scheme),
    header("X-Original-Proto", Says::Scheme),
    header("X-Original-Scheme", Says::Scheme),
    header("X-Url-Scheme", Says::Scheme),
    header("X-Scheme", Says::Scheme),
    header("Front-End-Https", Says::Scheme),
    header("CloudFront-Forwarded-Proto", Says::Scheme),
    header("CF-Visitor", Says::Scheme),
    header("X-ARR-SSL", Says::Scheme),
    header("X-AppService-Proto", Says::Scheme),
];

/// True if this is one of [`PROXY_HEADERS`].
pub fn is_proxy_header(name: &str) -> bool {
    PROXY_HEADERS.iter().any(|header| header.name.eq_ignore_ascii_case(name))
}

/// A value of one of [`PROXY_HEADERS`] without the network addresses of clients and proxies: of
/// `Forwarded` only `host` and `proto` remain.
pub fn without_addresses<'a>(name: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
    if !name.eq_ignore_ascii_case("forwarded") {
        return Cow::Borrowed(value);
    }
    let text = String::from_utf8_lossy(value);
    let element = |element: &str| {
        let pairs = split_unquoted(element, ';').map(str::trim);
        let kept = pairs.filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            name.eq_ignore_ascii_case("host") || name.eq_ignore_ascii_case("proto")
        });
        kept.collect::<Vec<_>>().join(";")
    };
    let elements = split_unquoted(&text, ',').map(element).collect::<Vec<_>>();
    Cow::Owned(elements.join(", ").into_bytes())
}

/// Splits a header's value at a separator, except inside quoted strings.
pub fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter| {
        let is_escaped = escaped;
        escaped = quoted && !is_escaped && letter == '\\';
        if letter == '"' && !is_escaped {
            quoted = !quoted;
        }
        letter == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::{PROXY_HEADERS, is_event_header, is_proxy_header, without_addresses};

    #[test]
    fn of_forwarded_only_host_and_proto_are_kept() {
        let kept = |value: &str| {
            String::from_utf8(without_addresses("forwarded", value.as_bytes()).into_owned())
        };
        assert_eq!(
            kept(r#"for="[2001:db8::1]:4711"; Host="a,b;c.example" ;proto=https, by=10.0.0.1"#),
            Ok(r#"Host="a,b;c.example";proto=https, "#.to_owned())
        );
        assert_eq!(kept(r#"host="a\";for=1.2.3.4""#), Ok(r#"host="a\";for=1.2.3.4""#.to_owned()));
        assert_eq!(&*without_addresses("host", b"for=1"), b"for=1");
    }

    #[test]
    fn no_header_with_credentials_or_addresses_is_kept() {
        for name in ["authorization", "cookie", "x-forwarded-for", "x-real-ip", "true-client-ip"] {
            assert!(!is_proxy_header(name) && !is_event_header(name), "{name}");
        }
        for (at, header) in PROXY_HEADERS.iter().enumerate() {
            let same = |other: &super::ProxyHeader| other.name.eq_ignore_ascii_case(header.name);
            assert!(!PROXY_HEADERS[..at].iter().any(same), "{} stands there twice", header.name);
        }
    }
}
