//! A response that is streamed by a thread: the thread writes chunks, and waits for a slow client, up to a
//! limit.

use std::io::{self, Write};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

use crate::http::connection::Connection;

/// The size of a chunk of the response.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that wait for a slow client.
const CHUNKS_WAITING: usize = 4;

/// The size of the socket's send buffer, which holds data in addition to the chunks. At a round trip
/// of 100 ms it allows some megabytes per second; a client that takes 10 KB/s is not disconnected.
const SENT_BYTES_MAX: usize = 256 << 10;

/// The time without progress after which a client is disconnected, so that others can export. It is
/// longer than for the event stream, which a client can continue.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// The chunks of a response, in order.
pub struct Chunks(Receiver<io::Result<Bytes>>);

/// A writer that sends chunks to the client, and waits for a slow one up to [`STALL_TIMEOUT`].
pub struct ChunkWriter {
    sender: Sender<io::Result<Bytes>>,
    connection: Option<Connection>,
    /// The runtime of the connection, on which the timeout runs.
    runtime: Handle,
}

impl ChunkWriter {
    /// A writer for the thread, and the chunks for the response to this request.
    pub fn new(request: &HttpRequest) -> (Self, Chunks) {
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
        let connection = Connection::from_request(request);
        connection.iter().for_each(|connection| connection.limit_send_buffer(SENT_BYTES_MAX));
        (Self { sender, connection, runtime: Handle::current() }, Chunks(chunks))
    }

    /// Aborts the response, which has begun, so that its status code cannot tell.
    pub fn abort(&self, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) {
        let _gone = self.send(Err(io::Error::other(reason)));
    }

    /// Sends a chunk. Fails if the client has disconnected; a stalled client is disconnected, so that
    /// later chunks fail immediately.
    fn send(&self, chunk: io::Result<Bytes>) -> io::Result<()> {
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
        let bytes = &bytes[..bytes.len().min(CHUNK_BYTES)];
        self.send(Ok(Bytes::copy_from_slice(bytes))).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Chunks {
    /// The chunks as the body of the response.
    pub fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        let Self(chunks) = self;
        Box::pin(stream::unfold(chunks, async |mut chunks| Some((chunks.recv().await?, chunks))))
    }
}
