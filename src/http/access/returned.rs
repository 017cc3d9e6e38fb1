//! What a handler tells about its response for the access record: how many rows it returned, and the names of
//! the filters.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::http::error::Problem;

/// Counts the rows of one response. Clones share the count, so that a stream can go on counting.
#[derive(Clone, Default)]
pub struct Returned(Arc<Counted>);

#[derive(Default)]
struct Counted {
    rows: AtomicU64,
    filters: Mutex<Vec<String>>,
}

impl FromRequest for Returned {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(Problem::Internal))
    }
}

impl Returned {
    /// Counts rows that are returned: messages, events, or lines of a report.
    pub fn add(&self, rows: usize) {
        self.0.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Sets the names of the filters, which must be known ones: a name that the client made up could be a
    /// number. What follows a dot, such as the name of a tag, is left out for the same reason.
    pub fn filter_by<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let known = |name: &'a str| name.split('.').next().unwrap_or_default().to_owned();
        let mut filters: Vec<_> = names.into_iter().map(known).collect();
        filters.sort_unstable();
        filters.dedup();
        *self.0.filters.lock().unwrap_or_else(PoisonError::into_inner) = filters;
    }

    pub(super) fn filters(&self) -> Vec<String> {
        self.0.filters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }
}
