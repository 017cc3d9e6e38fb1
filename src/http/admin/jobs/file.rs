//! The file of an export that is done, and its manifest.

use std::io::{self, ErrorKind, Write};

use actix_web::body::SizedStream;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse};

use super::find;
use crate::export::manifest::Manifest;
use crate::http::access::returned::Returned;
use crate::http::admin::exports::AS_OF_POSITION;
use crate::http::admin::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures};
use crate::http::stream::chunks::{CHUNK_BYTES, ChunkWriter};
use crate::jobs::{ExportJob, Job, JobState, JobWork};

/// The file of an export that is done.
#[utoipa::path(get, path = "/v1/jobs/{job}/file", operation_id = "job_file", tag = "jobs",
    params(("job" = String, Path, description = "The id of the export")),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8"),
        (String = "application/vnd.apache.parquet"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Failures))]
pub async fn file(
    request: HttpRequest,
    id: web::Path<String>,
    state: Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let job = find(state.clone(), redaction, &id).await?;
    let export = done(&job)?.clone();
    let permit = state.exports.acquire()?;
    let opened = web::block(move || state.jobs.open_file(&job)).await?;
    let mut opened = opened.map_err(|error| match error.kind() {
        ErrorKind::NotFound => Problem::NotFound("the file of this export was removed".to_owned()),
        _ => Problem::Internal,
    })?;
    let (writer, chunks) = ChunkWriter::new(&request);
    if request.method() != Method::HEAD {
        returned.add(usize::try_from(export.rows).unwrap_or(usize::MAX));
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let _permit = permit;
            let mut out = io::BufWriter::with_capacity(CHUNK_BYTES, &writer);
            let copied = io::copy(&mut opened, &mut out).and_then(|_| out.flush());
            if let Err(error) = copied {
                writer.abort(error);
            }
        });
        thread.map_err(|_| Problem::Internal)?;
    }
    let media_type = export.format.media_type().parse().map_err(|_| Problem::Internal)?;
    let disposition = format!("attachment; filename=\"{}\"", export.file_name());
    Ok(HttpResponse::Ok()
        .insert_header(ContentType(media_type))
        .insert_header((CONTENT_DISPOSITION, disposition))
        .insert_header((AS_OF_POSITION, export.as_of_position.to_string()))
        .body(SizedStream::new(export.bytes, chunks.into_stream())))
}

/// The manifest of an export that is done: position, root, rule, filters, and rows, bytes and SHA-256 of the
/// file.
#[utoipa::path(get, path = "/v1/jobs/{job}/manifest", operation_id = "job_manifest", tag = "jobs",
    params(("job" = String, Path, description = "The id of the export")),
    responses((status = 200, body = Manifest), Failures))]
pub async fn manifest(
    id: web::Path<String>,
    state: Data<AdminState>,
    redaction: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let job = find(state.clone(), redaction, &id).await?;
    let manifest = state.jobs.manifest(done(&job)?).ok_or(Problem::Internal)?;
    response::json(HttpResponse::Ok(), &manifest)
}

/// The export; the error if the job is another one, or has no file.
fn done(job: &Job) -> Result<&ExportJob, Problem> {
    let JobWork::Export(export) = &job.work else {
        return Err(Problem::Conflict("this job is no export, and has no file".to_owned()));
    };
    match job.state {
        JobState::Done => Ok(export),
        JobState::Waiting | JobState::Running => {
            Err(Problem::Conflict("the export is not complete yet".to_owned()))
        }
        JobState::Failed => {
            let error = job.error.as_deref().unwrap_or_default();
            Err(Problem::Conflict(format!("the export has failed: {error}")))
        }
    }
}
