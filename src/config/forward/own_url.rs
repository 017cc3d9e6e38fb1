//! Recognises URLs that lead to this ledger's own callback listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::forward::address::{Url, literal_address};
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The URLs at which this ledger receives callbacks.
pub struct OwnUrls<'a> {
    /// The address of the callback listener.
    pub listen: SocketAddr,
    /// The public URLs.
    pub public_urls: &'a [BaseUrl],
    /// The paths of callbacks below them.
    pub callback_paths: &'a [CallbackPath],
}

impl OwnUrls<'_> {
    /// Which of them a URL leads to, in words that "of this ledger" can follow; `None` if to none.
    /// `is_own_address` says whether an address belongs to this machine.
    pub fn reached_by(&self, url: &Url, is_own_address: impl Fn(IpAddr) -> bool) -> Option<String> {
        if let Some(public_url) = self.public_urls.iter().find(|own| self.is_below(own, url)) {
            return Some(format!("a callback URL ({})", public_url.as_given()));
        }
        let is_port = url.port_or_known_default() == Some(self.listen.port());
        let is_listener = is_port && self.listens_at(url, is_own_address);
        is_listener.then(|| format!("the callback listener ({})", self.listen))
    }

    /// True if a URL is the public URL followed by a callback path.
    fn is_below(&self, public_url: &BaseUrl, url: &Url) -> bool {
        let Ok(public_url) = public_url.as_given().parse::<Url>() else { return false };
        let prefix = public_url.path().trim_end_matches('/');
        public_url.host_str() == url.host_str()
            && is_same_port(&public_url, url)
            && url.path().strip_prefix(prefix).is_some_and(|path| {
                self.callback_paths.iter().any(|callback_path| callback_path.matches(path))
            })
    }

    fn listens_at(&self, url: &Url, is_own_address: impl Fn(IpAddr) -> bool) -> bool {
        let own = self.listen.ip().to_canonical();
        let reached = match literal_address(url).map(|address| address.to_canonical()) {
            // Connections to the unspecified address reach this machine.
            Some(address) if address.is_unspecified() => loopback_addresses(),
            Some(address) => vec![address],
            None if is_localhost(url) => loopback_addresses(),
            None => return false,
        };
        reached.into_iter().any(|address| match own {
            IpAddr::V4(own) if own.is_unspecified() => address.is_ipv4() && is_own_address(address),
            // Such a listener accepts connections over IPv4 too.
            IpAddr::V6(own) if own.is_unspecified() => is_own_address(address),
            own => own == address,
        })
    }
}

/// True if both have the same port, or each has that of its scheme: a proxy usually has both.
fn is_same_port(one: &Url, other: &Url) -> bool {
    let port = |url: &Url| url.port_or_known_default();
    let is_usual = |url: &Url| matches!(port(url), Some(80 | 443));
    port(one) == port(other) || (is_usual(one) && is_usual(other))
}

fn loopback_addresses() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

/// True for `localhost` and the names below it, which resolve to loopback addresses (RFC 6761).
fn is_localhost(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// True if an address belongs to this machine: a socket can be bound to it.
pub fn is_own_address(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::OwnUrls;
    use crate::twilio::callback_path::CallbackPath;
    use crate::twilio::signature::BaseUrl;

    /// Which of the ledger's URLs a target reaches: the machine has the address 192.0.2.7.
    fn reached(listen: &str, target: &str) -> Option<String> {
        let public_urls = ["https://hooks.example.com/twilio", "https://other.example.com:8443"];
        let public_urls: Vec<_> = public_urls.into_iter().filter_map(BaseUrl::parse).collect();
        let paths = ["/message-status", "/v1/sms/*"];
        let callback_paths: Vec<_> =
            paths.into_iter().map(|path| CallbackPath::parse(path).unwrap()).collect();
        let own = OwnUrls {
            listen: listen.parse().unwrap(),
            public_urls: &public_urls,
            callback_paths: &callback_paths,
        };
        let is_own = |address: IpAddr| address.is_loopback() || address.to_string() == "192.0.2.7";
        own.reached_by(&target.parse().unwrap(), is_own)
    }

    #[test]
    fn a_callback_path_below_a_public_url_is_the_ledger_itself() {
        for target in [
            "https://hooks.example.com/twilio/message-status",
            "https://HOOKS.example.com:443/twilio/message-status?app=1",
            "https://hooks.example.com/twilio/message%2Dstatus",
            "https://hooks.example.com/twilio/v1/sms/7",
            "http://hooks.example.com/twilio/message-status",
            "https://other.example.com:8443/message-status",
        ] {
            let reached = reached("127.0.0.1:8080", target);
            assert!(reached.is_some_and(|own| own.starts_with("a callback URL (")), "{target}");
        }
        for target in [
            "https://hooks.example.com/orders",
            "https://hooks.example.com/message-status",
            "https://hooks.example.com:8443/twilio/message-status",
            "https://app.example.com/twilio/message-status",
            "https://other.example.com/message-status",
        ] {
            assert_eq!(reached("127.0.0.1:8080", target), None, "{target}");
        }
    }

    #[test]
    fn the_address_of_the_callback_listener_is_the_ledger_itself_at_every_path() {
        for (listen, target, is_own) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/message-status", true),
            ("127.0.0.1:8080", "http://127.1:8080/anything", true),
            ("127.0.0.1:8080", "http://localhost:8080/", true),
            ("127.0.0.1:8080", "http://app.localhost.:8080/", true),
            ("127.0.0.1:8080", "http://0.0.0.0:8080/", true),
            ("127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080/", true),
            ("127.0.0.1:8080", "http://127.0.0.2:8080/", false),
            ("127.0.0.1:8080", "http://127.0.0.1:8081/", false),
            ("127.0.0.1:8080", "http://[::1]:8080/", false),
            ("127.0.0.1:80", "http://127.0.0.1/", true),
            ("[::1]:8080", "http://localhost:8080/", true),
            ("192.0.2.7:8080", "http://192.0.2.7:8080/", true),
            ("192.0.2.7:8080", "http://localhost:8080/", false),
            ("0.0.0.0:8080", "http://127.9.9.9:8080/", true),
            ("0.0.0.0:8080", "http://192.0.2.7:8080/", true),
            ("0.0.0.0:8080", "http://192.0.2.8:8080/", false),
            ("0.0.0.0:8080", "http://[::1]:8080/", false),
            ("[::]:8080", "http://127.0.0.1:8080/", true),
            ("[::]:8080", "http://[::1]:8080/", true),
            ("[::]:8080", "http://192.0.2.7:8080/", true),
            ("[::]:8080", "http://app.example.com:8080/", false),
        ] {
            assert_eq!(reached(listen, target).is_some(), is_own, "{listen} {target}");
        }
    }
}
