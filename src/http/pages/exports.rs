//! `/exports`: the exports that are made and kept, and the form for another one.

use std::collections::BTreeMap;

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use askama::Template;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use crate::domain::{Position, Timestamp};
use crate::export::{Content, FileFormat};
use crate::http::admin::jobs::{self, FilterValue, NewExport, NewJob};
use crate::http::auth::form::CheckedForm;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query;
use crate::jobs::{ExportJob, Job, JobKind, JobState, JobWork};
use crate::wire::mask;

/// The fields of the form that are not filters.
const FIELDS: [&str; 5] = ["content", "format", "tag_columns", "as_of_position", "mask"];

/// The hidden field with the CSRF token.
const CSRF_FIELD: &str = "csrf_token";

/// The filters with a field of their own.
const PERIOD: [&str; 2] = ["since", "until"];

/// The page.
#[derive(Template)]
#[template(path = "exports.html")]
struct ExportsPage {
    page: Page,
    rows: Vec<Row>,
    form: Form,
    /// Why the export of the form is not possible.
    problem: Option<String>,
    /// The position that an export is pinned to, unless another is given.
    last: Position,
    /// The messages of the ledger.
    messages: u64,
}

/// One export.
struct Row {
    job: Job,
    export: ExportJob,
    created_at: Option<Timestamp>,
    /// True if the client may stop and remove it.
    may_remove: bool,
}

/// A format that can be chosen.
struct FormatChoice {
    value: &'static str,
    name: &'static str,
    is_chosen: bool,
}

/// The fields of the form, by name, as they were given; none is empty.
#[derive(Debug, Default)]
struct Form(BTreeMap<String, String>);

impl ExportsPage {
    /// True if an export has not ended, so that the page changes by itself.
    fn is_busy(&self) -> bool {
        self.rows.iter().any(|row| !row.job.has_ended())
    }

    /// The problem, if it is about the field with this name.
    fn problem_of(&self, name: &str) -> Option<&str> {
        let is_about =
            |problem: &&str| problem.strip_prefix(name).is_some_and(|rest| rest.starts_with(" `"));
        self.problem.as_deref().filter(is_about)
    }

    /// The problem, if it is about no field that has a place for it.
    fn other_problem(&self) -> Option<&str> {
        let has_place = ["since", "until", "as_of_position"];
        let shown = has_place.iter().any(|name| self.problem_of(name).is_some());
        self.problem.as_deref().filter(|_| !shown)
    }
}

impl Row {
    fn is_done(&self) -> bool {
        self.job.state == JobState::Done
    }

    fn is_waiting(&self) -> bool {
        self.job.state == JobState::Waiting
    }

    fn name(&self) -> &'static str {
        match self.export.content {
            Content::Messages => "Messages",
            Content::Events => "Events",
        }
    }

    fn format(&self) -> &'static str {
        format_name(self.export.format)
    }

    /// What was asked for, in words: `status undelivered, since 7d`.
    fn selection(&self) -> String {
        let filters = self.export.filters.iter();
        let shown = |(name, value): (&String, &String)| match PERIOD.contains(&name.as_str()) {
            // `2026-11-19T14:55:40.102938Z`, to the minute.
            true => format!("{name} {}", value.get(..16).unwrap_or(value).replace('T', " ")),
            false => format!("{} {value}", name.replace('_', " ")),
        };
        let mut words: Vec<_> = filters.map(shown).collect();
        if words.is_empty() {
            words.push("all".to_owned());
        }
        words.extend(self.export.masked.then(|| "masked".to_owned()));
        words.join(", ")
    }
}

impl Form {
    /// The form with the fields of a query or a body that are not empty.
    fn new(fields: impl IntoIterator<Item = (String, String)>, redaction: Redaction) -> Self {
        let trimmed = fields.into_iter().map(|(name, value)| (name, value.trim().to_owned()));
        let given = trimmed.filter(|(name, value)| !value.is_empty() && name != CSRF_FIELD);
        // A number that a token sees masked is not shown, although the client has sent it.
        let shown = |(name, value): (String, String)| match redaction.is_masked() {
            true => (mask::text(&name), mask::filter(&name, &value)),
            false => (name, value),
        };
        Self(given.map(shown).collect())
    }

    /// The value of a field; empty if it is not given.
    fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn has(&self, name: &str, value: &str) -> bool {
        self.value(name) == value
    }

    /// The formats, of which CSV is the default.
    fn formats(&self) -> Vec<FormatChoice> {
        let chosen = Some(self.value("format")).filter(|name| !name.is_empty());
        let chosen = chosen.unwrap_or(FileFormat::Csv.name());
        let choice = |format: FileFormat| FormatChoice {
            value: format.name(),
            name: format_name(format),
            is_chosen: format.name() == chosen,
        };
        FileFormat::ALL.iter().copied().map(choice).collect()
    }

    /// The filters that have no field of their own.
    fn further(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter(|(name, _)| !FIELDS.contains(name) && !PERIOD.contains(name))
    }

    /// The names between commas.
    fn tag_columns(&self) -> Vec<String> {
        let names = self.value("tag_columns").split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The export that is asked for.
    fn export(&self) -> Result<NewExport, Problem> {
        let one_of = |name: &str, expected: &str| {
            let value = self.value(name).escape_debug();
            Problem::BadRequest(format!("{name} `{value}` is not {expected}"))
        };
        let content = match self.value("content") {
            "" | "messages" => Content::Messages,
            "events" => Content::Events,
            _ => return Err(one_of("content", "messages or events")),
        };
        let mut formats = FileFormat::ALL.iter().copied();
        let format = match self.value("format") {
            "" => Some(FileFormat::Csv),
            name => formats.find(|format| format.name() == name),
        };
        let names = || FileFormat::ALL.iter().map(|format| format.name()).collect::<Vec<_>>();
        let format = format.ok_or_else(|| one_of("format", &names().join(", ")))?;
        let as_of_position = match self.value("as_of_position") {
            "" => None,
            text => Some(query::position("as_of_position", text)?),
        };
        let filters = self.0.iter().filter(|(name, _)| !FIELDS.contains(&name.as_str()));
        let text = |value: &String| FilterValue::Text(value.clone());
        Ok(NewExport {
            content,
            format: Some(format),
            filters: filters.map(|(name, value)| (name.clone(), text(value))).collect(),
            tag_columns: self.tag_columns(),
            as_of_position,
            mask: self.has("mask", "true").then_some(true),
        })
    }
}

/// `GET /exports`: a query with filters fills in the form.
pub async fn exports(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let form = Form::new(query::values(request.query_string())?, redaction);
    let checked = match form.export() {
        // Without a query, nothing was asked for yet.
        Ok(_) if form.0.is_empty() => Ok(()),
        Ok(export) => jobs::check(visit.state.clone(), redaction, NewJob::Export(export)).await,
        Err(problem) => Err(problem),
    };
    match checked {
        // While the views are being rebuilt, the form can be filled in.
        Ok(()) | Err(Problem::Behind) => {
            html(&page(&visit, redaction, &request, form, None).await?)
        }
        Err(problem) => refused(&visit, redaction, &request, form, problem).await,
    }
}

/// `POST /exports`: starts the export of the form.
pub async fn create(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
    CheckedForm(fields): CheckedForm<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    let form = Form::new(fields, redaction);
    let token = jobs::token_name(&request)?;
    let started = match form.export() {
        Ok(export) => {
            let new_job = NewJob::Export(export);
            jobs::begin(visit.state.clone(), redaction, new_job, token).await.map(|_job| ())
        }
        Err(problem) => Err(problem),
    };
    match started {
        Ok(()) => Ok(see_other("/exports")),
        Err(problem) => refused(&visit, redaction, &request, form, problem).await,
    }
}

/// The form with the reason why its export is not possible.
async fn refused(
    visit: &Visit,
    redaction: Redaction,
    request: &HttpRequest,
    form: Form,
    problem: Problem,
) -> Result<HttpResponse, Problem> {
    if !matches!(problem, Problem::BadRequest(_) | Problem::Conflict(_)) {
        return Err(problem);
    }
    let shown = if redaction.is_masked() { problem.masked() } else { None };
    let reason = Some(shown.as_ref().unwrap_or(&problem).to_string());
    let mut response = html(&page(visit, redaction, request, form, reason).await?)?;
    *response.status_mut() = problem.status_code();
    Ok(response)
}

/// `POST /jobs/{job}/remove`: stops a job, or removes it, and returns to its page.
pub async fn remove(
    visit: Visit,
    redaction: Redaction,
    request: HttpRequest,
    id: web::Path<String>,
    _: CheckedForm<BTreeMap<String, String>>,
) -> Result<HttpResponse, Problem> {
    let job = jobs::find(visit.state.clone(), redaction, &id).await?;
    jobs::end(visit.state.clone(), redaction, &id, &request).await?;
    Ok(see_other(match job.work.kind() {
        JobKind::Export => "/exports",
        JobKind::Verify | JobKind::DryRun => "/ledger",
    }))
}

async fn page(
    visit: &Visit,
    redaction: Redaction,
    request: &HttpRequest,
    form: Form,
    problem: Option<String>,
) -> Result<ExportsPage, Problem> {
    let jobs = jobs::visible(visit.state.clone(), redaction, Some(JobKind::Export)).await?;
    let row = |job: Job| match job.work.clone() {
        JobWork::Export(export) => Some(Row {
            created_at: Timestamp::parse(&job.created_at),
            may_remove: jobs::may_end(request, &job),
            job,
            export,
        }),
        JobWork::Verify(_) | JobWork::DryRun(_) => None,
    };
    let last = visit.state.projection.projected();
    let state = visit.state.clone();
    let messages = web::block(move || state.store.views().count()).await??;
    let frame = visit.page(Section::Exports, "Exports").as_of(last);
    Ok(ExportsPage {
        page: frame.json("/v1/jobs?kind=export"),
        rows: jobs.into_iter().filter_map(row).collect(),
        form,
        problem,
        last,
        messages,
    })
}

fn see_other(path: &'static str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

fn format_name(format: FileFormat) -> &'static str {
    match format {
        FileFormat::Ndjson => "NDJSON",
        FileFormat::Csv => "CSV",
        #[cfg(feature = "parquet")]
        FileFormat::Parquet => "Parquet",
        #[cfg(feature = "xlsx")]
        FileFormat::Xlsx => "XLSX",
    }
}
