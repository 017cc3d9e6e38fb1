//! Name resolution without link-local addresses, at which clouds have their metadata with credentials.

use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::forward::address::is_link_local;

/// What the library expects of a failed resolution.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
            Ok(Box::new(allowed(&host, &found)?.into_iter()) as Addrs)
        })
    }
}

/// Those of a host's addresses that are not link-local.
fn allowed(host: &str, found: &[SocketAddr]) -> Result<Vec<SocketAddr>, BoxError> {
    let allowed: Vec<_> =
        found.iter().copied().filter(|found| !is_link_local(found.ip())).collect();
    match (allowed.is_empty(), found.first()) {
        (true, Some(first)) => {
            Err(LinkLocalOnly { host: host.to_owned(), address: first.ip() }.into())
        }
        (true, None) => Err(io::Error::other(format!("{host} has no address")).into()),
        (false, _) => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use super::allowed;

    #[test]
    fn of_a_name_only_addresses_that_are_not_link_local_are_called() {
        let of = |addresses: &[&str]| {
            let found: Vec<_> = addresses.iter().map(|it| it.parse().unwrap()).collect();
            let allowed = allowed("app.internal", &found);
            allowed
                .map(|it| it.iter().map(ToString::to_string).collect())
                .map_err(|it| it.to_string())
        };
        let both = of(&["169.254.169.254:0", "10.0.0.1:0"]);
        assert_eq!(both, Ok::<Vec<String>, _>(vec!["10.0.0.1:0".to_owned()]));
        let none = of(&["[fe80::1]:0", "169.254.169.254:0"]).unwrap_err();
        assert!(none.starts_with("app.internal is at the link-local address fe80::1"), "{none}");
        assert_eq!(of(&[]), Err("app.internal has no address".to_owned()));
    }
}
