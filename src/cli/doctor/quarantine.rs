//! What the requests in quarantine have in common.

use std::collections::BTreeMap;

use anyhow::Result;

use super::check::Finding;
use super::patient::Patient;
use crate::cli::quarantine::Configured;
use crate::cli::text::number;
use crate::quarantine::Checked;
use crate::store::quarantine::open_for_reading;
use crate::twilio::cause::Cause;

/// How many requests are looked at, the newest: to find out about one takes up to a few milliseconds.
const LOOKED_AT: usize = 50;

/// What the newest of them come to with what is configured now.
#[derive(Default)]
struct Examined {
    kept: u64,
    looked_at: u64,
    would_verify: u64,
    /// By the likely cause: how many, and whether it can be put right here.
    causes: BTreeMap<String, (u64, bool)>,
}

/// Whether any of them would be taken now, else what most of them were refused for.
pub fn common(patient: &Patient) -> Vec<Finding> {
    let examined = match examine(patient) {
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
    vec![examined.finding()]
}

fn examine(patient: &Patient) -> Result<Option<Examined>> {
    let public_urls = patient.flags.public_urls.clone();
    // What is wrong with the configuration, another check has said.
    let Ok(configured) = Configured::of(public_urls, &patient.settings) else { return Ok(None) };
    let Some(database) = patient.ledger() else { return Ok(None) };
    let Some(quarantine) = open_for_reading(database)? else { return Ok(None) };
    let kept = quarantine.kept()?.requests;
    let mut examined = Examined { kept, ..Examined::default() };
    for (_, request) in quarantine.newest(None, LOOKED_AT)? {
        examined.looked_at += 1;
        match configured.check(&request) {
            Checked::Valid(_) => examined.would_verify += 1,
            Checked::Refused(_, cause) => {
                let is_ours = !matches!(cause, Cause::Unknown { .. });
                examined.causes.entry(cause.to_string()).or_insert((0, is_ours)).0 += 1;
            }
        }
    }
    Ok(Some(examined))
}

impl Examined {
    fn finding(self) -> Finding {
        let Self { kept, looked_at, would_verify, causes } = self;
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
