//! Graceful shutdown: counts the requests in flight and waits for the last response.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use tokio::sync::Notify;

/// The requests in flight over all workers of both listeners. A request is in flight from the end
/// of its head to the head of its response.
#[derive(Clone, Default)]
pub struct Drain(Arc<Shared>);

#[derive(Default)]
struct Shared {
    in_flight: AtomicUsize,
    stopping: AtomicBool,
    answered: Notify,
}

impl Drain {
    /// From now on every response asks the client to close its connection.
    pub fn begin(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until no request is in flight, but no longer than `timeout`.
    pub async fn finished(&self, timeout: Duration) {
        let none_left = async {
            loop {
                let answered = self.0.answered.notified();
                if self.0.in_flight.load(Ordering::SeqCst) == 0 {
                    return;
                }
                answered.await;
            }
        };
        let _too_slow = tokio::time::timeout(timeout, none_left).await;
    }

    fn enter(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(Arc::clone(&self.0))
    }
}

/// One request in flight, which counts until it is dropped, also if its connection breaks.
struct InFlight(Arc<Shared>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.answered.notify_one();
    }
}

/// The middleware that counts. The app has a [`Drain`] as its data.
pub async fn count(
    drain: web::Data<Drain>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let in_flight = drain.enter();
    let mut response = next.call(request).await?;
    if in_flight.0.stopping.load(Ordering::SeqCst) {
        // A Connection header that is only inserted would be left out by actix.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
