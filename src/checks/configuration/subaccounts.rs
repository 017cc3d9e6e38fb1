//! Checks on the subaccounts that the server fetches from Twilio.

use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::subaccounts::pace;

/// The age from which they are too old: `serve` fetches them daily, so one or two fetches have failed.
const AGE_MAX_MICROS: i64 = 2 * pace::EVERY.as_micros() as i64;

/// Checks how many are known, and since when. No token is part of the finding.
pub fn each(context: &CheckContext) -> Vec<Finding> {
    let summaries = context.key_settings().subaccounts_summaries().into_iter();
    let finding = summaries.map(|(sid, summary)| {
        let advice = "serve fetches them; delivery_ledger_subaccount_refreshes_total and its log say whether it can";
        let finding = match summary {
            Err(error) => Finding::warn(format!("{error:#}"), advice),
            Ok(None) => Finding::warn("not fetched yet, so their callbacks are rejected", advice),
            Ok(Some(summary))
                if context.now.micros() - summary.fetched_at.micros() > AGE_MAX_MICROS =>
            {
                Finding::warn(summary.to_string(), advice)
            }
            Ok(Some(summary)) => Finding::ok(summary.to_string()),
        };
        finding.of(sid)
    });
    finding.collect()
}
