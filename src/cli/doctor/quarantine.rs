//! What the requests in quarantine have in common, and where those went that came to no callback path.

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

/// How many requests are looked at, the newest: to find out about one takes up to a few milliseconds.
const LOOKED_AT: usize = 50;

/// How many paths and methods are named. A mistake has one or two; forgers use any number.
const NAMED_MAX: usize = 5;

/// How many paths are read from the quarantine, the most frequent first.
const PATHS_READ_MAX: usize = 100;

/// What the newest of them come to with what is configured now.
#[derive(Default)]
struct Examined {
    kept: u64,
    /// How many of all have a signature that fits, or would fit.
    recognised: u64,
    looked_at: u64,
    would_verify: u64,
    /// By the likely cause: how many, and whether it can be put right here.
    causes: BTreeMap<String, (u64, bool)>,
}

/// Whether any of them would be taken now, else what most of them were refused for.
pub fn common(context: &DoctorContext) -> Vec<Finding> {
    let examined = match examine(context) {
        Ok(Some(examined)) => examined,
        // There is no ledger, or no quarantine yet.
        Ok(None) => return Vec::new(),
        Err(error) => {
            return vec![Finding::warn(
                format!("cannot be read: {error:#}"),
                "where it is damaged, remove ledger.quarantine.db: it is no evidence",
            )];
        }
    };
    let own = examined.own();
    [examined.finding()].into_iter().chain(own).collect()
}

fn examine(context: &DoctorContext) -> Result<Option<Examined>> {
    let configured = Configured::from_settings(&context.settings);
    // What is wrong with the configuration, another check has said.
    let Ok(configured) = configured else { return Ok(None) };
    let Some(database) = context.ledger() else { return Ok(None) };
    let Some(quarantine) = store::read_quarantine(database)? else { return Ok(None) };
    let Kept { requests, recognised, .. } = quarantine.kept()?;
    let mut examined = Examined { kept: requests, recognised, ..Examined::default() };
    for (_, request) in quarantine.newest(None, LOOKED_AT)? {
        examined.looked_at += 1;
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

/// Signed requests that did not come to a callback path by POST: as a running server counts them, and
/// as the quarantine has them, which also knows those before the server's last start.
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
            format!("{} came to {path}, which is no callback path", signed_callbacks(count)),
            "put the URL at Twilio right, or add the path with --callback-path; then run quarantine \
             recheck",
        )
    });
    let of_methods = methods.into_iter().take(NAMED_MAX).map(|((method, path), count)| {
        Finding::warn(
            format!("{} came to {path} by {method}, not by POST", signed_callbacks(count)),
            "set the method of the callback URL to POST at Twilio: what came otherwise is lost",
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

/// The paths in quarantine that were no callback paths, with how many requests each has.
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

    /// How many are an account's own, which a flood of others does not evict.
    fn own(&self) -> Option<Finding> {
        let (own, kept) = (number(self.recognised), number(self.kept));
        let detail = format!("{own} of {kept} have a signature that fits, or would fit");
        (self.recognised > 0).then(|| Finding::ok(detail).of("recognised"))
    }

    fn finding(self) -> Finding {
        let Self { kept, recognised: _, looked_at, would_verify, causes } = self;
        let newest = format!("{} are kept; of the newest {looked_at}", number(kept));
        if would_verify > 0 {
            return Finding::warn(
                format!("{newest}, {would_verify} would be taken now"),
                "run quarantine recheck: it appends them",
            );
        }
        match causes.into_iter().max_by_key(|(_, (count, _))| *count) {
            None => Finding::ok("no request is kept"),
            Some((cause, (count, true))) => Finding::warn(
                format!("{newest}, {count}: {cause}"),
                "put right what the cause names, then run quarantine recheck",
            ),
            Some((cause, (count, false))) => Finding::ok(format!("{newest}, {count}: {cause}")),
        }
    }
}
