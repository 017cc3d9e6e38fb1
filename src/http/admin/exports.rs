//! `GET /v1/exports/…`: streamed exports. A thread reads the ledger and writes the export.

use std::io::BufWriter;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::events::event_filter;
use super::messages::list::message_filter;
use super::state::AdminState;
use crate::domain::Position;
use crate::export::{ExportProgress, ExportRequest, ExportView, FileFormat, Selection};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::http::stream::chunks::{CHUNK_BYTES, ChunkWriter};
use crate::wire::filter::MessageParameters;
use crate::wire::filter::events::EventParameters;
use crate::wire::parameters;

/// The response header with the position that an export is pinned to.
pub const AS_OF_POSITION: &str = "X-As-Of-Position";

/// The format and the position of an export.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ExportParameters {
    /// The default is `ndjson`
    #[param(inline, value_type = FileFormat, required = false)]
    format: Option<FileFormat>,
    /// As of this position
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    as_of_position: Option<Position>,
    /// Names of tags with commas in between, each of which gets a column (`csv` and `xlsx`)
    #[serde(deserialize_with = "names")]
    #[param(value_type = Option<String>, min_length = 1)]
    tag_columns: Vec<String>,
}

fn names<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    let names = parameters::parsed(value, "names with commas in between", parameters::not_empty)?;
    Ok(names.iter().flat_map(|names| names.split(',')).map(str::to_owned).collect())
}

/// Messages as of a position.
#[utoipa::path(get, path = "/v1/exports/messages", operation_id = "export_messages", tag = "exports",
    params(MessageParameters, ExportParameters),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8"),
        (String = "application/vnd.apache.parquet"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Failures))]
pub async fn messages(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(filter, parameters): Query<MessageParameters, ExportParameters>,
) -> Result<HttpResponse, Problem> {
    let selection = Selection::Messages(redaction.check_filter(message_filter(filter, &state)?)?);
    export(request, state, redaction, returned, parameters, selection).await
}

/// Events as they came.
#[utoipa::path(get, path = "/v1/exports/events", operation_id = "export_events", tag = "exports",
    params(EventParameters, ExportParameters),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8"),
        (String = "application/vnd.apache.parquet"),
        (String = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"))), Failures))]
pub async fn events(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(filter, parameters): Query<EventParameters, ExportParameters>,
) -> Result<HttpResponse, Problem> {
    let selection = Selection::Events(redaction.check_event_filter(event_filter(filter, &state)?)?);
    export(request, state, redaction, returned, parameters, selection).await
}

async fn export(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    parameters: ExportParameters,
    selection: Selection,
) -> Result<HttpResponse, Problem> {
    let ExportParameters { format, as_of_position, tag_columns } = parameters;
    let format = format.unwrap_or(FileFormat::Ndjson);
    let permit = state.exports.acquire()?;
    let (ledger, masked) = (state.clone(), redaction.is_masked());
    let export = web::block(move || {
        pinned(&ledger, selection, format, tag_columns, as_of_position, masked, redaction)
    });
    let export = export.await??;
    let (writer, chunks) = ChunkWriter::new(&request);
    let (name, pin) = (export.file_name(), export.view.pin);
    if request.method() != Method::HEAD {
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let _permit = permit;
            let mut out = BufWriter::with_capacity(CHUNK_BYTES, &writer);
            let mut rows = CountedRows(returned);
            let written = export.write(&*state.store, &state.error_codes, &mut out, &mut rows);
            drop(out);
            if let Err(error) = written {
                writer.abort(error);
            }
        });
        thread.map_err(|_| Problem::Internal)?;
    }
    Ok(HttpResponse::Ok()
        .insert_header(ContentType(format.media_type().parse().map_err(|_| Problem::Internal)?))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((AS_OF_POSITION, pin.to_string()))
        .streaming(chunks.into_stream()))
}

/// An export pinned to a position, by default the last one that the views have read. Blocks.
///
/// # Errors
///
/// The views are too far behind, the position is beyond them, or there is no such tag.
pub fn pinned(
    state: &AdminState,
    selection: Selection,
    format: FileFormat,
    tag_columns: Vec<String>,
    as_of_position: Option<Position>,
    masked: bool,
    redaction: Redaction,
) -> Result<ExportRequest, Problem> {
    state.wait_for_views()?;
    if let Selection::Messages(filter) = &selection {
        state.check_tags(filter, false, redaction)?;
    }
    if !tag_columns.is_empty() {
        redaction.check_tag_names(tag_columns.iter().map(String::as_str))?;
        let known = state.tag_names(redaction)?;
        format
            .check_tag_columns(&tag_columns, &known)
            .map_err(|bad| Problem::Conflict(format!("tag_columns: {bad}")))?;
    }
    // The log contains everything that the views have read.
    let last = state.store.views().checkpoint()?.position;
    let pin = match as_of_position {
        Some(pin) if pin > last => {
            return Err(Problem::Conflict(format!(
                "as_of_position `{pin}` is beyond {last}, the views' checkpoint"
            )));
        }
        pin => pin.unwrap_or(last),
    };
    Ok(ExportRequest { selection, format, view: ExportView { pin, masked }, tag_columns })
}

/// Counts the rows for the access record.
struct CountedRows(Returned);

impl ExportProgress for CountedRows {
    fn rows(&mut self, count: u64) {
        self.0.add(count as usize);
    }
}
