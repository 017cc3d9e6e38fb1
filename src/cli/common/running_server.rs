//! The state of the server that runs on this ledger, as reported by its admin listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::cli::common::http_client::{Metrics, get};
use crate::config::Settings;
use crate::store::{Database, inspect};

/// The state of the server, if one responds.
pub struct RunningServer {
    /// The address of the admin listener; `None` if the setting is invalid.
    pub address: Option<SocketAddr>,
    /// The status code and the body of `/readyz`; `None` if no ledger server responds.
    pub ready: Option<(u16, Value)>,
    /// `None` if its metrics could not be fetched.
    pub metrics: Option<Metrics>,
    /// True if a process holds the ledger's lock.
    pub is_held: bool,
}

impl RunningServer {
    /// Asks the admin listener at the configured address.
    pub fn ask(settings: &Settings, database: Option<&Database>) -> Self {
        let is_held = database.is_some_and(|database| inspect::is_held(database).unwrap_or(false));
        let address = settings.admin_listen().ok().map(reachable);
        let get = |path: &str| get(address?, path, token(settings));
        let ready = get("/readyz").and_then(|(code, body)| {
            let json = serde_json::from_str::<Value>(&body).ok()?;
            // Another program may listen at this address.
            json.get("ready").is_some().then_some((code, json))
        });
        let metrics = ready.as_ref().and_then(|_| get("/metrics"));
        let metrics = metrics.filter(|(code, _)| *code == 200).map(|(_, text)| Metrics::new(text));
        Self { address, ready, metrics, is_held }
    }
}

/// The address at which this machine reaches a listener: loopback if it listens on all addresses.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The first configured token. Any one is sufficient, because metrics contain no addresses.
fn token(settings: &Settings) -> Option<String> {
    let tokens = settings.api_tokens().ok()?;
    tokens.first().map(|token| token.secret.expose_secret().to_owned())
}
