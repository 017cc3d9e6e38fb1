//! Checks of the quarantine: the most common cause of rejection, and requests sent to a wrong path or
//! with a wrong method.

use std::collections::BTreeMap;

use anyhow::Result;

use super::context::DoctorContext;
use super::finding::Finding;
use crate::cli::common::text::number;
use crate::cli::quarantine::Configured;
use crate::quarantine::rejection::Rejection;
use crate::quarantine::{CheckOutcome, check};
use crate::store;
use crate::store::quarantine::{Kept, Rank};
use crate::twilio::diagnosis::Diagnosis;
use crate::wire::mask;

/// The number of requests that are examined, newest first: each takes up to a few milliseconds.
const EXAMINED_MAX: usize = 50;

/// The number of paths and methods that are named. A misconfiguration has one or two; forged requests
/// have any number.
const NAMED_MAX: usize = 5;

/// The number of paths that are read from the quarantine, most frequent first.
const PATHS_READ_MAX: usize = 100;

/// The results of checking the newest requests against the current configuration.
#[derive(Default)]
struct Examined {
    kept: u64,
    /// The number of all requests whose signature matches, or would match after a known edit.
    recognised: u64,
    examined: u64,
    would_verify: u64,
    /// By likely cause: the number of requests, and whether the cause can be corrected here.
    causes: BTreeMap<String, (u64, bool)>,
}

/// Checks whether any request would be accepted now, or what most of them were rejected for.
pub fn common(context: &DoctorContext) -> Vec<Finding> {
    let examined = match examine(context) {
        Ok(Some(examined)) => examined,
        // There is no ledger, or no quarantine yet.
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::warn(
                format!("cannot be read: {error:#}"),
                "if it is damaged, delete ledger.quarantine.db: the log does not depend on it",
            )];
        }
    };
    let own = examined.own();
    [examined.finding()].into_iter().chain(own).collect()
}

fn examine(context: &DoctorContext) -> Result<Option<Examined>> {
    let configured = Configured::from_settings(&context.settings);
    // Another check reports an invalid configuration.
    let Ok(configured) = configured else { return Ok(None) };
    let Some(database) = context.ledger() else { return Ok(None) };
    let Some(quarantine) = store::read_quarantine(database)? else { return Ok(None) };
    let Kept { requests, recognised, .. } = quarantine.kept()?;
    let mut examined = Examined { kept: requests, recognised, ..Examined::default() };
    for (_, request) in quarantine.newest(None, EXAMINED_MAX)? {
        examined.examined += 1;
        match check(&request, &configured.accepts()) {
            CheckOutcome::Valid(_) => examined.would_verify += 1,
            CheckOutcome::Unacceptable(reason) => {
                examined.found(reason.to_string(), request.rank == Rank::Recognised);
            }
            CheckOutcome::Refused(_, cause) => {
                examined.found(cause.to_string(), !matches!(cause, Diagnosis::Unknown { .. }));
            }
        }
    }
    Ok(Some(examined))
}

/// Checks for signed requests that were not a POST to a callback path. They are counted by a running
/// server, and stored in the quarantine, which also has those before the server's last start.
pub fn misdirected(context: &DoctorContext) -> Vec<Finding> {
    let counted = context.server().metrics.as_ref().map(|metrics| {
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
fn kept_paths(context: &DoctorContext) -> Option<BTreeMap<String, u64>> {
    let quarantine = store::read_quarantine(context.ledger()?).ok()??;
    let paths = quarantine.paths(Rejection::Path.name(), PATHS_READ_MAX).ok()?;
    Some(paths.into_iter().map(|(path, count)| (mask::path(&path), count)).collect())
}

fn is_callback_path(context: &DoctorContext, path: &str) -> bool {
    let configured = context.settings.callback_paths();
    configured.is_ok_and(|paths| paths.iter().any(|configured| configured.matches(path)))
}

impl Examined {
    fn found(&mut self, cause: String, is_ours: bool) {
        self.causes.entry(cause).or_insert((0, is_ours)).0 += 1;
    }

    /// Reports the number of requests with an account's signature, which a flood of others does not
    /// evict.
    fn own(&self) -> Option<Finding> {
        let (own, kept) = (number(self.recognised), number(self.kept));
        let detail = format!(
            "{own} of {kept} have a signature that matches, or would match after a known edit"
        );
        (self.recognised > 0).then(|| Finding::ok(detail).of("recognised"))
    }

    fn finding(self) -> Finding {
        let Self { kept, recognised: _, examined, would_verify, causes } = self;
        let newest = format!("{} stored; of the newest {examined}", number(kept));
        if would_verify > 0 {
            return Finding::warn(
                format!("{newest}, {would_verify} would be accepted now"),
                "run quarantine recheck: it appends them",
            );
        }
        match causes.into_iter().max_by_key(|(_, (count, _))| *count) {
            None => Finding::ok("no requests are stored"),
            Some((cause, (count, true))) => Finding::warn(
                format!("{newest}, {count}: {cause}"),
                "correct the cause, then run quarantine recheck",
            ),
            Some((cause, (count, false))) => Finding::ok(format!("{newest}, {count}: {cause}")),
        }
    }
}
