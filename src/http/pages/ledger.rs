//! `/ledger`: whether the record is intact, the line that proves it later, and the jobs that check it.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use super::lifecycle::sealed::Seal;
use crate::checks::callback_counts::Counts;
use crate::domain::hash::hex;
use crate::domain::{Position, Rule, Timestamp};
use crate::http::admin::health::lag_seconds;
use crate::http::admin::jobs::{self, NewDryRun, NewJob, NewVerify};
use crate::http::admin::nodes::NodesJson;
use crate::http::admin::state::AdminState;
use crate::http::auth::form::CheckedForm;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::jobs::{DryRunJob, Job, JobState, JobWork, VerifyFinding, VerifyJob};
use crate::seal::stored::last_seal;
use crate::store::Sizes;
use crate::wire::mask;

/// The size of a block of the picture, if there are few events: that of the smallest nodes of the tree that are
/// stored.
const BLOCK_EVENTS_MIN: u64 = 256;

/// The maximum number of blocks in the picture; more of them cannot be told apart.
const BLOCKS_MAX: u64 = 40;

const DAY_SECONDS: u64 = 86_400;

/// The share of a block that is left blank, so that blocks can be told apart.
const GAP: f64 = 0.06;

/// The maximum number of findings on the page; the job has all of them.
const FINDINGS_MAX: usize = 10;

/// The page.
#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    page: Page,
    /// The last verification, by the server itself or by a job; `None` if there was none.
    last: Option<Verification>,
    ledger: Ledger,
    blocks: Blocks,
    verify: Option<Shown<VerifyJob>>,
    dry_run: Option<Shown<DryRunJob>>,
    /// When the last known backup ended, and its position.
    backup: Option<(Timestamp, Position)>,
    /// The last seal; `None` if nothing was sealed.
    seal: Option<Seal>,
    /// Why nothing is sealed: the log contradicts its seals, or there is no key.
    not_sealing: Option<NotSealing>,
    /// How many events are erased.
    erased_events: u64,
    /// The age in days from which messages are erased; `None` if none is.
    erased_after_days: Option<u64>,
    /// The nodes of the ledger; `None` if it has one server.
    nodes: Option<NodesJson>,
    /// Callbacks that were accepted and rejected in the last ten minutes.
    rejected: Option<Counts>,
}

/// The result of a verification.
struct Verification {
    ended_at: Timestamp,
    /// The position up to which it has read; the error if it could not.
    reached: Result<Position, String>,
    findings: Vec<VerifyFinding>,
    /// True if the views were compared with the log, too.
    has_views: bool,
    /// The digest of the views, and their position.
    digest: Option<(Position, String)>,
}

/// The ledger as it is now.
struct Ledger {
    id: String,
    checkpoint: Position,
    /// The root of the tree at the checkpoint; `None` if it is hidden, or there is no event.
    root: Option<String>,
    rule: &'static str,
    lag_events: u64,
    lag_seconds: f64,
    sizes: Sizes,
    first_received_at: Option<Timestamp>,
}

/// The log in blocks of the same number of events, and those of them that were verified.
struct Blocks {
    events: u64,
    complete: u64,
    verified: u64,
    /// The events after the last complete block.
    rest: u64,
    bars: Vec<Bar>,
}

/// One block of the picture, in shares of its width.
struct Bar {
    x: f64,
    width: f64,
    is_verified: bool,
}

/// Why nothing is sealed.
enum NotSealing {
    Differs,
    NoKey,
}

impl NotSealing {
    fn new(state: &AdminState) -> Option<Self> {
        let sealing = state.sealing.as_ref()?;
        match sealing.differs() {
            Some(_) => Some(Self::Differs),
            None => (!sealing.has_key()).then_some(Self::NoKey),
        }
    }
}

/// The form of a dry run.
#[derive(Deserialize)]
pub struct RuleForm {
    rule: String,
}

/// A job, and what is shown of it.
struct Shown<T> {
    job: Job,
    work: T,
    ended_at: Option<Timestamp>,
    may_remove: bool,
}

impl LedgerPage {
    /// True if a job has not ended, so that the page changes by itself.
    fn is_busy(&self) -> bool {
        let verify = self.verify.as_ref().is_some_and(|verify| !verify.job.has_ended());
        verify || self.dry_run.as_ref().is_some_and(|dry_run| !dry_run.job.has_ended())
    }

    /// True if another node verifies the log.
    fn is_verified_elsewhere(&self) -> bool {
        self.nodes.as_ref().is_some_and(|nodes| !nodes.leads)
    }

    /// True if a verification can be started: none is running or waiting.
    fn may_verify(&self) -> bool {
        self.verify.as_ref().is_none_or(|verify| verify.job.has_ended())
    }

    /// The rules, the other one first: the effect of the present one is known.
    fn rules(&self) -> Vec<&'static str> {
        let mut rules = Rule::ALL.map(Rule::name).to_vec();
        rules.sort_by_key(|rule| *rule == self.ledger.rule);
        rules
    }
}

impl Verification {
    /// The last one of those by the server itself and by jobs.
    fn last(state: &AdminState, jobs: &[Job], is_masked: bool) -> Option<Self> {
        let own = state.verifying.as_ref().and_then(|verifying| verifying.last_run());
        let own = own.map(|run| Self {
            ended_at: run.ended_at,
            reached: run.reached,
            findings: run.findings.into_iter().map(VerifyFinding::from).collect(),
            has_views: false,
            digest: None,
        });
        let own = own.map(|own| if is_masked { own.masked() } else { own });
        // Jobs are sorted by their start, and only one of a kind runs at a time.
        let by_job = jobs.iter().find_map(Self::of_job);
        let at = |verification: &Option<Self>| verification.as_ref().map(|v| v.ended_at);
        if at(&own) > at(&by_job) { own } else { by_job }
    }

    fn of_job(job: &Job) -> Option<Self> {
        let JobWork::Verify(VerifyJob { result, .. }) = &job.work else { return None };
        let ended_at = Timestamp::parse(job.ended_at.as_deref()?)?;
        let Some(result) = result else {
            let error = job.error.clone()?;
            let (findings, reached) = (Vec::new(), Err(error));
            return Some(Self { ended_at, reached, findings, has_views: false, digest: None });
        };
        Some(Self {
            ended_at,
            reached: Ok(result.head),
            findings: result.findings.clone(),
            has_views: true,
            digest: result.digest.clone().map(|digest| (result.checkpoint, digest)),
        })
    }

    fn masked(self) -> Self {
        let finding = |finding: VerifyFinding| VerifyFinding {
            detail: mask::text(&finding.detail),
            ..finding
        };
        Self { findings: self.findings.into_iter().map(finding).collect(), ..self }
    }

    /// The position up to which it has read; 0 if it could not.
    fn position(&self) -> Position {
        self.reached.as_ref().map_or(0, |position| *position)
    }

    /// Why it could not read the log.
    fn error(&self) -> Option<&str> {
        self.reached.as_ref().err().map(String::as_str)
    }

    /// The position up to which nothing is wrong; 0 if something is.
    fn unchanged_up_to(&self) -> Position {
        if self.findings.is_empty() { self.position() } else { 0 }
    }
}

impl Ledger {
    /// Reads what is shown of the ledger. Blocks.
    fn read(state: &AdminState, is_masked: bool) -> Result<Self, Problem> {
        let checkpoint = state.store.views().checkpoint()?;
        let head = state.store.head()?;
        let is_shown = checkpoint.position > 0 && !is_masked;
        let first = state.store.read(0, 1)?.into_iter().next();
        Ok(Self {
            id: checkpoint.ledger_id.to_string(),
            checkpoint: checkpoint.position,
            root: is_shown.then(|| hex(&checkpoint.tree.root())),
            rule: checkpoint.rule.name(),
            lag_events: head.saturating_sub(checkpoint.position),
            lag_seconds: lag_seconds(state, checkpoint.position)?,
            sizes: state.store.sizes()?,
            first_received_at: first.map(|event| event.received_at),
        })
    }

    fn bytes_an_event(&self) -> Option<u64> {
        self.sizes.log.checked_div(self.checkpoint)
    }
}

impl Blocks {
    fn new(last: Position, verified_up_to: Position) -> Self {
        let mut events = BLOCK_EVENTS_MIN;
        while last / events > BLOCKS_MAX {
            events *= 2;
        }
        let (complete, rest) = (last / events, last % events);
        let unit = 1.0 / (last as f64 / events as f64).max(1.0);
        let bar = |index: u64, share: f64| Bar {
            x: (index as f64 + GAP / 2.0) * unit,
            width: (share - GAP).max(share / 2.0) * unit,
            is_verified: ((index + 1) * events).min(last) <= verified_up_to,
        };
        let mut bars: Vec<_> = (0..complete).map(|index| bar(index, 1.0)).collect();
        if rest > 0 {
            bars.push(bar(complete, rest as f64 / events as f64));
        }
        Self { events, complete, verified: complete.min(verified_up_to / events), rest, bars }
    }
}

impl<T> Shown<T> {
    /// The newest job of a kind.
    fn newest(
        jobs: &[Job],
        request: &HttpRequest,
        of_kind: impl Fn(&JobWork) -> Option<T>,
    ) -> Option<Self> {
        jobs.iter().find_map(|job| {
            Some(Self {
                work: of_kind(&job.work)?,
                ended_at: job.ended_at.as_deref().and_then(Timestamp::parse),
                may_remove: jobs::may_end(request, job),
                job: job.clone(),
            })
        })
    }

    fn is_waiting(&self) -> bool {
        self.job.state == JobState::Waiting
    }
}

/// `GET /ledger`.
pub async fn ledger(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let jobs = jobs::visible(visit.state.clone(), redaction, None).await?;
    let (state, is_masked) = (visit.state.clone(), redaction.is_masked());
    let ledger = web::block(move || {
        state.wait_for_views()?;
        let seal =
            last_seal(&*state.store)?.map(|seal| seal.attested(&*state.store)).transpose()?;
        let seal = seal.map(|seal| Seal::new(&seal));
        let erased = state.store.erasing().erased_count()?;
        let ledger = Ledger::read(&state, is_masked)?;
        Ok::<_, Problem>((ledger, seal, NotSealing::new(&state), erased))
    });
    let (ledger, seal, not_sealing, erased_events) = ledger.await??;
    let last = Verification::last(&visit.state, &jobs, is_masked);
    let unchanged_up_to = last.as_ref().map_or(0, Verification::unchanged_up_to);
    let verify = Shown::newest(&jobs, &request, |work| match work {
        JobWork::Verify(verify) => Some(verify.clone()),
        JobWork::Export(_) | JobWork::DryRun(_) => None,
    });
    let dry_run = Shown::newest(&jobs, &request, |work| match work {
        JobWork::DryRun(dry_run) => Some(dry_run.clone()),
        JobWork::Export(_) | JobWork::Verify(_) => None,
    });
    let checks = visit.state.checks.as_ref();
    let report = checks.and_then(|checks| checks.last());
    let backup = report.as_ref().and_then(|report| report.figures.backup.as_ref());
    let frame = visit.page(Section::Ledger, "Ledger").as_of(ledger.checkpoint);
    html(&LedgerPage {
        page: frame.json("/v1/jobs?kind=verify"),
        last,
        blocks: Blocks::new(ledger.checkpoint, unchanged_up_to),
        ledger,
        verify,
        dry_run,
        backup: backup.and_then(|it| Some((Timestamp::parse(&it.ended_at)?, it.position))),
        seal,
        not_sealing,
        erased_events,
        erased_after_days: visit.state.erase_after.map(|age| age.as_secs() / DAY_SECONDS),
        nodes: NodesJson::new(&visit.state.lead),
        rejected: checks.map(|checks| checks.recent().last_minutes(visit.now)),
    })
}

/// `POST /ledger/verify`: starts a verification.
pub async fn verify(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
    _: CheckedForm<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    start(visit, redaction, &request, NewJob::Verify(NewVerify { expect: None })).await
}

/// `POST /ledger/dry-run`: starts a dry run of the form's rule.
pub async fn dry_run(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
    CheckedForm(RuleForm { rule }): CheckedForm<RuleForm>,
) -> Result<HttpResponse, Problem> {
    start(visit, redaction, &request, NewJob::DryRun(NewDryRun { rule })).await
}

async fn start(
    visit: Visit,
    redaction: Redaction,
    request: &HttpRequest,
    new_job: NewJob,
) -> Result<HttpResponse, Problem> {
    let token = jobs::token_name(request)?;
    jobs::begin(visit.state.clone(), redaction, new_job, token).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/ledger#jobs")).finish())
}
