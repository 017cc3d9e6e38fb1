//! What the handlers of each listener share.

use std::sync::Arc;

use secrecy::SecretString;

use super::refusals::Refusals;
use crate::domain::Rule;
use crate::projection::verifying;
use crate::projection::worker::Handle;
use crate::store::Store;
use crate::store::writer::Writer;
use crate::twilio::accounts::Accounts;
use crate::twilio::signature::BaseUrl;

/// The callback listener's state.
pub struct Receiving {
    pub callback_paths: Vec<String>,
    pub public_urls: Vec<BaseUrl>,
    pub accounts: Accounts,
    pub writer: Writer,
    pub refusals: Refusals,
}

/// The admin listener's state.
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub writer: Writer,
    pub projection: Handle,
    /// Nothing where the log is not verified in the background.
    pub verifying: Option<verifying::Handle>,
    pub rule: Rule,
    pub api_token: Option<SecretString>,
    /// Host names that requests may name beside the loopback ones.
    pub admin_hosts: Vec<String>,
}

impl Receiving {
    /// The state, with no refusal told yet.
    pub fn new(
        callback_paths: Vec<String>,
        public_urls: Vec<BaseUrl>,
        accounts: Accounts,
        writer: Writer,
    ) -> Self {
        Self { callback_paths, public_urls, accounts, writer, refusals: Refusals::default() }
    }
}
