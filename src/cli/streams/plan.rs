//! What `streams setup` has to create: as little as possible, so that a second run finds nothing to do.

use super::ledger_streams::{LedgerSink, LedgerStreams};
use crate::twilio_api::event_streams::{EventType, Sink, Subscription};

/// What exists, and what is missing.
pub struct Plan {
    /// The sink to use; `None` if one has to be created.
    pub sink: Option<Sink>,
    /// The subscription to use; `None` if one has to be created.
    pub subscription: Option<Subscription>,
    /// The event types to add.
    pub missing: Vec<EventType>,
    /// Whether the subscription has to be changed so that it includes subaccounts.
    pub adds_subaccounts: bool,
    /// The sinks to this ledger that are of no use, because they do not POST.
    pub of_no_use: Vec<Sink>,
}

impl Plan {
    /// Uses an active sink rather than another one, and one with a subscription rather than one without.
    pub fn new(streams: LedgerStreams, subaccounts: bool) -> Self {
        let missing = streams.missing(match streams.0.iter().any(LedgerSink::sends) {
            true => LedgerSink::sends,
            false => LedgerSink::is_post,
        });
        let (mut usable, rest): (Vec<_>, Vec<_>) =
            streams.0.into_iter().partition(LedgerSink::is_post);
        usable.sort_by_key(|of| (!of.sends(), of.subscriptions.is_empty()));
        let used = usable.into_iter().next();
        let (sink, subscriptions) = used.map(|of| (of.sink, of.subscriptions)).unzip();
        let subscription = subscriptions.into_iter().flatten().next().map(|of| of.subscription);
        let includes = subscription.as_ref().and_then(|of| of.receive_events_from_subaccounts);
        Self {
            adds_subaccounts: subaccounts && subscription.is_some() && includes != Some(true),
            sink,
            subscription,
            missing,
            of_no_use: rest.into_iter().map(|of| of.sink).collect(),
        }
    }

    /// True if there is nothing to create or change.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && !self.adds_subaccounts
    }
}
