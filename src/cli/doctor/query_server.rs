//! Asks the server that runs on the ledger for its state, over HTTP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use secrecy::ExposeSecret;
use serde_json::Value;

use crate::checks::Cost;
use crate::checks::server::metrics_text::Metrics;
use crate::checks::server::running_server::{CallbackListener, RunningServer};
use crate::cli::common::http_client::get;
use crate::config::Settings;
use crate::store::{Database, inspect};

/// Asks the listeners at the configured addresses.
pub fn query(settings: &Settings, database: Option<&Database>, cost_max: Cost) -> RunningServer {
    let is_held = database.is_some_and(|database| inspect::is_held(database).unwrap_or(false));
    let address = settings.admin_listen().ok().map(reachable);
    let ask = |path: &str| get(address?, path, token(settings));
    let ready = ask("/readyz").and_then(|(code, body)| {
        let json = serde_json::from_str::<Value>(&body).ok()?;
        // Another program may listen at this address.
        json.get("ready").is_some().then_some((code, json))
    });
    if ready.is_none() {
        return RunningServer { address, is_held, ..RunningServer::default() };
    }
    let metrics = ask("/metrics").filter(|(code, _)| *code == 200);
    let metrics = metrics.map(|(_, text)| Metrics::new(text));
    let callbacks =
        settings.listen().ok().filter(|listen| cost_max == Cost::More && listen.port() != 0);
    let callbacks = callbacks.map(reachable).map(|address| {
        let code = get(address, "/healthz", None).map(|(code, _)| code);
        CallbackListener { address, code }
    });
    RunningServer { address, ready, metrics, recent: None, callbacks, is_held }
}

/// The address at which this machine reaches a listener: loopback if it listens on all addresses.
fn reachable(listen: SocketAddr) -> SocketAddr {
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
