//! The state that the handlers of the callback listener share.

use std::sync::Arc;

use arc_swap::ArcSwap;
use uuid::Uuid;

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
    /// The paths at which callbacks are received.
    pub callback_paths: Arc<[CallbackPath]>,
    /// The public URLs that signatures are checked against.
    pub public_urls: Arc<[BaseUrl]>,
    /// The accounts with their keys, which a reload replaces.
    pub accounts: Arc<ArcSwap<Accounts>>,
    /// The id of this ledger, by which it recognises what it has forwarded itself.
    pub ledger_id: String,
    /// Appends events.
    pub writer: Writer,
    /// `None` if rejected requests are not stored.
    pub recorder: Option<Recorder>,
    /// Logs rejected requests, a limited number of lines.
    pub rejection_log: RejectionLog,
    /// The memory budget of all bodies together.
    pub bodies: BodyBudget,
    /// Counts requests to paths that receive no callbacks.
    pub misdirected: Misdirected,
    /// The metrics of callbacks.
    pub metrics: CallbackMetrics,
    /// The metrics of reloaded keys.
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
        ledger_id: Uuid,
        writer: Writer,
        recorder: Option<Recorder>,
    ) -> Self {
        Self {
            callback_paths: callback_paths.into(),
            public_urls: public_urls.into(),
            accounts: Arc::new(ArcSwap::from_pointee(accounts)),
            ledger_id: ledger_id.to_string(),
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
