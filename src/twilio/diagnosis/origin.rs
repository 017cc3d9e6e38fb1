//! The candidate origins: scheme, user name, host and port as they may have been signed.

use std::borrow::Cow;

use super::proxy_hints::ProxyHints;
use super::variant::{NEAR, PORT, UrlEdit, Variant, in_order};
use crate::twilio::signature::port;

/// Common ports of callback URLs and of servers behind a proxy.
const PORTS: [&str; 6] = ["443", "80", "8443", "8080", "5000", "3000"];

/// The cost of adding or dropping the default port, which the remedy does not mention.
const TOGGLED: u8 = 1;

/// A URL up to its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    scheme: &'a str,
    userinfo: Option<&'a str>,
    host: Cow<'a, str>,
    port: Option<Cow<'a, str>>,
}

impl<'a> Origin<'a> {
    /// Splits a base URL into its origin and the rest.
    pub fn parse(base: &'a str) -> Option<(Self, &'a str)> {
        let (scheme, rest) = base.split_once("://")?;
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let origin = Self { scheme, userinfo, host: host.into(), port: None };
        Some((origin.at(host), prefix))
    }

    /// The port, if the URL has one.
    pub fn given_port(&self) -> Option<&str> {
        self.port.as_deref()
    }

    /// This origin with another host and port.
    fn at(&self, host_and_port: &str) -> Self {
        let port = port(host_and_port);
        let host_bytes = host_and_port.len() - port.map_or(0, |port| port.len() + 1);
        Self {
            host: host_and_port[..host_bytes].to_owned().into(),
            port: port.map(|port| port.to_owned().into()),
            ..self.clone()
        }
    }

    /// All candidates, as text; `ports` are those of other URLs.
    pub fn variants(&self, hints: &ProxyHints<'_>, ports: &[&str]) -> Vec<Variant<String>> {
        let mut variants = Vec::new();
        for scheme in self.schemes() {
            for host in scheme.value.hosts(hints) {
                let host = scheme.with(&host, |_, host| host.clone());
                for port in host.value.ports(hints, ports) {
                    variants.push(host.with(&port, |_, origin| origin.to_string()));
                }
            }
        }
        in_order(variants)
    }

    fn schemes(&self) -> [Variant<Self>; 2] {
        let other = if self.is_https() { "http" } else { "https" };
        let edited = Self { scheme: other, ..self.clone() };
        [Variant::plain(self.clone()), Variant::edited(NEAR, UrlEdit::Scheme(other), edited)]
    }

    fn hosts(&self, hints: &ProxyHints<'_>) -> Vec<Variant<Self>> {
        let edited = |edit, origin| Variant::edited(NEAR, edit, origin);
        let mut hosts = vec![Variant::plain(self.clone())];
        for (header, host) in &hints.hosts {
            let origin = self.at(host);
            if origin.host != self.host {
                hosts.push(edited(UrlEdit::NamedHost(header), origin));
            }
        }
        let with = |host: &str| Self { host: host.to_owned().into(), ..self.clone() };
        match self.host.strip_prefix("www.") {
            Some(host) => hosts.push(edited(UrlEdit::Www(false), with(host))),
            None => hosts.push(edited(UrlEdit::Www(true), with(&format!("www.{}", self.host)))),
        }
        if let Some(host) = self.host.strip_suffix('.') {
            hosts.push(edited(UrlEdit::HostDotCut, with(host)));
        }
        if self.host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            hosts.push(edited(UrlEdit::HostInLowerCase, with(&self.host.to_ascii_lowercase())));
        }
        if self.userinfo.is_some() {
            hosts.push(edited(UrlEdit::UserinfoCut, Self { userinfo: None, ..self.clone() }));
        }
        hosts
    }

    fn ports(&self, hints: &ProxyHints<'_>, ports: &[&str]) -> Vec<Variant<Self>> {
        let with = |port: Option<&str>| {
            let port = port.map(|port| port.to_owned().into());
            Self { port, ..self.clone() }
        };
        let toggled = match self.port {
            Some(_) => None,
            None if self.is_https() => Some("443"),
            None => Some("80"),
        };
        let mut variants = vec![
            Variant::plain(self.clone()),
            Variant { cost: TOGGLED, edits: Vec::new(), value: with(toggled) },
        ];
        for (header, port) in &hints.ports {
            variants.push(Variant::edited(NEAR, UrlEdit::NamedPort(header), with(Some(port))));
        }
        for port in PORTS.iter().chain(ports) {
            let edit = UrlEdit::Port((*port).to_owned());
            variants.push(Variant::edited(PORT, edit, with(Some(port))));
        }
        variants
    }

    fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(userinfo) = self.userinfo {
            write!(f, "{userinfo}@")?;
        }
        f.write_str(&self.host)?;
        match &self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
