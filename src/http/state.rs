//! What the handlers of the admin listener share.

use std::sync::Arc;

use super::admin::exports::Exports;
use super::admin::message_sender::Sending;
use super::admin::metrics::Metrics;
use super::auth::tokens::{Attempts, Tokens};
use super::in_use::InUse;
use super::limits::Streams;
use crate::domain::Rule;
use crate::projection::background_verification;
use crate::projection::worker::Handle;
use crate::store::Store;
use crate::store::writer::Writer;

/// The admin listener's state.
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub writer: Writer,
    pub projection: Handle,
    /// Nothing where the log is not verified in the background.
    pub verifying: Option<background_verification::Handle>,
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
