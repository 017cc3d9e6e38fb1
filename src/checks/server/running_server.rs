//! The state of the server that runs on a ledger, as the checks need it. Who runs the checks provides it:
//! a command asks the server over HTTP, and a server knows its own.

use std::net::SocketAddr;

use serde_json::Value;

use super::metrics_text::Metrics;
use crate::checks::callback_counts::RecentCallbacks;

/// The state of a server, if one responds.
#[derive(Default)]
pub struct RunningServer {
    /// The address of the admin listener; `None` if the setting is invalid.
    pub address: Option<SocketAddr>,
    /// The status code and the body of `/readyz`; `None` if no ledger server responds.
    pub ready: Option<(u16, Value)>,
    /// `None` if its metrics could not be fetched.
    pub metrics: Option<Metrics>,
    /// The callbacks of the last minutes; `None` if they are not known.
    pub recent: Option<RecentCallbacks>,
    /// The response of the callback listener; `None` if it was not asked.
    pub callbacks: Option<CallbackListener>,
    /// True if a process holds the ledger's lock.
    pub is_held: bool,
}

/// The response of a callback listener.
#[derive(Clone, Copy)]
pub struct CallbackListener {
    /// The address that was asked.
    pub address: SocketAddr,
    /// The status code of `/healthz`; `None` if there was no response.
    pub code: Option<u16>,
}
