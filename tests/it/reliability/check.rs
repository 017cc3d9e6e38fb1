//! Checks the promises of a ledger after an attack.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use delivery_ledger::domain::{RecordedEvent, Rule};
use delivery_ledger::projection::catch_up;
use delivery_ledger::projection::compatibility::reset_if_incompatible;
use delivery_ledger::projection::digest::digest;
use delivery_ledger::projection::verify::verify;
use delivery_ledger::store::{self, Access, Database, Store};

/// A callback as it was sent: its idempotency token and its body.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sent {
    pub token: String,
    pub body: Vec<u8>,
}

impl Sent {
    fn from_event(event: &RecordedEvent) -> Self {
        let token = event.headers.iter().find(|(name, _)| *name == "i-twilio-idempotency-token");
        let token = token.map_or(String::new(), |(_, value)| String::from_utf8_lossy(value).into());
        Self { token, body: event.body.clone() }
    }
}

/// Returns the first broken promise, or `None` if all are kept.
///
/// Every acknowledged callback is stored byte for byte, at most as often as it was sent; positions have
/// no gaps; nothing is stored that was not sent; `verify` finds nothing; and the views, once caught up,
/// have the digest of a replay.
pub fn broken_promise(
    ledger: &Path,
    acknowledged: &HashSet<Sent>,
    sent: impl Fn(&Sent) -> bool,
) -> Option<String> {
    let opened = store::open(&Database::Sqlite(ledger.to_owned()), Access::Create);
    match opened {
        Err(error) => Some(format!("it cannot be opened: {error}")),
        Ok(store) => wrong_in_log(&*store, acknowledged, sent).or_else(|| wrong_in_views(&*store)),
    }
}

fn wrong_in_log(
    store: &dyn Store,
    acknowledged: &HashSet<Sent>,
    sent: impl Fn(&Sent) -> bool,
) -> Option<String> {
    let events = match read_all(store) {
        Ok(events) => events,
        Err(error) => return Some(error),
    };
    let positions = events.iter().map(|event| event.position);
    if !positions.eq(1..=events.len() as u64) {
        return Some("the positions have gaps".to_owned());
    }
    let there: HashSet<_> = events.iter().map(Sent::from_event).collect();
    if let Some(phantom) = there.iter().find(|event| !sent(event)) {
        return Some(format!("nobody sent {phantom:?}"));
    }
    let missing = acknowledged.difference(&there).count();
    (missing > 0)
        .then(|| format!("{missing} of {} acknowledged callbacks are missing", acknowledged.len()))
}

fn read_all(store: &dyn Store) -> Result<Vec<RecordedEvent>, String> {
    let mut events: Vec<RecordedEvent> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.position);
        let more =
            store.read(after, 10_000).map_err(|error| format!("reading the log: {error}"))?;
        if more.is_empty() {
            return Ok(events);
        }
        events.extend(more);
    }
}

fn wrong_in_views(store: &dyn Store) -> Option<String> {
    let go_on = || -> Result<_, Box<dyn std::error::Error>> {
        reset_if_incompatible(store, Rule::default())?;
        catch_up(store, store.views(), store.head()?, &mut |_| ControlFlow::Continue(()))?;
        // The expected digest is that of a replay.
        Ok((digest(store.views())?, verify(store, None, &mut |_| ControlFlow::Continue(()))?))
    };
    match go_on() {
        Err(error) => Some(format!("the views do not go on: {error}")),
        Ok((_, verified)) if !verified.findings.is_empty() => {
            Some(format!("verify finds {:?}", verified.findings))
        }
        Ok((digest, verified)) if verified.digest != Some(digest) => {
            Some("a replay has another digest".to_owned())
        }
        Ok(_) => None,
    }
}
