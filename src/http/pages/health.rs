//! `GET /health`: the checks of `doctor` as a page, with what is missing or rejected on top.

use std::sync::Arc;

use actix_web::http::header::LOCATION;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;

use super::checks::areas::{Area, areas};
use super::checks::forwarding::{TargetRow, rows};
use super::checks::glance::{Figure, figures};
use super::checks::rejected::Rejected;
use super::checks::silence::Silence;
use super::checks::verdict::Verdict;
use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use crate::checks::report::CheckReport;
use crate::http::admin::quarantine::{NewRecheck, check_scope, parsed};
use crate::http::admin::{checks, targets};
use crate::http::auth::form::CheckedForm;
use crate::http::auth::redaction::Redaction;
use crate::http::auth::tokens::Scope;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};

/// The page.
#[derive(Template)]
#[template(path = "health.html")]
struct HealthPage<'a> {
    page: Page,
    verdict: Verdict,
    figures: [Figure; 6],
    silence: Option<Silence>,
    rejected: Option<Rejected>,
    targets: Vec<TargetRow>,
    areas: Vec<Area<'a>>,
    report: &'a CheckReport,
}

/// The state of the ledger and its server.
pub async fn health(
    visit: Visit,
    _: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let state = visit.state.clone();
    let (report, statuses): (Arc<CheckReport>, _) =
        web::block(move || Ok::<_, Problem>((checks::report(&state)?, targets::statuses(&state)?)))
            .await??;
    let head = visit.state.projection.head();
    let verdict = Verdict::new(&report, head == 0);
    let frame = visit.page(Section::Health, verdict.title.clone()).as_of(head);
    html(&HealthPage {
        page: frame.json("/v1/checks"),
        figures: figures(&report),
        silence: Silence::new(&report.figures, report.at),
        rejected: Rejected::new(&report, visit.state.recheck.last()),
        targets: rows(&statuses),
        areas: areas(&report),
        report: &report,
        verdict,
    })
}

/// The form of a recheck.
#[derive(Deserialize)]
pub struct RecheckForm {
    dry_run: bool,
    /// Empty for the configured ones.
    public_url: String,
}

/// `POST /health/recheck`: checks what was rejected again, and returns to the page, which shows the result.
pub async fn recheck(
    visit: Visit,
    request: HttpRequest,
    CheckedForm(RecheckForm { dry_run, public_url }): CheckedForm<RecheckForm>,
) -> Result<HttpResponse, Problem> {
    let public_urls = Some(public_url).filter(|url| !url.is_empty()).into_iter().collect();
    let asked = parsed(NewRecheck { dry_run, public_urls, callback_paths: Vec::new() })?;
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    check_scope(scope, &asked)?;
    web::block(move || visit.state.recheck.run(asked)).await??;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, "/health#rj")).finish())
}

impl HealthPage<'_> {
    /// How long the checks took, in milliseconds.
    fn took(&self) -> u128 {
        self.report.took.as_millis()
    }
}
