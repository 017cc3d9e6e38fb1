//! Hints about the URL that was called, from the headers that proxies set. They are not trusted, only
//! tried: the signature decides.

use std::borrow::Cow;

use crate::twilio::headers::{PROXY_HEADERS, Says, split_unquoted};

/// Maximum number of hosts, ports and paths that are tried, of each; a sender may name any number.
const NAMED_MAX: usize = 8;

/// Longer header values are ignored: Twilio calls no URL of more than 4,000 characters.
const VALUE_BYTES_MAX: usize = 4096;

/// A value, and the header that it comes from.
pub type FromHeader<T> = (&'static str, T);

/// What the headers of a request name.
#[derive(Debug, Default)]
pub struct ProxyHints<'a> {
    /// Host and port.
    pub hosts: Vec<FromHeader<Cow<'a, str>>>,
    pub ports: Vec<FromHeader<&'a str>>,
    /// Paths or prefixes of paths, with the query if the header has one.
    pub paths: Vec<FromHeader<(&'a str, Option<&'a str>)>>,
}

impl<'a> ProxyHints<'a> {
    /// Reads the headers of a request.
    pub fn from_headers(headers: &[(&str, &'a [u8])]) -> Self {
        let mut hints = Self::default();
        for header in PROXY_HEADERS {
            let is_it = |name: &str| name.eq_ignore_ascii_case(header.name);
            let values = headers.iter().filter(|(name, _)| is_it(name));
            let values = values.filter_map(|(_, value)| std::str::from_utf8(value).ok());
            for value in values.filter(|value| value.len() <= VALUE_BYTES_MAX) {
                hints.add(header.name, header.says, value);
            }
        }
        hints
    }

    fn add(&mut self, header: &'static str, says: Says, value: &'a str) {
        let listed = || value.split(',').map(str::trim);
        match says {
            Says::Host => listed().for_each(|host| self.add_host(header, host.into())),
            Says::Port => {
                listed().filter(|port| is_port(port)).for_each(|port| {
                    push(&mut self.ports, header, port);
                });
            }
            Says::Path => self.add_path(header, value.trim()),
            Says::Forwarded => {
                let elements = split_unquoted(value, ',');
                let pairs = elements.flat_map(|element| split_unquoted(element, ';'));
                let hosts = pairs.filter_map(|pair| {
                    let (name, value) = pair.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("host").then(|| unquoted(value.trim()))
                });
                hosts.for_each(|host| self.add_host(header, host));
            }
            // There are only two, and both are always tried.
            Says::Scheme => {}
        }
    }

    fn add_host(&mut self, header: &'static str, host: Cow<'a, str>) {
        if is_host(&host) {
            push(&mut self.hosts, header, host);
        }
    }

    /// A path, a list of prefixes, or a whole URL.
    fn add_path(&mut self, header: &'static str, value: &'a str) {
        let path = match value.split_once("://") {
            Some((_, rest)) => {
                let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
                self.add_host(header, host.into());
                path
            }
            None => value,
        };
        let mut add = |path: &'a str| {
            if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()) {
                let (path, query) = match path.split_once('?') {
                    Some((path, query)) => (path, Some(query)),
                    None => (path, None),
                };
                push(&mut self.paths, header, (path, query));
            }
        };
        add(path);
        // Several prefixes, each cut off by another proxy.
        if path.contains(',') {
            path.split(',').map(str::trim).for_each(add);
        }
    }
}

fn push<T: PartialEq>(to: &mut Vec<FromHeader<T>>, header: &'static str, value: T) {
    if to.len() < NAMED_MAX && to.iter().all(|(_, have)| *have != value) {
        to.push((header, value));
    }
}

fn unquoted(value: &str) -> Cow<'_, str> {
    let Some(quoted) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) else {
        return value.into();
    };
    match quoted.contains('\\') {
        true => quoted.replace('\\', "").into(),
        false => quoted.into(),
    }
}

/// Whether a text can be a host and port; anybody can send anything.
fn is_host(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(letter)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}
