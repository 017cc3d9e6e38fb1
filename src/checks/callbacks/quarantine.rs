//! Checks on the quarantine: the most common cause of rejection, and requests sent to a wrong path or
//! with a wrong method.

use std::collections::BTreeMap;

use super::examine::{Cause, Examined};
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::quarantine::rejection::Rejection;
use crate::store;
use crate::text::number;
use crate::wire::mask;

/// The number of paths and methods that are named. A misconfiguration has one or two; forged requests
/// have any number.
const NAMED_MAX: usize = 5;

/// The number of paths that are read from the quarantine, most frequent first.
const PATHS_READ_MAX: usize = 100;

/// Checks whether any request would be accepted now, or what most of them were rejected for.
pub fn common(context: &CheckContext) -> Vec<Finding> {
    let examined = match context.examined() {
        Ok(Some(examined)) => examined,
        // There is no ledger, or no quarantine yet.
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::warn(
                format!("cannot be read: {error}"),
                "if it is damaged, delete ledger.quarantine.db: the log does not depend on it",
            )];
        }
    };
    [of_newest(examined)].into_iter().chain(of_own(examined)).collect()
}

/// Reports the number of requests with an account's signature, which are kept even
/// under a flood of forged ones.
fn of_own(Examined { size, .. }: &Examined) -> Option<Finding> {
    let (own, all) = (number(size.recognised), number(size.requests));
    let detail =
        format!("{own} of {all} have a signature that matches, or would match after a known edit");
    (size.recognised > 0).then(|| Finding::ok(detail).of("recognised"))
}

fn of_newest(examined: &Examined) -> Finding {
    let stored = number(examined.size.requests);
    let newest = format!("{stored} stored; of the newest {}", examined.requests);
    if examined.acceptable > 0 {
        return Finding::warn(
            format!("{newest}, {} would be accepted now", examined.acceptable),
            "run quarantine recheck: it appends them",
        );
    }
    match &examined.cause {
        None => Finding::ok("no requests are stored"),
        Some(Cause { text, requests, is_ours: true, .. }) => Finding::warn(
            format!("{newest}, {requests}: {text}"),
            "correct the cause, then run quarantine recheck",
        ),
        Some(Cause { text, requests, .. }) => Finding::ok(format!("{newest}, {requests}: {text}")),
    }
}

/// Checks for signed requests that were not a POST to a callback path. They are counted by a running
/// server, and stored in the quarantine, which also has those before the server's last start.
pub fn misdirected(context: &CheckContext) -> Vec<Finding> {
    let counted = context.server.metrics.as_ref().map(|metrics| {
        metrics.pairs("delivery_ledger_misdirected_callbacks_total", ("method", "path"))
    });
    let mut paths = kept_paths(context).unwrap_or_default();
    let mut methods = BTreeMap::<_, u64>::new();
    for (method, path, count) in counted.unwrap_or_default().into_iter().filter(|one| one.2 > 0) {
        match is_callback_path(context, &path) {
            true => *methods.entry((method, path)).or_default() += count,
            false => {
                let kept = paths.entry(path).or_default();
                *kept = count.max(*kept);
            }
        }
    }
    paths.retain(|path, _| !is_callback_path(context, path));
    let mut paths: Vec<_> = paths.into_iter().collect();
    paths.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let of_paths = paths.into_iter().take(NAMED_MAX).map(|(path, count)| {
        Finding::warn(
            format!("{} arrived at {path}, which is not a callback path", signed_callbacks(count)),
            "correct the URL at Twilio, or add the path with --callback-path; then run quarantine \
             recheck",
        )
    });
    let of_methods = methods.into_iter().take(NAMED_MAX).map(|((method, path), count)| {
        Finding::warn(
            format!("{} arrived at {path} by {method} instead of POST", signed_callbacks(count)),
            "set the method of the callback URL to POST at Twilio: callbacks by other methods are lost",
        )
    });
    of_paths.chain(of_methods).collect()
}

fn signed_callbacks(count: u64) -> String {
    match count {
        1 => "1 signed callback".to_owned(),
        _ => format!("{} signed callbacks", number(count)),
    }
}

/// The paths in quarantine that were not callback paths, each with its number of requests.
fn kept_paths(context: &CheckContext) -> Option<BTreeMap<String, u64>> {
    let quarantine = store::read_quarantine(context.ledger()?).ok()??;
    let paths = quarantine.paths(Rejection::Path.name(), PATHS_READ_MAX).ok()?;
    Some(paths.into_iter().map(|(path, count)| (mask::path(&path), count)).collect())
}

fn is_callback_path(context: &CheckContext, path: &str) -> bool {
    let configured = context.settings.received_paths();
    configured.is_ok_and(|paths| paths.iter().any(|configured| configured.matches(path)))
}
