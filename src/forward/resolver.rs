//! Name resolution without link-local addresses, at which clouds have their metadata with credentials.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::forward::address::is_link_local;

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
