//! `/v1/jobs`: starts jobs, shows them, and stops or removes them.

mod file;
mod new_job;

use actix_web::http::header::LOCATION;
use actix_web::web::{self, Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, IntoResponses, ToSchema};

pub use self::file::{__path_file, __path_manifest, file, manifest};
pub use self::new_job::{FilterValue, NewDryRun, NewExport, NewJob, NewVerify};
use super::state::AdminState;
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::auth::tokens::Client;
use crate::http::body::{self, BodyBudget};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures, ProblemDetails};
use crate::jobs::{Job, JobKind, NotStarted};

/// Which jobs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct JobParameters {
    /// Only jobs of this kind
    #[param(inline, value_type = JobKind, required = false)]
    kind: Option<JobKind>,
}

/// The jobs that the token sees, newest first.
#[derive(Serialize, ToSchema)]
pub struct JobPage {
    data: Vec<Job>,
}

/// Errors of starting a job, besides those of every endpoint.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it describes what `Problem` answers")]
pub enum StartFailures {
    /// The body did not arrive in time
    #[response(status = 408, content_type = "application/problem+json")]
    TooSlow(ProblemDetails),
    /// The body is longer than 64 KiB
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(ProblemDetails),
    /// The body is not JSON
    #[response(status = 415, content_type = "application/problem+json")]
    NotJson(ProblemDetails),
}

/// Starts a job: an export that is made and kept, a verification, or a dry run of a replay. It continues if
/// the client disconnects. One job of each kind runs at a time; others wait.
#[utoipa::path(post, path = "/v1/jobs", operation_id = "start_job", tag = "jobs",
    request_body = NewJob,
    responses((status = 202, body = Job, headers(("Location" = String))), StartFailures, Failures))]
pub async fn start(
    request: HttpRequest,
    payload: Payload,
    state: Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let started_by = token_name(&request)?;
    if !body::is_json(request.headers()) {
        return Err(Problem::NotJson);
    }
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget).await?;
    let new_job: NewJob = serde_json::from_slice(&body.bytes)
        .map_err(|error| Problem::BadRequest(format!("the body is no such job: {error}")))?;
    let filters = new_job.filter_names();
    let job = begin(state, redaction, new_job, started_by).await?;
    // Only now it is certain that they are known names.
    returned.filter_by(filters.iter().map(String::as_str));
    let mut response = HttpResponse::Accepted();
    response.insert_header((LOCATION, format!("/v1/jobs/{}", job.id)));
    response::json(response, &job)
}

/// The jobs, newest first: at most 100, each for seven days after its end. A token that sees addresses masked
/// sees no export with whole ones.
#[utoipa::path(get, path = "/v1/jobs", operation_id = "jobs", tag = "jobs", params(JobParameters),
    responses((status = 200, body = JobPage), Failures))]
pub async fn list(
    state: Data<AdminState>,
    redaction: Redaction,
    Query(parameters, _): Query<JobParameters>,
) -> Result<HttpResponse, Problem> {
    let data = visible(state, redaction, parameters.kind).await?;
    response::json(HttpResponse::Ok(), &JobPage { data })
}

/// One job, with its progress or its result.
#[utoipa::path(get, path = "/v1/jobs/{job}", operation_id = "job", tag = "jobs",
    params(("job" = String, Path, description = "Its id")),
    responses((status = 200, body = Job), Failures))]
pub async fn one(
    id: web::Path<String>,
    state: Data<AdminState>,
    redaction: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    response::json(HttpResponse::Ok(), &find(state, redaction, &id).await?)
}

/// Stops a job that is waiting or running, and removes it with its file: for the token that started it, or one
/// with the scope `operate`.
#[utoipa::path(delete, path = "/v1/jobs/{job}", operation_id = "remove_job", tag = "jobs",
    params(("job" = String, Path, description = "Its id")),
    responses((status = 204), Failures))]
pub async fn remove(
    request: HttpRequest,
    id: web::Path<String>,
    state: Data<AdminState>,
    redaction: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    end(state, redaction, &id, &request).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Starts a job for the token of this name; a page does the same.
///
/// # Errors
///
/// The job is not possible, or too many are waiting.
pub async fn begin(
    state: Data<AdminState>,
    redaction: Redaction,
    new_job: NewJob,
    started_by: String,
) -> Result<Job, Problem> {
    let started = web::block(move || {
        let request = new_job.request(&state, redaction)?;
        let job = state.jobs.start(request, &started_by).map_err(|error| match error {
            NotStarted::TooMany(_) => Problem::TooManyJobs(error.to_string()),
            NotStarted::Stopping | NotStarted::Thread(_) => Problem::Internal,
        })?;
        Ok::<_, Problem>(job)
    });
    shown(redaction, started.await??)
}

/// Checks that a job could be started.
pub async fn check(
    state: Data<AdminState>,
    redaction: Redaction,
    new_job: NewJob,
) -> Result<(), Problem> {
    web::block(move || new_job.request(&state, redaction).map(drop)).await?
}

/// The jobs that the token may see, newest first.
pub async fn visible(
    state: Data<AdminState>,
    redaction: Redaction,
    kind: Option<JobKind>,
) -> Result<Vec<Job>, Problem> {
    let mut jobs = web::block(move || state.jobs.all()).await?;
    jobs.retain(|job| kind.is_none_or(|kind| job.work.kind() == kind));
    Ok(jobs.into_iter().filter_map(|job| shown(redaction, job).ok()).collect())
}

/// The job with this id, as the token may see it.
pub async fn find(state: Data<AdminState>, redaction: Redaction, id: &str) -> Result<Job, Problem> {
    let wanted = id.to_owned();
    let job = web::block(move || state.jobs.get(&wanted)).await?;
    let none = || {
        Problem::NotFound(format!(
            "there is no job `{}`: it was removed, has expired, or was interrupted by a restart",
            id.escape_debug()
        ))
    };
    shown(redaction, job.ok_or_else(none)?)
}

/// Stops and removes a job for the client of a request.
pub async fn end(
    state: Data<AdminState>,
    redaction: Redaction,
    id: &str,
    request: &HttpRequest,
) -> Result<(), Problem> {
    let job = find(state.clone(), redaction, id).await?;
    if !may_end(request, &job) {
        return Err(Problem::OthersJob { started_by: job.started_by });
    }
    web::block(move || state.jobs.remove(&job.id)).await?;
    Ok(())
}

/// Whether the client of a request may stop and remove this job: the one that started it, or an operator.
pub fn may_end(request: &HttpRequest, job: &Job) -> bool {
    match request.extensions().get::<Client>() {
        Some(Client::Known { name, scope }) => **name == *job.started_by || scope.may_operate,
        Some(Client::Rejected) | None => false,
    }
}

/// The job as the token may see it.
fn shown(redaction: Redaction, job: Job) -> Result<Job, Problem> {
    match redaction.is_masked() {
        true => job.masked().ok_or(Problem::Masked),
        false => Ok(job),
    }
}

/// The name of the request's token.
pub fn token_name(request: &HttpRequest) -> Result<String, Problem> {
    match request.extensions().get::<Client>() {
        Some(Client::Known { name, .. }) => Ok(name.to_string()),
        Some(Client::Rejected) | None => Err(Problem::Internal),
    }
}
