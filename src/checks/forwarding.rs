//! Checks of forwarding: whether each target gets the events that it should.

use std::time::Duration;

use super::context::CheckContext;
use super::finding::Finding;
use crate::domain::{AccountSid, RecordedEvent};
use crate::forward::status::TargetStatus;
use crate::forward::target::Target;
use crate::store::forward::{ForwardStore, TargetState};
use crate::store::{self, Store, StoreError, inspect};
use crate::text::{in_words, number};
use crate::twilio::accounts::Accounts;
use crate::twilio::callback::ParsedCallback;

/// The age of the oldest unaccepted event from which a target is behind: a restart of the application takes
/// less.
const LAG_MAX: Duration = Duration::from_secs(15 * 60);

/// The number of unaccepted events from which a target is behind: a target reads no further while as many
/// wait.
const LAG_EVENTS_MAX: u64 = 100_000;

/// The number of unaccepted events that are examined, in order of position: there may be millions after an
/// outage.
const EXAMINED_MAX: usize = 1000;

/// The last answer of an event that could not be signed.
const NOT_SIGNED: &str = "not_signed";

/// Checks every target that is configured, or has a state.
pub fn each(context: &CheckContext) -> Vec<Finding> {
    let (Some(database), Some(log)) = (context.ledger(), context.store()) else {
        return Vec::new();
    };
    // Another check reports what is wrong with the configuration.
    let Ok(targets) = context.settings.targets() else { return Vec::new() };
    if context.unreadable.is_some() {
        return Vec::new();
    }
    let read = || {
        let forward = store::read_forward_store(database)?;
        let forward = forward.as_deref();
        let all = TargetStatus::read_all(log, forward, &targets, context.now)?;
        let accounts = context.key_settings().accounts().ok();
        let is_served = inspect::is_held(database).unwrap_or(false);
        let mut findings = Vec::new();
        for status in &all {
            let target = targets.iter().find(|target| target.name == status.name);
            let accounts = accounts.as_ref();
            let examined = Examined { status, target, accounts, log, forward, is_served };
            findings.extend(examined.findings()?.into_iter().map(|of| of.of(&status.name)));
        }
        Ok(findings)
    };
    read().unwrap_or_else(|error: StoreError| {
        let advice = "if ledger.forward.db is damaged, stop serve, delete it, and set `from` of each target to \
                      the position after which it is to continue";
        vec![Finding::warn(format!("cannot be read: {error}"), advice)]
    })
}

/// A target, with all that its findings depend on.
struct Examined<'a> {
    status: &'a TargetStatus,
    /// `None` if it is no longer configured.
    target: Option<&'a Target>,
    /// `None` if they are invalid, which another check reports.
    accounts: Option<&'a Accounts>,
    log: &'a dyn Store,
    forward: Option<&'a dyn ForwardStore>,
    /// True if a server runs.
    is_served: bool,
}

impl Examined<'_> {
    /// Everything that needs attention, or how far the target is.
    fn findings(&self) -> Result<Vec<Finding>, StoreError> {
        let TargetStatus { name, state, .. } = self.status;
        let without_token = self.without_token();
        let Some(state) = state else {
            let not_started = || Finding::ok("not started yet; serve starts it");
            return Ok(vec![without_token.unwrap_or_else(not_started)]);
        };
        if self.target.is_none() {
            let detail = format!("is not configured any more; {}", self.progress(state)?);
            let advice = format!(
                "run forward forget {name}, or configure it again: it continues where it stopped"
            );
            return Ok(vec![Finding::warn(detail, advice)]);
        }
        let found = [self.failing(state), self.behind(state), self.failed()];
        let mut findings: Vec<_> = found.into_iter().flatten().collect();
        findings.extend(self.unsigned()?.or(without_token));
        if findings.is_empty() {
            findings.push(Finding::ok(self.progress(state)?));
        }
        Ok(findings)
    }

    fn progress(&self, state: &TargetState) -> Result<String, StoreError> {
        let (position, head) = (state.read_to.position, self.log.head()?);
        let answer = match &state.last_answer {
            Some(answer) => format!("the last answer {} at {}", answer.text, answer.at),
            None => "nothing was sent yet".to_owned(),
        };
        Ok(format!(
            "up to position {} of {}, {} accepted, {answer}",
            number(position),
            number(head),
            number(state.accepted)
        ))
    }

    fn failing(&self, state: &TargetState) -> Option<Finding> {
        let since = state.failing_since?;
        let answer = state.last_answer.as_ref().map_or("none", |answer| answer.text.as_str());
        let lag = self.lag();
        let detail =
            format!("has accepted nothing since {since}; the last answer: {answer}; {lag}");
        let advice = "see whether the application runs at its URL: once it accepts an event, it gets all of them";
        Some(Finding::warn(detail, advice))
    }

    fn behind(&self, state: &TargetState) -> Option<Finding> {
        let TargetStatus { lag, lag_events, name, .. } = self.status;
        let is_behind = *lag > LAG_MAX || *lag_events > LAG_EVENTS_MAX;
        if !is_behind || state.failing_since.is_some() {
            return None;
        }
        let advice = match self.is_served {
            true => format!(
                "forward list {name} shows what waits, and for which answer; if it only answers slowly, raise \
                 `requests`"
            ),
            false => "start serve, which continues where it stopped".to_owned(),
        };
        Some(Finding::warn(self.lag(), advice))
    }

    fn lag(&self) -> String {
        let TargetStatus { lag, lag_events, .. } = self.status;
        match lag_events {
            0 => "no event waits".to_owned(),
            events => {
                format!("{} events wait, the oldest for {}", number(*events), in_words(*lag))
            }
        }
    }

    fn failed(&self) -> Option<Finding> {
        let TargetStatus { name, counts, .. } = self.status;
        (counts.failed > 0).then(|| {
            Finding::warn(
                format!("{} events were given up", number(counts.failed)),
                format!(
                    "forward list {name} shows why; forward retry {name} sends them again, and forward skip \
                     {name} --failed never"
                ),
            )
        })
    }

    /// The first event that could not be signed, of those that are examined.
    fn unsigned(&self) -> Result<Option<Finding>, StoreError> {
        let Some(forward) = self.forward else { return Ok(None) };
        let unaccepted = forward.unaccepted(&self.status.name, 0, EXAMINED_MAX)?;
        let mut unsigned = unaccepted.into_iter().filter(|event| {
            event.last_answer.as_ref().is_some_and(|answer| answer.text == NOT_SIGNED)
        });
        let Some(first) = unsigned.next().map(|event| event.position) else { return Ok(None) };
        let more = match unsigned.count() {
            0 => String::new(),
            more => format!(" and {} after it", number(more as u64)),
        };
        let event = self.log.read_at(&[first])?.into_iter().next();
        let account = match event.as_ref().and_then(account_of) {
            Some(sid) => format!("of account {sid}"),
            None => "without an account".to_owned(),
        };
        Ok(Some(Finding::warn(
            format!(
                "the event at position {}, {account},{more} cannot be signed: there is no auth token for it",
                number(first)
            ),
            format!(
                "configure the account with its token; then run forward retry {}",
                self.status.name
            ),
        )))
    }

    /// A target that only gets events of an account without a token.
    fn without_token(&self) -> Option<Finding> {
        let (target, accounts) = (self.target?, self.accounts?);
        let sid = target.selection.filter.account_sid.as_ref()?;
        let is_signed_with_token = target.format.is_request();
        (is_signed_with_token && accounts.get(sid).is_none()).then(|| {
            Finding::warn(
                format!(
                    "its requests cannot be signed: there is no auth token for {}",
                    sid.as_str()
                ),
                "configure the account with its token, or correct `account`",
            )
        })
    }
}

fn account_of(event: &RecordedEvent) -> Option<AccountSid> {
    ParsedCallback::parse(event).account_sid.as_deref().and_then(AccountSid::parse)
}
