//! What the handlers of each listener share.

use std::sync::Arc;

use super::admin::exports::Exports;
use super::admin::message_sender::Sending;
use super::admin::metrics::Metrics;
use super::auth::tokens::{Attempts, Tokens};
use super::body::Budget;
use super::in_use::InUse;
use super::limits::Streams;
use super::metrics::HttpMetrics;
use super::misdirected::Misdirected;
use super::refusals::Refusals;
use super::reloads::Reloads;
use crate::domain::Rule;
use crate::projection::verify::background;
use crate::projection::worker::Handle;
use crate::quarantine::keeper::Keeper;
use crate::store::Store;
use crate::store::writer::Writer;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The callback listener's state.
pub struct Receiving {
    pub callback_paths: Arc<[CallbackPath]>,
    pub public_urls: Arc<[BaseUrl]>,
    pub accounts: Arc<InUse<Accounts>>,
    pub writer: Writer,
    /// Nothing where refused requests are not kept.
    pub keeper: Option<Keeper>,
    pub refusals: Refusals,
    /// What bodies take while they are here.
    pub bodies: Budget,
    pub misdirected: Misdirected,
    pub metrics: HttpMetrics,
    pub reloads: Reloads,
}

/// The admin listener's state.
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub writer: Writer,
    pub projection: Handle,
    /// Nothing where the log is not verified in the background.
    pub verifying: Option<background::Handle>,
    pub rule: Rule,
    pub tokens: Arc<InUse<Tokens>>,
    pub attempts: Attempts,
    pub streams: Streams,
    pub exports: Exports,
    /// Nothing where no messages are sent.
    pub sending: Option<Sending>,
    pub metrics: Metrics,
    /// Host names that requests may name beside the loopback ones.
    pub admin_hosts: Vec<String>,
}

impl Receiving {
    /// The state, with no callback counted yet.
    pub fn new(
        callback_paths: Vec<CallbackPath>,
        public_urls: Vec<BaseUrl>,
        accounts: Accounts,
        writer: Writer,
        keeper: Option<Keeper>,
    ) -> Self {
        Self {
            callback_paths: callback_paths.into(),
            public_urls: public_urls.into(),
            accounts: Arc::new(InUse::new(accounts)),
            writer,
            keeper,
            refusals: Refusals::default(),
            bodies: Budget::default(),
            misdirected: Misdirected::default(),
            metrics: HttpMetrics::default(),
            reloads: Reloads::default(),
        }
    }
}
