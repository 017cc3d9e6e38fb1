//! The details of a message: what events report of it besides its status. Each of them depends on the set of
//! events, and not on their order.

use smol_str::SmolStr;

use super::click::{Click, Clicks, ReportedClick};
use super::status_times::StatusTimes;
use crate::domain::carrier::Carrier;
use crate::domain::price::Price;
use crate::domain::{Rule, Status, Timestamp};

/// What became of the purpose of a message, as its sender reported it to Twilio
/// (<https://www.twilio.com/docs/messaging/api/message-feedback-resource>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeedbackOutcome {
    /// The recipient has not done it.
    Unconfirmed,
    /// The recipient did what the message was for, such as entering the code in it.
    Confirmed,
}

impl FeedbackOutcome {
    /// Every outcome.
    pub const ALL: [FeedbackOutcome; 2] =
        [FeedbackOutcome::Unconfirmed, FeedbackOutcome::Confirmed];

    /// The outcome with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// Twilio's name.
    pub fn name(self) -> &'static str {
        match self {
            FeedbackOutcome::Unconfirmed => "unconfirmed",
            FeedbackOutcome::Confirmed => "confirmed",
        }
    }
}

/// The details that one event reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportedDetails {
    /// The id of the CloudEvent, which its repetitions share.
    pub cloud_event_id: Option<SmolStr>,
    /// When the event's status was reached, or the click made, according to Twilio.
    pub occurred_at: Option<Timestamp>,
    /// When Twilio sent the message, if the event says that it did.
    pub sent_at: Option<Timestamp>,
    /// The number of segments, at least 1.
    pub segments: Option<u32>,
    /// The price.
    pub price: Option<Price>,
    /// The network that carried the message.
    pub carrier: Option<Carrier>,
    /// A click on one of its links.
    pub click: Option<ReportedClick>,
    /// The outcome that its sender reported.
    pub feedback: Option<FeedbackOutcome>,
}

/// The carrier of a message, from the event with the highest status that names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankedCarrier {
    /// The status that the event reports.
    pub status: Option<Status>,
    /// The network.
    pub carrier: Carrier,
}

/// The details of a message. Most messages have none: they take no memory then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details(Option<Box<KnownDetails>>);

/// Details of which at least one is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KnownDetails {
    /// Every status of which Twilio said when it was reached, with the earliest such time.
    pub occurred_times: StatusTimes,
    /// The largest reported number of segments; Twilio first reports 0 for some messages, which is none.
    pub segments: Option<u32>,
    /// Of several prices the one with the smallest amount, that is, the highest charge.
    pub price: Option<Price>,
    /// The carrier of the event with the highest status; of equal statuses, the smallest.
    pub carrier: Option<RankedCarrier>,
    /// Every click.
    pub clicks: Clicks,
    /// `confirmed` if it was ever reported.
    pub feedback: Option<FeedbackOutcome>,
}

impl Details {
    /// Details from parts; none if all parts are empty.
    pub fn from_known(known: KnownDetails) -> Self {
        Self((known != KnownDetails::default()).then(|| Box::new(known)))
    }

    /// The details, if any are known.
    pub fn known(&self) -> Option<&KnownDetails> {
        self.0.as_deref()
    }

    /// Adds the details that an event with this status reports.
    pub fn record(&mut self, status: Option<Status>, reported: &ReportedDetails, rule: Rule) {
        let mut known = KnownDetails {
            segments: reported.segments,
            price: reported.price,
            feedback: reported.feedback,
            carrier: reported.carrier.clone().map(|carrier| RankedCarrier { status, carrier }),
            ..KnownDetails::default()
        };
        for (status, at) in reported.times(status) {
            known.occurred_times.record(status, at);
        }
        known.clicks = reported.click().into_iter().fold(known.clicks, |mut clicks, click| {
            clicks.insert(click);
            clicks
        });
        self.merge(Self::from_known(known), rule);
    }

    /// Adds the details of other events of the message.
    pub fn merge(&mut self, other: Details, rule: Rule) {
        let Some(other) = other.0 else { return };
        let Some(known) = &mut self.0 else {
            self.0 = Some(other);
            return;
        };
        for (status, at) in other.occurred_times.iter() {
            known.occurred_times.record(status, at);
        }
        known.segments = known.segments.max(other.segments);
        known.price = known.price.into_iter().chain(other.price).min();
        known.feedback = known.feedback.max(other.feedback);
        other.clicks.iter().for_each(|click| known.clicks.insert(click));
        if let Some(carrier) = other.carrier
            && known.carrier.as_ref().is_none_or(|current| carrier.outranks(current, rule))
        {
            known.carrier = Some(carrier);
        }
    }

    /// True if an event with these details would not add a price.
    pub fn contain_price(&self, reported: &ReportedDetails) -> bool {
        reported.price.is_none_or(|price| self.price().is_some_and(|known| known <= price))
    }

    /// When a status was reached, according to Twilio.
    pub fn occurred_times(&self) -> impl Iterator<Item = (Status, Timestamp)> + '_ {
        self.known().into_iter().flat_map(|known| known.occurred_times.iter())
    }

    /// When the first of these statuses was reached, according to Twilio.
    pub fn first_occurred_at(&self) -> Option<Timestamp> {
        self.occurred_times().map(|(_, at)| at).min()
    }

    /// The number of segments.
    pub fn segments(&self) -> Option<u32> {
        self.known()?.segments
    }

    /// The price.
    pub fn price(&self) -> Option<Price> {
        self.known()?.price
    }

    /// The network that carried the message.
    pub fn carrier(&self) -> Option<&Carrier> {
        self.known()?.carrier.as_ref().map(|ranked| &ranked.carrier)
    }

    /// The clicks; `None` if there are none.
    pub fn clicks(&self) -> Option<&Clicks> {
        self.known().map(|known| &known.clicks).filter(|clicks| clicks.iter().len() > 0)
    }

    /// The outcome that the sender reported.
    pub fn feedback(&self) -> Option<FeedbackOutcome> {
        self.known()?.feedback
    }
}

impl RankedCarrier {
    fn outranks(&self, other: &Self, rule: Rule) -> bool {
        let by_rank = rule.rank(self.status).cmp(&rule.rank(other.status));
        by_rank.then_with(|| other.carrier.cmp(&self.carrier)).is_gt()
    }
}

impl ReportedDetails {
    /// The statuses of which the event, which reports this one, says when they were reached.
    fn times(&self, status: Option<Status>) -> impl Iterator<Item = (Status, Timestamp)> {
        let own = status.zip(self.occurred_at);
        let sent = self.sent_at.map(|at| (Status::Sent, at));
        own.into_iter().chain(sent).filter(|(_, at)| *at >= Timestamp::EARLIEST_OF_TWILIO)
    }

    fn click(&self) -> Option<Click> {
        self.click.as_ref().map(|reported| reported.click)
    }
}
