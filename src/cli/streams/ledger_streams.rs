//! The sinks that send to this ledger, with their subscriptions and event types.

use super::destination;
use crate::twilio_api::event_streams::{
    EventStreams, EventStreamsError, EventType, LEDGER_EVENT_TYPES, Sink, SinkStatus,
    SubscribedEvent, Subscription, Webhook,
};

/// Everything at Twilio that sends to this ledger.
pub struct LedgerStreams(pub Vec<LedgerSink>);

/// A webhook with a destination of this ledger.
pub struct LedgerSink {
    pub sink: Sink,
    pub webhook: Webhook,
    pub subscriptions: Vec<LedgerSubscription>,
}

/// A subscription of such a sink.
pub struct LedgerSubscription {
    pub subscription: Subscription,
    pub types: Vec<SubscribedEvent>,
}

impl LedgerStreams {
    /// Reads them from Twilio. Event types are read of subscriptions to this ledger only.
    pub fn read(
        twilio: &EventStreams<'_>,
        destinations: &[String],
    ) -> Result<Self, EventStreamsError> {
        let is_ours = |webhook: &Webhook| {
            destinations.iter().any(|ours| destination::is_same(ours, &webhook.destination))
        };
        let sinks = twilio.sinks()?.into_iter().filter_map(|sink| {
            let webhook = sink.webhook.clone().filter(is_ours)?;
            Some(LedgerSink { sink, webhook, subscriptions: Vec::new() })
        });
        let mut sinks: Vec<_> = sinks.collect();
        if sinks.is_empty() {
            return Ok(Self(sinks));
        }
        for subscription in twilio.subscriptions()? {
            let of = sinks.iter_mut().find(|of| of.sink.sid == subscription.sink_sid);
            if let Some(of) = of {
                let types = twilio.subscribed_events(&subscription.sid)?;
                of.subscriptions.push(LedgerSubscription { subscription, types });
            }
        }
        Ok(Self(sinks))
    }

    /// The event types that none of these sinks has.
    pub fn missing(&self, counts: impl Fn(&LedgerSink) -> bool) -> Vec<EventType> {
        let is_missing = |wanted: &EventType| self.find(wanted, &counts).is_none();
        LEDGER_EVENT_TYPES.into_iter().filter(is_missing).collect()
    }

    /// The subscription to an event type by one of these sinks; `None` if there is none.
    pub fn find(
        &self,
        wanted: &EventType,
        counts: impl Fn(&LedgerSink) -> bool,
    ) -> Option<(&Subscription, &SubscribedEvent)> {
        let sinks = self.0.iter().filter(|sink| counts(sink));
        sinks.flat_map(LedgerSink::types).find(|(_, event)| event.name == wanted.name)
    }
}

impl LedgerSink {
    /// Each event type, with its subscription.
    fn types(&self) -> impl Iterator<Item = (&Subscription, &SubscribedEvent)> {
        self.subscriptions
            .iter()
            .flat_map(|of| of.types.iter().map(move |event| (&of.subscription, event)))
    }

    /// True if it POSTs: nothing else is received.
    pub fn is_post(&self) -> bool {
        self.webhook.method == "POST"
    }

    /// True if events arrive by it.
    pub fn sends(&self) -> bool {
        self.is_post() && self.sink.status == SinkStatus::Active
    }
}
