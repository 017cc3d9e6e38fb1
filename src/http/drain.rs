//! Ending without dropping anything: how many requests are in flight, and when the last is answered.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform};
use actix_web::http::ConnectionType;
use tokio::sync::Notify;

/// Counts requests between their head and their answer, over all workers of both listeners.
#[derive(Clone, Default)]
pub struct Drain(Arc<Shared>);

#[derive(Default)]
struct Shared {
    in_flight: AtomicUsize,
    ending: AtomicBool,
    answered: Notify,
}

impl Drain {
    /// From now on every answer asks the client to close its connection.
    pub fn begin(&self) {
        self.0.ending.store(true, Ordering::SeqCst);
    }

    /// Returns once nothing is in flight, at the latest after `patience`.
    pub async fn finished(&self, patience: Duration) {
        let none_left = async {
            loop {
                let answered = self.0.answered.notified();
                if self.0.in_flight.load(Ordering::SeqCst) == 0 {
                    return;
                }
                answered.await;
            }
        };
        let _too_slow = tokio::time::timeout(patience, none_left).await;
    }

    /// The middleware that counts.
    pub fn middleware(&self) -> Counting {
        Counting(self.clone())
    }

    fn enter(&self) -> InFlight {
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight(self.clone())
    }
}

/// One request in flight; counted off when dropped, so also when its connection breaks.
struct InFlight(Drain);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.in_flight.fetch_sub(1, Ordering::SeqCst);
        self.0.0.answered.notify_one();
    }
}

/// See [`Drain::middleware`].
pub struct Counting(Drain);

/// The service that [`Counting`] makes.
pub struct CountingService<S> {
    service: S,
    drain: Drain,
}

impl<S, B> Transform<S, ServiceRequest> for Counting
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>>,
    S::Future: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Transform = CountingService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(CountingService { service, drain: self.0.clone() }))
    }
}

impl<S, B> Service<ServiceRequest> for CountingService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>>,
    S::Future: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>>>>;

    actix_web::dev::forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let in_flight = self.drain.enter();
        let answer = self.service.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if in_flight.0.0.ending.load(Ordering::SeqCst) {
                // actix leaves out a Connection header that is only inserted.
                response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            Ok(response)
        })
    }
}
