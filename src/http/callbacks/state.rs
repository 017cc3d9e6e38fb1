//! The state that the handlers of the callback listener share.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::metrics::CallbackMetrics;
use super::misdirected::Misdirected;
use super::rejection_log::RejectionLog;
use crate::http::body::BodyBudget;
use crate::http::reloads::KeyReloadMetrics;
use crate::quarantine::recorder::Recorder;
use crate::store::writer::Writer;
use crate::subaccounts::requests::RefreshRequests;
use crate::twilio::accounts::Accounts;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The callback listener's state.
pub struct CallbackState {
    pub callback_paths: Arc<[CallbackPath]>,
    pub public_urls: Arc<[BaseUrl]>,
    pub accounts: Arc<ArcSwap<Accounts>>,
    pub writer: Writer,
    /// `None` if rejected requests are not stored.
    pub recorder: Option<Recorder>,
    pub rejection_log: RejectionLog,
    /// The memory budget of all bodies together.
    pub bodies: BodyBudget,
    pub misdirected: Misdirected,
    pub metrics: CallbackMetrics,
    pub reloads: KeyReloadMetrics,
    /// Requests to fetch subaccounts; nothing acts on them in a server that fetches none.
    pub subaccounts: RefreshRequests,
}

impl CallbackState {
    /// The state of a listener that has not received anything yet.
    pub fn new(
        callback_paths: Vec<CallbackPath>,
        public_urls: Vec<BaseUrl>,
        accounts: Accounts,
        writer: Writer,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            callback_paths: callback_paths.into(),
            public_urls: public_urls.into(),
            accounts: Arc::new(ArcSwap::from_pointee(accounts)),
            writer,
            recorder,
            rejection_log: RejectionLog::default(),
            bodies: BodyBudget::default(),
            misdirected: Misdirected::default(),
            metrics: CallbackMetrics::default(),
            reloads: KeyReloadMetrics::default(),
            subaccounts: RefreshRequests::default(),
        }
    }
}
