//! The state that the handlers of the callback listener share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::body::Budget;
use super::metrics::HttpMetrics;
use super::misdirected::Misdirected;
use super::refusals::Refusals;
use super::reloads::KeyReloadMetrics;
use crate::quarantine::keeper::Keeper;
use crate::store::writer::Writer;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The callback listener's state.
pub struct Receiving {
    pub callback_paths: Arc<[CallbackPath]>,
    pub public_urls: Arc<[BaseUrl]>,
    pub accounts: Arc<ArcSwap<Accounts>>,
    pub writer: Writer,
    /// Nothing where refused requests are not kept.
    pub keeper: Option<Keeper>,
    pub refusals: Refusals,
    /// What bodies take while they are here.
    pub bodies: Budget,
    pub misdirected: Misdirected,
    pub metrics: HttpMetrics,
    pub reloads: KeyReloadMetrics,
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
            accounts: Arc::new(ArcSwap::from_pointee(accounts)),
            writer,
            keeper,
            refusals: Refusals::default(),
            bodies: Budget::default(),
            misdirected: Misdirected::default(),
            metrics: HttpMetrics::default(),
            reloads: KeyReloadMetrics::default(),
        }
    }
}
