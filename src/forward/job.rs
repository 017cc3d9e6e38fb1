//! What a target needs of the server, and why it may have to stop.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::domain::{ErrorCodes, Position, Rule};
use crate::forward::metrics::TargetMetrics;
use crate::forward::selected::SelectError;
use crate::forward::target::Target;
use crate::projection::worker::Handle as ProjectionHandle;
use crate::store::nodes::Lead;
use crate::store::{Database, Store, StoreError};
use crate::twilio::accounts::Accounts;

/// What a target needs of the server.
pub struct Job {
    /// The target.
    pub target: Target,
    /// Where its state is stored.
    pub database: Database,
    /// The log.
    pub store: Arc<dyn Store>,
    /// The head of the log when the server started: a target without a position begins there, so that it gets
    /// everything that this server receives.
    pub head_at_start: Position,
    /// How far the views have read the log: the target goes no further.
    pub projection: ProjectionHandle,
    /// Only the node that leads sends anything.
    pub lead: Lead,
    /// The rule by which statuses are decided.
    pub rule: Rule,
    /// The accounts with their tokens, as they are at present.
    pub accounts: Arc<ArcSwap<Accounts>>,
    /// The table of error codes.
    pub error_codes: Arc<ErrorCodes>,
    /// The metrics of the target.
    pub metrics: TargetMetrics,
}

/// Why a target has stopped.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the error texts document the variants")]
pub enum ForwardError {
    #[error(transparent)]
    Store(#[from] StoreError),

    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),

    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),

    #[error(transparent)]
    Select(#[from] SelectError),

    #[error("an attempt has panicked; a line before this one says where")]
    Panicked,

    #[error("its state was removed; it begins anew")]
    Removed,

    #[error(
        "its position, {0}, is of another log; have it go on from a position of this one with \
         `forward skip NAME --to POSITION`"
    )]
    OtherLog(Position),
}
