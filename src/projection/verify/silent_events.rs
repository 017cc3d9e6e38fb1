//! Compares the events that name a message and report nothing of it with those of a fresh fold.

use super::findings::{FindingKind, Findings};
use crate::projection::ProjectionError;
use crate::store::{SilentEvent, StoreError, Views};

/// How many are read at a time.
const PAGE_EVENTS: usize = 4096;

/// Compares those in use with those of a fresh fold, as far as the latter has read.
pub fn compare(
    in_use: &dyn Views,
    fresh: &dyn Views,
    findings: &mut Findings,
) -> Result<(), ProjectionError> {
    let up_to = fresh.checkpoint()?.position;
    let mut after = SilentEvent { message: 0, position: 0 };
    loop {
        let theirs = fresh.silent_events(after, u64::MAX, PAGE_EVENTS)?;
        let is_last_page = theirs.len() < PAGE_EVENTS;
        let to = theirs.last().copied().filter(|_| !is_last_page);
        let Some(ours) = findings.of_views(between(in_use, after, to))? else { return Ok(()) };
        let ours = ours.into_iter().filter(|event| event.position <= up_to);
        if !ours.eq(theirs) {
            let detail = "the events that report nothing are not those that the log has";
            findings.add(FindingKind::ProjectionDiffers, None, detail.to_owned());
            return Ok(());
        }
        match to {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

/// All after one event, up to another or to the end.
fn between(
    views: &dyn Views,
    mut after: SilentEvent,
    to: Option<SilentEvent>,
) -> Result<Vec<SilentEvent>, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = views.silent_events(after, u64::MAX, PAGE_EVENTS)?;
        let is_last_page = page.len() < PAGE_EVENTS;
        all.extend(page.into_iter().take_while(|event| to.is_none_or(|to| *event <= to)));
        match all.last() {
            Some(last) if !is_last_page && to.is_none_or(|to| *last < to) => after = *last,
            _ => return Ok(all),
        }
    }
}
