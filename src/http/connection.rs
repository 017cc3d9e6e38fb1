//! The connection that a request came by, at hand for answers whose reader may never take them.

use std::any::Any;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::{HttpRequest, rt};
use socket2::{SockRef, Socket};

/// To be cut where its other end does not read.
#[derive(Clone)]
pub struct Connection(Arc<Socket>);

impl Connection {
    /// The one of this request.
    pub fn of(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<Self>().cloned()
    }

    /// Bounds what the system keeps for the other end, so that a slow reader is told from one that
    /// does not read. By itself it keeps megabytes, of which a third has to leave before more is
    /// taken: minutes, over a bad line.
    pub fn keep_at_most(&self, bytes: usize) {
        let _as_it_is = self.0.set_send_buffer_size(bytes);
    }

    /// Ends the connection, which may have ended already. What has not left is thrown away: the
    /// system would keep it for as long as the other end does not read.
    pub fn cut(&self) {
        let _already_closed = self.0.set_linger(Some(Duration::ZERO));
        let _already_closed = self.0.shutdown(Shutdown::Both);
    }
}

/// Keeps a connection at hand for [`Connection::of`].
pub fn remember(connection: &dyn Any, data: &mut Extensions) {
    let stream = connection.downcast_ref::<rt::net::TcpStream>();
    if let Some(Ok(socket)) = stream.map(|stream| SockRef::from(stream).try_clone()) {
        data.insert(Connection(Arc::new(socket)));
    }
}
