//! Addresses of targets: those in a URL, and those that are link-local.

use std::net::IpAddr;

pub use reqwest::Url;

/// The address that a URL has instead of a host name; `None` if it has a name.
///
/// A URL's parser reads every form of an IPv4 address (`0xa9fea9fe`, `2852039166`), as resolvers do.
pub fn literal_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// True for 169.254.0.0/16 and fe80::/10, and for the former written as IPv6 (`::ffff:169.254.0.1`): clouds
/// answer there with the credentials of the machine.
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_link_local, literal_address};

    #[test]
    fn a_link_local_address_is_recognised_in_every_form_that_a_url_may_have() {
        let of = |url: &str| literal_address(&url.parse().unwrap()).map(is_link_local);
        for url in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[::ffff:169.254.169.254]/",
            "http://[fe80::1]:8080/",
            "http://[febf::1]/",
        ] {
            assert_eq!(of(url), Some(true), "{url}");
        }
        for url in ["http://169.253.0.1/", "http://10.0.0.1/", "http://[fec0::1]/", "http://[::1]/"]
        {
            assert_eq!(of(url), Some(false), "{url}");
        }
        assert_eq!(of("http://metadata.internal/"), None);
    }
}
