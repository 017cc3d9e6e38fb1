//! Checks on Event Streams: what arrived by them compared with what arrived by status callback, since what only
//! one of them has reported, the other has lost; and requests that could not be read.

use crate::checks::callbacks::refusals::to_the_minute;
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::rollup::range::RollupRange;
use crate::domain::rollup::{Hour, RollupLength};
use crate::store::{StoreError, Views};
use crate::text::number;

/// The time that is compared, in hours: a week, as Event Streams are retried for hours, and a lost callback is
/// of interest as long as Twilio can still be asked.
const HOURS: i64 = 7 * 24;

/// The share of messages that may be reported in one way only: those that are on their way now, and a few
/// that are sent without a StatusCallback.
const SHARE_MAX: f64 = 0.01;

/// How messages were reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Reported {
    by_both: i64,
    only_by_callback: i64,
    only_by_stream: i64,
}

/// Compares both ways, since Event Streams are in use.
pub fn compared(context: &CheckContext) -> Vec<Finding> {
    let Some(store) = context.head().and(context.store()) else { return Vec::new() };
    let now = Hour::from_timestamp(context.now);
    // Another check reports views that cannot be read.
    let Ok(Some((first, reported))) = measure(store.views(), now) else { return Vec::new() };
    let since = format!("since {}", to_the_minute(first.start()));
    reported.findings().into_iter().map(|finding| finding.from_origin(since.as_str())).collect()
}

/// Reports the requests that a running server could not split into events.
pub fn kept_whole(context: &CheckContext) -> Vec<Finding> {
    let Some(metrics) = &context.server.metrics else { return Vec::new() };
    let mut reasons = metrics.labelled("delivery_ledger_batches_kept_whole_total", "reason");
    reasons.retain(|(_, count)| *count > 0);
    if reasons.is_empty() {
        return Vec::new();
    }
    let all: u64 = reasons.iter().map(|(_, count)| count).sum();
    let by_reason: Vec<_> =
        reasons.iter().map(|(reason, count)| format!("{} {reason}", number(*count))).collect();
    let requests = if all == 1 { "request" } else { "requests" };
    vec![Finding::warn(
        format!(
            "{} {requests} of Event Streams since the server started could not be split into events ({})",
            number(all),
            by_reason.join(", ")
        ),
        "each is stored whole, as an event of no message, so what it reports does not count: see whether a \
         proxy changes bodies; export events has it as it arrived",
    )]
}

/// The first hour with Event Streams, and how messages were reported from then on; `None` without Event
/// Streams.
fn measure(views: &dyn Views, now: Hour) -> Result<Option<(Hour, Reported)>, StoreError> {
    let mut hours: Vec<(Hour, Reported)> = Vec::new();
    let range = RollupRange { length: RollupLength::Hour, hours: Hour(now.0 - HOURS)..=now };
    views.for_each_rollup(&[range], &mut |key, rollup| {
        if key.simulated || key.inbound {
            return;
        }
        if hours.last().is_none_or(|(hour, _)| *hour != key.hour) {
            hours.push((key.hour, Reported::default()));
        }
        let details = &rollup.details;
        let (_, sum) = hours.last_mut().expect("an hour was pushed");
        sum.add(Reported {
            by_both: details.by_both,
            only_by_callback: details.by_callback - details.by_both,
            only_by_stream: details.by_stream - details.by_both,
        });
    })?;
    let in_use = hours.iter().position(|(_, hour)| hour.by_both + hour.only_by_stream > 0);
    Ok(in_use.map(|begin| {
        let mut all = Reported::default();
        hours[begin..].iter().for_each(|(_, hour)| all.add(*hour));
        (hours[begin].0, all)
    }))
}

impl Reported {
    fn add(&mut self, other: Self) {
        self.by_both += other.by_both;
        self.only_by_callback += other.only_by_callback;
        self.only_by_stream += other.only_by_stream;
    }

    fn findings(self) -> Vec<Finding> {
        let Self { by_both, only_by_callback, only_by_stream } = self;
        let all = by_both + only_by_callback + only_by_stream;
        let counts = [all, by_both, only_by_callback, only_by_stream];
        let [messages, both, callbacks, streams] =
            counts.map(|count| number(u64::try_from(count).unwrap_or(0)));
        if by_both + only_by_callback == 0 {
            return vec![Finding::ok(format!(
                "{messages} messages were reported by Event Streams, none by a status callback"
            ))];
        }
        let is_much = |count: i64| count as f64 > all as f64 * SHARE_MAX;
        let lost_callbacks = is_much(only_by_stream).then(|| {
            Finding::warn(
                format!(
                    "callbacks are lost: {streams} of {messages} messages were only reported by Event Streams"
                ),
                "see the checks refusals and errors at Twilio, and end the callback URL in #rc=5&rp=all; \
                 messages that are sent without a StatusCallback count, too",
            )
        });
        let lost_events = is_much(only_by_callback).then(|| {
            Finding::warn(
                format!(
                    "events of Event Streams are lost: {callbacks} of {messages} messages were only reported \
                     by callbacks"
                ),
                "see whether Twilio's subscription has every status of messages, and whether every account \
                 has one",
            )
        });
        let findings: Vec<_> = lost_callbacks.into_iter().chain(lost_events).collect();
        match findings.is_empty() {
            false => findings,
            true => vec![Finding::ok(format!(
                "{messages} messages: {both} reported by callbacks and Event Streams, {callbacks} only by \
                 callbacks, {streams} only by Event Streams"
            ))],
        }
    }
}
