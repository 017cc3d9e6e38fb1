//! The ledger's own row of the overview. A problem of its own comes before everything about deliveries: they
//! cannot be judged by callbacks that are missing.

use crate::checks::finding::Outcome;
use crate::checks::report::CheckReport;
use crate::domain::Timestamp;
use crate::http::admin::health;
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;
use crate::http::pages::checks::verdict;
use crate::http::pages::frame::rate;

/// A longer lag is a problem.
const LAG_SECONDS_MAX: f64 = 5.0;

/// The ledger.
pub struct Ledger {
    pub problem: Option<LedgerProblem>,
    pub is_ready: bool,
    pub lag_seconds: f64,
    pub callbacks_a_minute: Option<f64>,
    /// Callbacks that were rejected in the last ten minutes.
    pub rejected: Option<u64>,
}

/// What is wrong with the ledger: a heading, and a sentence about it.
pub struct LedgerProblem {
    pub title: String,
    pub why: String,
}

impl Ledger {
    /// The ledger at this time, and as the last checks found it. Blocks.
    pub fn new(state: &AdminState, now: Timestamp) -> Result<Self, Problem> {
        let readiness = health::readiness(state)?;
        let lag_seconds = readiness.lag_seconds();
        let checks = state.checks.as_ref();
        let checked = checks.and_then(|checks| checks.last());
        let not_ready = readiness.reason().map(|reason| LedgerProblem {
            title: "This ledger is not ready".to_owned(),
            why: format!("{reason}."),
        });
        let behind = (lag_seconds > LAG_SECONDS_MAX).then(|| LedgerProblem {
            title: "The views are behind the log".to_owned(),
            why: format!("By {lag_seconds:.0} seconds: the newest callbacks are not counted yet."),
        });
        Ok(Self {
            is_ready: not_ready.is_none(),
            problem: not_ready.or(behind).or_else(|| of_callbacks(checked.as_deref()?)),
            lag_seconds,
            callbacks_a_minute: rate::callbacks_a_minute(&*state.store, readiness.head(), now)?,
            rejected: checks.map(|checks| checks.recent().last_minutes(now).rejected),
        })
    }
}

/// Callbacks that are rejected, or that do not arrive, in the words of the health page.
fn of_callbacks(report: &CheckReport) -> Option<LedgerProblem> {
    let failed = |name| report.find(name).is_some_and(|found| found.is(Outcome::Fail));
    if !failed("refusals") && !failed("silence") {
        return None;
    }
    let verdict = verdict::Verdict::new(report, false);
    let rejected = verdict.rejected.map(|rejected| rejected.to_string()).unwrap_or_default();
    Some(LedgerProblem {
        title: verdict.title,
        why: format!("{}{rejected}{}", verdict.why, verdict.after),
    })
}
