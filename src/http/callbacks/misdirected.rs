//! The counter of misdirected callbacks: signed requests that were not a POST to a callback path.
//! `doctor` and `/metrics` use it to show where they went.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, Opts, Registry};

use crate::wire::mask;

/// The maximum number of series by method and path. Senders choose both, so all further ones share a
/// series; a mistake produces one or two.
const NAMED_MAX: usize = 32;

/// Longer paths are cut off in the label.
const PATH_BYTES_MAX: usize = 120;

/// The label of the shared series.
const OTHERS: &str = "(others)";

/// Counts misdirected callbacks.
#[derive(Clone)]
pub struct Misdirected {
    requests: IntCounterVec,
    named: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Default for Misdirected {
    fn default() -> Self {
        let named = Opts::new(
            "delivery_ledger_misdirected_callbacks_total",
            "Signed requests that were not a POST to a callback path, by method and path.",
        );
        let requests = IntCounterVec::new(named, &["method", "path"]).expect("it is a name");
        Self { requests, named: Arc::default() }
    }
}

impl Misdirected {
    /// Counts one request.
    pub fn count(&self, method: &str, target: &str) {
        let key = (label(method), label(&mask::path(target.split('?').next().unwrap_or_default())));
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let is_named =
            named.contains(&key) || (named.len() < NAMED_MAX && named.insert(key.clone()));
        let (method, path) = if is_named { (&*key.0, &*key.1) } else { (OTHERS, OTHERS) };
        self.requests.with_label_values(&[method, path]).inc();
    }

    /// Registers the counter for `/metrics`.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.requests.clone()))
    }
}

/// Replaces characters that readers of metrics would have to unescape.
fn label(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\{}".contains(c) { c } else { '_' };
    text.chars().take(PATH_BYTES_MAX).map(plain).collect()
}
