//! `GET /v1/exports/…`: streamed exports.
//!
//! A thread reads the ledger and writes the export; it waits for a slow client, up to a limit.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::{Deserialize, Deserializer};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use utoipa::IntoParams;

use super::events::event_filter;
use super::message_list::message_filter;
use super::state::AdminState;
use crate::domain::Position;
use crate::domain::event_filter::EventFilter;
use crate::domain::message::filter::MessageFilter;
use crate::export::{self, Content, ExportError, ExportRow, ExportView, FileFormat};
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::connection::Connection;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::wire::event_parameters::EventParameters;
use crate::wire::filter::MessageParameters;
use crate::wire::parameters;

/// The size of a chunk of the response.
const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait for a slow client.
const CHUNKS_WAITING: usize = 4;

/// The size of the socket's send buffer, which holds data in addition to the chunks. At a round trip
/// of 100 ms it allows some megabytes per second; a client that takes 10 KB/s is not disconnected.
const SENT_BYTES_MAX: usize = 256 << 10;

/// The time without progress after which a client is disconnected, so that others can export. It is
/// longer than for the event stream, which a client can continue.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

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

/// The kind of an export.
enum Wanted {
    Messages(MessageFilter),
    Events(EventFilter),
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
    let wanted = Wanted::Messages(redaction.check_filter(message_filter(filter, &state)?)?);
    export(request, state, redaction, returned, parameters, wanted).await
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
    let wanted = Wanted::Events(redaction.check_event_filter(event_filter(filter, &state)?)?);
    export(request, state, redaction, returned, parameters, wanted).await
}

async fn export(
    request: HttpRequest,
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    parameters: ExportParameters,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let format = parameters.format.unwrap_or(FileFormat::Ndjson);
    let tag_columns = parameters.tag_columns;
    redaction.check_tag_names(tag_columns.iter().map(String::as_str))?;
    let asked_columns = tag_columns.clone();
    let permit = state.exports.acquire()?;
    let ready = state.clone();
    let tags_of = match &wanted {
        Wanted::Messages(filter) => Some(filter.clone()),
        Wanted::Events(_) => None,
    };
    let pin = web::block(move || {
        ready.wait_for_views()?;
        if let Some(filter) = &tags_of {
            ready.check_tags(filter, false, redaction)?;
        }
        if !asked_columns.is_empty() {
            let known = ready.tag_names(redaction)?;
            format
                .check_tag_columns(&asked_columns, &known)
                .map_err(|bad| Problem::Conflict(format!("tag_columns: {bad}")))?;
        }
        // The log contains everything that the views have read.
        let last = ready.store.views().checkpoint()?.position;
        match parameters.as_of_position {
            Some(pin) if pin > last => Err(Problem::Conflict(format!(
                "as_of_position `{pin}` is beyond {last}, the views' checkpoint"
            ))),
            pin => Ok(pin.unwrap_or(last)),
        }
    });
    let view = ExportView { pin: pin.await??, masked: redaction.is_masked() };
    let (content, (sender, chunks)) = (wanted.content(), mpsc::channel(CHUNKS_WAITING));
    if request.method() != Method::HEAD {
        let (connection, runtime) = (Connection::from_request(&request), Handle::current());
        connection.iter().for_each(|connection| connection.limit_send_buffer(SENT_BYTES_MAX));
        let chunks = ChunkWriter { sender, connection, runtime };
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let _permit = permit;
            let ended = write(&state, &wanted, format, view, &tag_columns, &returned, &chunks);
            if let Err(ended) = ended {
                // The response has begun, so it can only be aborted.
                let _gone = chunks.send(Err(io::Error::other(ended)));
            }
        });
        thread.map_err(|_| Problem::Internal)?;
    }
    let chunks = stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks)));
    let name = format!("{}-{}.{}", content.name(), view.pin, format.name());
    Ok(HttpResponse::Ok()
        .insert_header(ContentType(format.media_type().parse().map_err(|_| Problem::Internal)?))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header(("X-As-Of-Position", view.pin.to_string()))
        .streaming(Box::pin(chunks)))
}

fn write(
    state: &AdminState,
    wanted: &Wanted,
    format: FileFormat,
    view: ExportView,
    tag_columns: &[String],
    returned: &Returned,
    chunks: &ChunkWriter,
) -> Result<(), ExportError> {
    let out = BufWriter::with_capacity(CHUNK_BYTES, chunks);
    let mut rows = format.begin(wanted.content(), tag_columns, out)?;
    match wanted {
        Wanted::Messages(filter) => {
            export::messages(&*state.store, filter, view, &state.error_codes, &mut |message| {
                returned.add(1);
                rows.row(&ExportRow::Message(Box::new(message)))
            })?
        }
        Wanted::Events(filter) => export::events(&*state.store, filter, view, &mut |event| {
            returned.add(1);
            rows.row(&ExportRow::Event(Box::new(event)))
        })?,
    };
    rows.finish()
}

impl Wanted {
    fn content(&self) -> Content {
        match self {
            Wanted::Messages(_) => Content::Messages,
            Wanted::Events(_) => Content::Events,
        }
    }
}

/// A writer that sends chunks to the client, and waits for a slow one up to [`STALL_TIMEOUT`].
struct ChunkWriter {
    sender: Sender<io::Result<web::Bytes>>,
    connection: Option<Connection>,
    /// The runtime of the connection, on which the timeout runs.
    runtime: Handle,
}

impl ChunkWriter {
    /// Sends a chunk. Fails if the client has disconnected; a stalled client is disconnected, so that
    /// later chunks fail immediately.
    fn send(&self, chunk: io::Result<web::Bytes>) -> io::Result<()> {
        let sent =
            self.runtime.block_on(async { timeout(STALL_TIMEOUT, self.sender.send(chunk)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => {
                tracing::info!(
                    "the client of an export read nothing for too long and is disconnected"
                );
                self.connection.iter().for_each(Connection::cut);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

impl Write for &ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Ok(web::Bytes::copy_from_slice(bytes))).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
