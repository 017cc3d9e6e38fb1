//! Graceful shutdown: counts the requests in flight and waits for the last response.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// One counter for each worker, because cores that share one would wait for each other.
    in_flight: Mutex<Vec<Arc<AtomicUsize>>>,
    stopping: AtomicBool,
    answered: Notify,
}

/// The requests in flight of one worker.
pub struct WorkerDrain {
    in_flight: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

impl Drain {
    /// Counts those of one more worker.
    pub fn of_worker(&self) -> WorkerDrain {
        let in_flight = Arc::default();
        self.0.counters().push(Arc::clone(&in_flight));
        WorkerDrain { in_flight, shared: Arc::clone(&self.0) }
    }

    /// From now on every response asks the client to close its connection.
    pub fn begin(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
    }

    /// Waits until no request is in flight, but no longer than `timeout`.
    pub async fn finished(&self, timeout: Duration) {
        let none_left = async {
            loop {
                let answered = self.0.answered.notified();
                if self.0.is_idle() {
                    return;
                }
                answered.await;
            }
        };
        let _too_slow = tokio::time::timeout(timeout, none_left).await;
    }
}

impl Shared {
    fn counters(&self) -> MutexGuard<'_, Vec<Arc<AtomicUsize>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self) -> bool {
        self.counters().iter().all(|in_flight| in_flight.load(Ordering::SeqCst) == 0)
    }
}

impl WorkerDrain {
    /// Counts a request until it is answered, or its connection breaks.
    pub async fn count<B: MessageBody>(
        &self,
        answer: impl Future<Output = Result<ServiceResponse<B>, Error>>,
    ) -> Result<ServiceResponse<B>, Error> {
        let _in_flight = InFlight::new(self);
        let mut response = answer.await?;
        if self.shared.stopping.load(Ordering::SeqCst) {
            // A Connection header that is only inserted would be left out by actix.
            response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        Ok(response)
    }
}

/// One request in flight, which counts until it is dropped.
struct InFlight<'d>(&'d WorkerDrain);

impl<'d> InFlight<'d> {
    fn new(drain: &'d WorkerDrain) -> Self {
        drain.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(drain)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let WorkerDrain { in_flight, shared } = self.0;
        in_flight.fetch_sub(1, Ordering::SeqCst);
        if shared.stopping.load(Ordering::SeqCst) {
            shared.answered.notify_one();
        }
    }
}

/// The middleware that counts. The app has the [`WorkerDrain`] of its worker as its data.
pub async fn count(
    drain: web::Data<WorkerDrain>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    drain.count(next.call(request)).await
}
