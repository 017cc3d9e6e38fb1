//! ExportLimit as they are written: a thread reads the ledger and waits for whoever takes the answer.

use std::io::{self, BufWriter, Write};
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, ContentType};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use utoipa::IntoParams;

use super::message_list::message_filter;
use super::state::AdminState;
use crate::domain::filter::MessageFilter;
use crate::domain::{AccountSid, Position, Timestamp};
use crate::export::{self, Content, EventFilter, ExportError, Format, Row, View};
use crate::http::auth::redaction::Redaction;
use crate::http::connection::Connection;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::Failures;
use crate::wire::filter::{self, MessageParameters};
use crate::wire::parameters;

/// How much is handed over at a time.
const PIECE_BYTES: usize = 64 << 10;

/// How many pieces wait for a client that takes its time.
const PIECES_WAITING: usize = 4;

/// How much the system may keep for a client beside them. Over a line of 100 ms it lets some
/// megabytes a second through; a client that takes 10 KB a second is not cut off.
const SENT_BYTES_MAX: usize = 256 << 10;

/// How long a client may take no piece before its export is cut off: the others wait for its place.
/// Longer than readers of the event stream have, who can come back to where they were.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Of when, and as what.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ExportParameters {
    /// `ndjson` without it
    #[param(inline, value_type = Format, required = false)]
    format: Option<Format>,
    /// As it stood at this position
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    as_of_position: Option<Position>,
}

/// Which events are exported.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct EventParameters {
    #[serde(deserialize_with = "parameters::account_sid")]
    #[param(value_type = Option<String>, min_length = 1)]
    account_sid: Option<AccountSid>,
    #[serde(deserialize_with = "parameters::sid")]
    #[param(min_length = 1)]
    message_sid: Option<String>,
    /// Received then or later: RFC 3339, or a day in UTC
    #[serde(deserialize_with = "parameters::time")]
    #[param(value_type = Option<String>, format = "date-time")]
    since: Option<Timestamp>,
    /// Received before
    #[serde(deserialize_with = "parameters::time")]
    #[param(value_type = Option<String>, format = "date-time")]
    until: Option<Timestamp>,
    /// Whether a simulation sent it
    simulated: Option<bool>,
}

/// What the query asks for.
enum Wanted {
    Messages(MessageFilter),
    Events(EventFilter),
}

/// Messages as they stood at a position.
#[utoipa::path(get, path = "/v1/exports/messages", operation_id = "export_messages", tag = "exports",
    params(MessageParameters, ExportParameters),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8"),
        (String = "application/vnd.apache.parquet"))), Failures))]
pub async fn messages(
    request: HttpRequest,
    state: web::Data<AdminState>,
    shown: Redaction,
    Query(filter, parameters): Query<MessageParameters, ExportParameters>,
) -> Result<HttpResponse, Problem> {
    let wanted = Wanted::Messages(shown.check_filter(message_filter(filter)?)?);
    export(request, state, shown, parameters, wanted).await
}

/// Events as they came.
#[utoipa::path(get, path = "/v1/exports/events", operation_id = "export_events", tag = "exports",
    params(EventParameters, ExportParameters),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8"),
        (String = "application/vnd.apache.parquet"))), Failures))]
pub async fn events(
    request: HttpRequest,
    state: web::Data<AdminState>,
    shown: Redaction,
    Query(filter, parameters): Query<EventParameters, ExportParameters>,
) -> Result<HttpResponse, Problem> {
    let EventParameters { account_sid, message_sid, since, until, simulated } = filter;
    filter::in_order(since, until).map_err(|bad| Problem::Conflict(bad.to_string()))?;
    let sids =
        account_sid.as_ref().map(AccountSid::as_str).into_iter().chain(message_sid.as_deref());
    sids.into_iter().try_for_each(|sid| shown.check_text(sid))?;
    let wanted = Wanted::Events(EventFilter { account_sid, message_sid, since, until, simulated });
    export(request, state, shown, parameters, wanted).await
}

async fn export(
    request: HttpRequest,
    state: web::Data<AdminState>,
    shown: Redaction,
    parameters: ExportParameters,
    wanted: Wanted,
) -> Result<HttpResponse, Problem> {
    let format = parameters.format.unwrap_or(Format::Ndjson);
    let asked_for = parameters.as_of_position;
    let permit = state.exports.acquire()?;
    let ready = state.clone();
    let pin = web::block(move || {
        ready.wait_for_views()?;
        // What the views have read is also in the log.
        let last = ready.store.views().checkpoint()?.position;
        match asked_for {
            Some(pin) if pin > last => Err(Problem::Conflict(format!(
                "as_of_position `{pin}` is beyond {last}, up to where the views have read"
            ))),
            asked_for => Ok(asked_for.unwrap_or(last)),
        }
    });
    let view = View { pin: pin.await??, masked: shown.is_masked() };
    let (content, (sender, pieces)) = (wanted.content(), mpsc::channel(PIECES_WAITING));
    if request.method() != Method::HEAD {
        let (connection, clock) = (Connection::of(&request), Handle::current());
        connection.iter().for_each(|connection| connection.keep_at_most(SENT_BYTES_MAX));
        let pieces = Pieces { sender, connection, clock };
        let thread = std::thread::Builder::new().name("export".to_owned()).spawn(move || {
            let _permit = permit;
            let ended = write(&state, &wanted, format, view, &pieces);
            if let Err(ended) = ended {
                // The answer has begun; that it breaks off is all that can still be said.
                let _gone = pieces.hand_over(Err(io::Error::other(ended)));
            }
        });
        thread.map_err(|_| Problem::Internal)?;
    }
    let pieces = stream::unfold(pieces, async |mut pieces| Some((pieces.recv().await?, pieces)));
    let name = format!("{}-{}.{}", content.name(), view.pin, format.name());
    Ok(HttpResponse::Ok()
        .insert_header(ContentType(format.media_type().parse().map_err(|_| Problem::Internal)?))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header(("X-As-Of-Position", view.pin.to_string()))
        .streaming(Box::pin(pieces)))
}

fn write(
    state: &AdminState,
    wanted: &Wanted,
    format: Format,
    view: View,
    pieces: &Pieces,
) -> Result<(), ExportError> {
    let out = BufWriter::with_capacity(PIECE_BYTES, pieces);
    let mut rows = format.begin(wanted.content(), out)?;
    match wanted {
        Wanted::Messages(filter) => {
            export::messages(&*state.store, filter, view, &mut |message| {
                rows.row(&Row::Message(Box::new(message)))
            })?
        }
        Wanted::Events(filter) => export::events(&*state.store, filter, view, &mut |event| {
            rows.row(&Row::Event(Box::new(event)))
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

/// Hands over what is written, and waits where the other end takes its time, but not for ever.
struct Pieces {
    sender: Sender<io::Result<web::Bytes>>,
    connection: Option<Connection>,
    /// The runtime of the connection, which goes on as long as there is one to wait for.
    clock: Handle,
}

impl Pieces {
    /// Fails where nobody is left to take it. Who is there and does not take it is cut off, so that
    /// whatever is tried after that fails at once.
    fn hand_over(&self, piece: io::Result<web::Bytes>) -> io::Result<()> {
        let sent =
            self.clock.block_on(async { timeout(STALL_TIMEOUT, self.sender.send(piece)).await });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => {
                tracing::info!("a reader of an export took nothing for too long and is cut off");
                self.connection.iter().for_each(Connection::cut);
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    }
}

impl Write for &Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hand_over(Ok(web::Bytes::copy_from_slice(bytes))).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
