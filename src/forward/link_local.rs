//! Link-local addresses, at which clouds have their metadata with credentials, and name resolution that leaves
//! them out.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The error of a host whose addresses are all link-local.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} is at the link-local address {address}, where clouds have their metadata; if that is meant, set \
     allow_link_local = true"
)]
pub struct LinkLocalOnly {
    host: String,
    address: IpAddr,
}

/// True for 169.254.0.0/16 (RFC 3927), fe80::/10 (RFC 4291), and the former written as an IPv6 address.
pub fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The host of a URL if it is such an address.
pub fn link_local_host(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    host.parse().ok().filter(|address| is_link_local(*address))
}

/// Resolves names as the system does, without link-local addresses.
pub struct WithoutLinkLocal;

impl Resolve for WithoutLinkLocal {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<_> =
                found.iter().copied().filter(|found| !is_link_local(found.ip())).collect();
            match (allowed.is_empty(), found.first()) {
                (true, Some(first)) => Err(LinkLocalOnly { host, address: first.ip() }.into()),
                (true, None) => Err(io::Error::other(format!("{host} has no address")).into()),
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{is_link_local, link_local_host};

    #[test]
    fn link_local_addresses_are_recognised_in_every_spelling() {
        for (address, expected) in [
            ("169.254.169.254", true),
            ("169.253.255.255", false),
            ("169.255.0.0", false),
            ("::ffff:169.254.169.254", true),
            ("fe80::1", true),
            ("febf:ffff::1", true),
            ("fec0::1", false),
            ("fd00:ec2::254", false),
            ("127.0.0.1", false),
            ("::1", false),
        ] {
            assert_eq!(is_link_local(address.parse::<IpAddr>().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn a_url_can_name_one_in_the_spellings_that_urls_allow() {
        for (url, expected) in [
            ("http://169.254.169.254/latest", true),
            ("http://0xa9fea9fe/", true),
            ("http://2852039166/", true),
            ("http://[fe80::1]/", true),
            ("http://[::ffff:a9fe:a9fe]:8080/", true),
            ("http://metadata.example/", false),
            ("http://127.0.0.1/", false),
        ] {
            let url = url.parse().unwrap();
            assert_eq!(link_local_host(&url).is_some(), expected, "{url}");
        }
    }
}
