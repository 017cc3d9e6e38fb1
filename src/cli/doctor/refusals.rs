//! How many callbacks are refused, and for what, as a running server counts them.

use super::context::DoctorContext;
use super::finding::Finding;
use crate::cli::common::http_client::Metrics;

/// A share of refusals that nobody has to look at: forged requests come now and then. The alert in
/// docs/deploy begins here too.
const SHARE_USUAL: f64 = 0.05;

/// How many refusals say something while nothing was ever stored.
const TELLING: u64 = 10;

/// What is known of callbacks since somewhere began to count.
struct Refused {
    stored: u64,
    refused: u64,
    /// The reason of most of them, and how many it has.
    common: Option<(String, u64)>,
}

/// The share of refusals since the server started.
pub fn share(context: &DoctorContext) -> Vec<Finding> {
    let metrics = context.server().metrics.as_ref();
    metrics.map(Refused::counted).map(|refused| refused.finding()).into_iter().collect()
}

impl Refused {
    fn counted(metrics: &Metrics) -> Self {
        let callbacks = |outcome| {
            metrics.sum("delivery_ledger_callbacks_total", &format!("outcome=\"{outcome}\""))
        };
        let reasons = metrics.labelled("delivery_ledger_refusals_total", "reason");
        // Those that were not stored although they were signed are counted there too.
        let known =
            reasons.into_iter().filter(|(reason, count)| *count > 0 && advice(reason).is_some());
        let common = known.max_by_key(|(_, count)| *count);
        Self { stored: callbacks("stored"), refused: callbacks("refused"), common }
    }

    fn finding(self) -> Finding {
        let all = self.stored + self.refused;
        let share = self.refused as f64 / all.max(1) as f64;
        let detail = format!("{} of {all} callbacks since the server started", self.refused);
        let (detail, advice) = match &self.common {
            Some((reason, count)) => {
                (format!("{detail}, {count} of them {reason}"), advice(reason).unwrap_or_default())
            }
            None => (detail, "stderr has the reason of each"),
        };
        match share > SHARE_USUAL {
            true if self.stored == 0 && self.refused >= TELLING => Finding::fail(detail, advice),
            true => Finding::warn(detail, advice),
            false => Finding::ok(detail),
        }
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
            "they are not Twilio's, or a proxy takes X-Twilio-Signature away"
        }
        "accounts_contradict" => "they are not Twilio's: look who else calls the callback URL",
        "shared_key_unknown" | "algorithm_unknown" => {
            "Twilio signs with a shared key that is not in shared_keys of its account"
        }
        "body_hash_missing" | "body_hash_wrong" => {
            "a proxy changes JSON bodies or takes bodySHA256 from the query"
        }
        "body_too_large" | "body_too_slow" | "body_broken" => {
            "they are not Twilio's, or a proxy hands bodies over slowly or in part"
        }
        "path" => {
            "a path at Twilio that is no callback path: doctor names it under misdirected; quarantine recheck \
             accepts them once it is configured"
        }
        "method" => "the method of a callback URL at Twilio is not POST",
        "request" => {
            "a URL at Twilio with characters that have to be percent-encoded, or something on the way \
             that writes HTTP badly"
        }
        "media_type" => "they are not Twilio's, or a proxy changes Content-Type",
        _ => return None,
    })
}
