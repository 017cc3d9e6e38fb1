//! Check of the share of rejected callbacks, and of the most common reason, as a running server counts
//! them.

use crate::checks::callback_counts::{Counts, RECENT_MINUTES, minute_of, start_of};
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::checks::server::metrics_text::Metrics;
use crate::domain::Timestamp;

/// The share of rejections up to which no action is needed, because forged requests arrive now and
/// then. The alert in docs/deploy has the same limit.
const SHARE_USUAL: f64 = 0.05;

/// The number of rejections that is a failure if no callback has been stored.
const WITHOUT_STORED_MAX: u64 = 10;

/// The share of present rejections that is a failure, if they are an account's own.
const OWN_SHARE_MAX: f64 = 0.01;

/// Fewer present rejections are never a failure.
const RECENT_MIN: u64 = 5;

/// The counts of callbacks since the server started.
struct Refused {
    stored: u64,
    refused: u64,
    /// The most common reason, and its count.
    common: Option<(String, u64)>,
}

/// Checks the share of rejections: in the last minutes, and since the server started.
pub fn share(context: &CheckContext) -> Vec<Finding> {
    let metrics = context.server.metrics.as_ref();
    let refused = metrics.map(Refused::counted);
    refused.map(|refused| refused.finding(present(context))).into_iter().collect()
}

/// Callbacks that are being rejected now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Present {
    /// Since this minute.
    pub since: Timestamp,
    /// Of that time.
    pub counts: Counts,
}

/// Whether too many callbacks are being rejected now: all of at least five in ten minutes, or over 1 % if
/// an account has signed them. `None` also if that is not known, because no server runs.
pub fn present(context: &CheckContext) -> Option<Present> {
    let recent = context.server.recent.as_ref()?;
    let end = minute_of(context.now) + 1;
    let counts = recent.last_minutes(context.now);
    let share = counts.rejected as f64 / counts.all().max(1) as f64;
    let cause = context.examined().ok().flatten().and_then(|examined| examined.cause.as_ref());
    let is_ours = cause.is_some_and(|cause| cause.is_ours);
    let is_failure = counts.accepted == 0 || (is_ours && share > OWN_SHARE_MAX);
    if counts.rejected < RECENT_MIN || !is_failure {
        return None;
    }
    let since = recent.rejected_since(RECENT_MINUTES)?;
    Some(Present { since: start_of(since), counts: recent.between(since, end) })
}

impl Refused {
    fn counted(metrics: &Metrics) -> Self {
        let callbacks = |outcome| {
            metrics.sum("delivery_ledger_callbacks_total", &format!("outcome=\"{outcome}\""))
        };
        let reasons = metrics.labelled("delivery_ledger_refusals_total", "reason");
        // The metric also counts signed callbacks that could not be stored.
        let known =
            reasons.into_iter().filter(|(reason, count)| *count > 0 && advice(reason).is_some());
        let common = known.max_by_key(|(_, count)| *count);
        Self { stored: callbacks("stored"), refused: callbacks("refused"), common }
    }

    fn finding(self, present: Option<Present>) -> Finding {
        let all = self.stored + self.refused;
        let share = self.refused as f64 / all.max(1) as f64;
        let detail = format!("{} of {all} callbacks since the server started", self.refused);
        let (detail, advice) = match &self.common {
            Some((reason, count)) => {
                (format!("{detail}, {count} of them {reason}"), advice(reason).unwrap_or_default())
            }
            None => (detail, "stderr has the reason of each"),
        };
        if let Some(Present { since, .. }) = present {
            return Finding::fail(detail, advice)
                .from_origin(format!("since {}", to_the_minute(since)));
        }
        match share > SHARE_USUAL {
            true if self.stored == 0 && self.refused >= WITHOUT_STORED_MAX => {
                Finding::fail(detail, advice)
            }
            true => Finding::warn(detail, advice),
            false => Finding::ok(detail),
        }
    }
}

/// A time to the minute: `2026-11-25 14:20 UTC`.
pub fn to_the_minute(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(time)) => format!("{day} {time} UTC"),
        _ => text,
    }
}

/// The usual cause of a rejection; `None` if the request itself was not at fault.
fn advice(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "signature_wrong" => {
            "the public URL, a proxy that changes path or query, or a token that was changed at Twilio; \
             quarantine list names the likely cause"
        }
        "account_unknown" => "a sub-account has a SID and a token of its own: configure it",
        "signature_missing" | "signature_not_base64" => {
            "they are not from Twilio, or a proxy removes X-Twilio-Signature"
        }
        "accounts_contradict" => {
            "they are not from Twilio: find out who else calls the callback URL"
        }
        "shared_key_unknown" | "algorithm_unknown" => {
            "Twilio signs with a shared key that is not in shared_keys of its account"
        }
        "body_hash_missing" | "body_hash_wrong" => {
            "a proxy changes JSON bodies, or removes bodySHA256 from the query"
        }
        "body_too_large" | "body_too_slow" | "body_broken" => {
            "they are not from Twilio, or a proxy forwards bodies slowly or incompletely"
        }
        "path" => {
            "a URL at Twilio has a path that is not a callback path: see misdirected; quarantine recheck \
             accepts them once the path is configured"
        }
        "method" => "the method of a callback URL at Twilio is not POST",
        "request" => {
            "a URL at Twilio has characters that must be percent-encoded, or a proxy sends malformed \
             HTTP"
        }
        "media_type" => "they are not from Twilio, or a proxy changes Content-Type",
        _ => return None,
    })
}
