//! What the handlers of each listener share.

use std::sync::Arc;

use super::access::{Attempts, Tokens};
use super::exports::Exports;
use super::in_use::InUse;
use super::measures::Measures;
use super::metrics::Metrics;
use super::refusals::Refusals;
use super::reloads::Reloads;
use super::sending::Sending;
use super::streams::Streams;
use crate::domain::Rule;
use crate::projection::verifying;
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
    pub measures: Measures,
    pub reloads: Reloads,
}

/// The admin listener's state.
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub writer: Writer,
    pub projection: Handle,
    /// Nothing where the log is not verified in the background.
    pub verifying: Option<verifying::Handle>,
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
        let accounts = Arc::new(InUse::new(accounts));
        let (refusals, measures, reloads) = Default::default();
        let (callback_paths, public_urls) = (callback_paths.into(), public_urls.into());
        Self { callback_paths, public_urls, accounts, writer, keeper, refusals, measures, reloads }
    }
}
