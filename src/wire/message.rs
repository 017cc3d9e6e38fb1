//! The JSON of a message, for `audit`, the API and `export messages`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use smol_str::SmolStr;
use utoipa::ToSchema;

use super::message_texts::{MessageTexts, tag_pairs};
use super::status_name::status_name;
use super::{Body, EntryLinks, MessageLinks, explanation};
use crate::domain::account_names::AccountNames;
use crate::domain::carrier::Carrier;
use crate::domain::country::Country;
use crate::domain::message::click::{Clicks, ReportedClick};
use crate::domain::message::details::FeedbackOutcome;
use crate::domain::message::failure_texts::FailureTexts;
use crate::domain::message::lifecycle::Evidence;
use crate::domain::message::message_ref::occurred_at;
use crate::domain::message::status_change::StatusChange;
use crate::domain::message::status_reported::Label;
use crate::domain::message::tags::Tags;
use crate::domain::rollup::durations;
use crate::domain::{
    Effect, ErrorCode, ErrorCodes, Lifecycle, MessageKey, Position, RecordedEvent, Status,
    StatusReported, Timestamp,
};

/// The state of a message. Lists leave out the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    /// The SID of the message.
    pub message_sid: String,
    /// The status; `unknown` if no known status was reported.
    pub status: &'static str,
    /// True if no further callback is expected.
    pub terminal: bool,
    /// True if the outcome is known: delivered, read or a failure.
    pub settled: bool,
    /// True if there is evidence of both success and failure.
    pub conflict: bool,
    /// The rule by which the status is decided.
    pub rule: &'static str,
    /// The account of the message; `null` if no event names one.
    pub account_sid: Option<String>,
    /// The configured name of the account. Missing if it has none, and in exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub account_name: Option<String>,
    /// The messaging service that sent it.
    pub messaging_service_sid: Option<String>,
    /// The sender.
    pub from: Option<String>,
    /// The recipient.
    pub to: Option<String>,
    /// The channel, such as `sms` or `whatsapp`.
    pub channel: String,
    /// The error code that belongs to the status.
    pub error_code: Option<u32>,
    /// A short description of that code.
    pub error_title: Option<String>,
    /// Every reported error code.
    pub error_codes: Vec<u32>,
    /// The carrier's time, zone unknown.
    pub raw_dlr_done_date: Option<String>,
    /// When its first event arrived.
    pub first_received_at: String,
    /// When its last event arrived.
    pub last_received_at: String,
    /// When each status was first reported, in order of precedence.
    #[schema(value_type = BTreeMap<String, String>)]
    pub status_times: Map<String, Value>,
    /// The number of its events.
    pub events: u64,
    /// The number of events that repeat an earlier one.
    pub duplicates: u64,
    /// The number of events with a lower status than one that was reported before.
    pub late: u64,
    /// The number of events with a status that is not one of an outbound message.
    pub unrecognised: u64,
    /// The last position of the log that is taken into account.
    pub as_of_position: Position,
    /// `inbound` if all of its statuses are, `simulated` if a simulation sent all of its events.
    pub labels: Vec<&'static str>,
    /// Names and values from the query of the callback URL, in byte order.
    pub tags: BTreeMap<String, Vec<String>>,
    /// True if the message has more tags than are kept.
    pub tags_dropped: bool,
    /// The country of `to`, as two letters (ISO 3166-1); `null` if it is not a number of one country.
    pub country: Option<String>,
    /// From the first of `accepted`, `queued` and `sending` to the first `sent`, in milliseconds.
    pub time_to_sent_ms: Option<u64>,
    /// From the first `sent` to the first `delivered`, in milliseconds.
    pub sent_to_delivered_ms: Option<u64>,
    /// When Twilio says that each status was reached, as far as it does, in order of precedence.
    #[schema(value_type = BTreeMap<String, String>)]
    pub occurred_times: Map<String, Value>,
    /// When the message began according to Twilio: its creation date, or the first of these times.
    pub occurred_at: Option<String>,
    /// The number of segments.
    pub segments: Option<u32>,
    /// The price as Twilio reports it: a decimal number, negative if it is charged.
    pub price: Option<String>,
    /// The currency of the price (ISO 4217).
    pub currency: Option<String>,
    /// The mobile country code of the network that carried it (ITU-T E.212).
    pub mcc: Option<String>,
    /// The code of that network in its country.
    pub mnc: Option<String>,
    /// The name of that network, if it is a large one.
    pub carrier: Option<&'static str>,
    /// The number of clicks on its links that are probably a person's.
    pub clicks: u64,
    /// When the first of these clicks was made.
    pub first_clicked_at: Option<String>,
    /// The number of clicks that are probably a program's, such as the preview of a messenger.
    pub previews: u64,
    /// `confirmed` or `unconfirmed`, if the sender told Twilio whether the message served its purpose.
    pub feedback: Option<&'static str>,
    /// Missing in lists.
    #[serde(flatten)]
    #[schema(value_type = MessageExplanation)]
    pub explanation: Option<MessageExplanation>,
    /// Missing in lists, and if addresses are masked and a SID could be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub links: Option<MessageLinks>,
    /// Its events, in order of position. Missing in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Vec<TimelineEntry>>,
}

/// Why a message has its status, and what Twilio and the channel said about its error, in words.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessageExplanation {
    /// Why the message has this status, in one or two sentences. Missing in lists.
    #[schema(required = false)]
    pub why: String,
    /// Twilio's text about the error, from the first event with this error that has one. Missing in
    /// lists.
    #[schema(required = false)]
    pub error_message: Option<String>,
    /// The text of the channel, such as WhatsApp, about the error, likewise. Missing in lists.
    #[schema(required = false)]
    pub channel_status_message: Option<String>,
}

/// One event of a message and what it did.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// The place in the log.
    pub position: Position,
    /// A UUID of version 7.
    pub event_id: String,
    /// When the event arrived, in UTC.
    pub received_at: String,
    /// When Twilio says that it happened; `null` if it does not say.
    pub occurred_at: Option<String>,
    /// `callback`, `send`, `reconcile` or `import`.
    pub source: &'static str,
    /// The status, or an unrecognised word as it came.
    pub status: Option<String>,
    /// `advanced`, `confirmed`, `late`, `duplicate`, `conflict`, `click`, `feedback` or `unrecognised`.
    pub effect: &'static str,
    /// The position of the event that it repeats; `null` if it repeats none.
    pub duplicate_of: Option<Position>,
    /// The error code that it reports.
    pub error_code: Option<u32>,
    /// The click that it reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub click: Option<ClickEntry>,
    /// `confirmed` or `unconfirmed`, if it reports whether the message served its purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub feedback: Option<&'static str>,
    /// Twilio's text about the error.
    pub error_message: Option<String>,
    /// The channel's text about the error, such as WhatsApp's.
    pub channel_status_message: Option<String>,
    /// The effect of the event, and what is unusual about it, in words.
    pub explanation: String,
    /// The URL that the signature was verified against, with its query, or the URL of Twilio's API that
    /// was called; `null` for an imported record.
    pub url: Option<String>,
    /// The name of the key that verified the signature; `null` if there was none.
    pub verified_by: Option<String>,
    /// The body as received.
    #[serde(flatten)]
    pub body: Body,
    /// What is unusual about the event.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<&'static str>,
    /// Paths of the event and its body.
    pub links: EntryLinks,
}

/// A click on a link of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClickEntry {
    /// The link.
    pub link: Option<String>,
    /// When Twilio says that it was followed.
    pub clicked_at: Option<String>,
    /// The User-Agent of the program that followed it.
    pub user_agent: Option<String>,
    /// True if a program probably followed it by itself, such as the preview of a messenger.
    pub likely_preview: bool,
}

fn text(text: Option<&SmolStr>) -> Option<String> {
    text.map(ToString::to_string)
}

impl Message {
    /// A message without its timeline; the title of its error is from the table of error codes.
    pub fn new(
        key: &MessageKey,
        lifecycle: &Lifecycle,
        as_of_position: Position,
        error_codes: &ErrorCodes,
    ) -> Self {
        let Lifecycle { evidence, first_received_at, last_received_at, counts, .. } = lifecycle;
        let error_code = evidence.error_code();
        let receipt = evidence.receipt.as_ref();
        let [time_to_sent, sent_to_delivered] = durations(&evidence.status_times);
        let (details, clicks) = (&evidence.details, evidence.details.clicks());
        let country = evidence.to().and_then(Country::from_address);
        Self {
            message_sid: key.message_sid.to_string(),
            status: status_name(evidence.status()),
            terminal: evidence.is_terminal(),
            settled: evidence.is_settled(),
            conflict: evidence.has_conflict(),
            rule: evidence.rule.name(),
            account_sid: key.account_sid.as_ref().map(ToString::to_string),
            account_name: None,
            messaging_service_sid: evidence.messaging_service_sid().map(str::to_owned),
            from: evidence.from().map(str::to_owned),
            to: evidence.to().map(str::to_owned),
            channel: evidence.channel().to_owned(),
            error_code: error_code.map(ErrorCode::number),
            error_title: error_code.map(|code| error_codes.title(code)),
            error_codes: evidence.error_codes().into_iter().map(ErrorCode::number).collect(),
            raw_dlr_done_date: text(receipt.map(|receipt| &receipt.raw_dlr_done_date)),
            first_received_at: first_received_at.to_string(),
            last_received_at: last_received_at.to_string(),
            status_times: times(evidence.status_times.iter()),
            occurred_times: times(evidence.details.occurred_times()),
            occurred_at: occurred_at(evidence.kinds, &evidence.details).map(|at| at.to_string()),
            events: counts.events,
            duplicates: counts.duplicates,
            late: counts.late,
            unrecognised: counts.unrecognised,
            as_of_position,
            labels: evidence.kinds.labels().map(Label::name).collect(),
            tags: tag_values(&evidence.tags),
            tags_dropped: evidence.tags.has_dropped(),
            country: country.map(|country| country.as_str().to_owned()),
            time_to_sent_ms: time_to_sent.known(),
            sent_to_delivered_ms: sent_to_delivered.known(),
            segments: details.segments(),
            price: details.price().map(|price| price.amount.to_string()),
            currency: details.price().map(|price| price.currency.as_str().to_owned()),
            mcc: details.carrier().map(|carrier| carrier.mcc().to_owned()),
            mnc: details.carrier().map(|carrier| carrier.mnc().to_owned()),
            carrier: details.carrier().and_then(Carrier::name),
            clicks: clicks.map_or(0, Clicks::count),
            first_clicked_at: clicks.and_then(Clicks::first_at).map(|at| at.to_string()),
            previews: clicks.map_or(0, Clicks::previews),
            feedback: details.feedback().map(FeedbackOutcome::name),
            explanation: None,
            links: None,
            timeline: None,
        }
    }

    /// The same with the name of its account, if it has one.
    pub fn with_account_name(self, names: &AccountNames) -> Self {
        let name = self.account_sid.as_deref().and_then(|sid| names.name(sid));
        Self { account_name: name.map(str::to_owned), ..self }
    }

    /// The texts that may contain addresses, apart from those of its timeline.
    pub(super) fn texts(&self) -> MessageTexts<'_> {
        MessageTexts {
            message_sid: &self.message_sid,
            account_sid: self.account_sid.as_deref(),
            messaging_service_sid: self.messaging_service_sid.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            channel: &self.channel,
            raw_dlr_done_date: self.raw_dlr_done_date.as_deref(),
            tags: tag_pairs(&self.tags),
        }
    }

    /// The same with its timeline, its links and the explanation of its status.
    pub fn with_timeline(
        self,
        evidence: &Evidence,
        timeline: impl IntoIterator<Item = TimelineEntry>,
    ) -> Self {
        let timeline: Vec<_> = timeline.into_iter().collect();
        let of_error = || timeline.iter().filter(|entry| entry.error_code == self.error_code);
        let links = MessageLinks::new(self.account_sid.as_deref(), &self.message_sid);
        Self {
            explanation: Some(MessageExplanation {
                why: explanation::why(evidence).join(" "),
                error_message: of_error().find_map(|entry| entry.error_message.clone()),
                channel_status_message: of_error()
                    .find_map(|entry| entry.channel_status_message.clone()),
            }),
            links: Some(links),
            timeline: Some(timeline),
            ..self
        }
    }
}

impl TimelineEntry {
    /// An event, what was read from it, and what it did. To mask addresses, mask the event first, and
    /// read the texts from the masked event.
    pub fn new(
        event: &RecordedEvent,
        texts: FailureTexts,
        reported: &StatusReported,
        effect: Effect,
        change: StatusChange,
    ) -> Self {
        let status = reported.status.map(|status| status.name().to_owned());
        let details = reported.details.as_deref();
        Self {
            position: event.position,
            event_id: event.event_id.to_string(),
            received_at: event.received_at.to_string(),
            occurred_at: reported.occurred_at().map(|at| at.to_string()),
            source: event.source.name(),
            status: status.or_else(|| text(reported.unrecognised.as_ref())),
            effect: effect.name(),
            duplicate_of: match effect {
                Effect::Duplicate(position) => Some(position),
                _ => None,
            },
            error_code: reported.error_code.map(ErrorCode::number),
            click: details.and_then(|details| details.click.as_ref()).map(ClickEntry::new),
            feedback: details.and_then(|details| details.feedback).map(FeedbackOutcome::name),
            error_message: texts.error_message,
            channel_status_message: texts.channel_status_message,
            explanation: explanation::of_event(event, reported, effect, change),
            url: Some(event.url.clone()).filter(|url| !url.is_empty()),
            verified_by: event.verified_by.clone(),
            body: Body::new(&event.body),
            labels: reported.labels.iter().copied().map(Label::name).collect(),
            links: EntryLinks::new(event.position),
        }
    }
}

impl ClickEntry {
    fn new(reported: &ReportedClick) -> Self {
        Self {
            link: reported.link.clone(),
            clicked_at: reported.click.at.map(|at| at.to_string()),
            user_agent: reported.user_agent.clone(),
            likely_preview: reported.click.is_preview,
        }
    }
}

/// Each name with its values.
pub fn tag_values(tags: &Tags) -> BTreeMap<String, Vec<String>> {
    let values = tags.by_name().map(|(name, values)| (name, values.map(str::to_owned)));
    values.map(|(name, values)| (name.to_owned(), values.collect())).collect()
}

fn times(times: impl Iterator<Item = (Status, Timestamp)>) -> Map<String, Value> {
    times.map(|(status, at)| (status.name().to_owned(), at.to_string().into())).collect()
}
