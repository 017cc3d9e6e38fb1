//! The connection of a request, for answers whose reader may stop reading.

use std::any::Any;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, rt};
use socket2::{SockRef, Socket};

/// A connection that can be cut if its other end does not read.
#[derive(Clone)]
pub struct Connection(Arc<Socket>);

impl Connection {
    /// The connection of this request; `None` if it was not remembered.
    pub fn from_request(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<Self>().cloned()
    }

    /// Limits the system's send buffer, so that a slow reader can be distinguished from one that does
    /// not read. By default it holds megabytes, of which a third has to leave before more is
    /// accepted: minutes, over a bad line.
    pub fn limit_send_buffer(&self, bytes: usize) {
        let _as_it_is = self.0.set_send_buffer_size(bytes);
    }

    /// Closes the connection, which may be closed already, and discards unsent data, which the system
    /// would otherwise keep until the other end reads.
    pub fn cut(&self) {
        let _already_closed = self.0.set_linger(Some(Duration::ZERO));
        let _already_closed = self.0.shutdown(Shutdown::Both);
    }
}

/// Stores a connection for [`Connection::from_request`].
pub fn remember(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<rt::net::TcpStream>();
    if let Some(Ok(socket)) = stream.map(|stream| SockRef::from(stream).try_clone()) {
        data.insert(Connection(Arc::new(socket)));
    }
}
