//! Where signed requests went that did not come to a callback path by POST, for metrics and `doctor`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, Opts, Registry};

use crate::wire::mask;

/// How many methods and paths are counted by name; the senders choose them, so the rest is counted
/// together. A mistake has one or two.
const NAMED_MAX: usize = 32;

/// How much of a path is shown.
const PATH_BYTES_MAX: usize = 120;

/// The path of those that are not counted by name.
pub const OTHERS: &str = "(others)";

/// See the module.
#[derive(Clone)]
pub struct Misdirected {
    requests: IntCounterVec,
    named: Arc<Mutex<HashSet<(String, String)>>>,
}

impl Default for Misdirected {
    fn default() -> Self {
        let named = Opts::new(
            "delivery_ledger_misdirected_callbacks_total",
            "Signed requests that did not come to a callback path by POST, by method and path.",
        );
        let requests = IntCounterVec::new(named, &["method", "path"]).expect("it is a name");
        Self { requests, named: Arc::default() }
    }
}

impl Misdirected {
    /// Counts one request.
    pub fn count(&self, method: &str, target: &str) {
        let key = (shown(method), shown(&mask::path(target.split('?').next().unwrap_or_default())));
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let is_named =
            named.contains(&key) || (named.len() < NAMED_MAX && named.insert(key.clone()));
        let (method, path) = if is_named { (&*key.0, &*key.1) } else { (OTHERS, OTHERS) };
        self.requests.with_label_values(&[method, path]).inc();
    }

    /// Adds the counter to those that are served.
    pub fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        registry.register(Box::new(self.requests.clone()))
    }
}

/// Without what a reader of metrics would have to unescape.
fn shown(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_graphic() && !"\"\\{}".contains(c) { c } else { '_' };
    text.chars().take(PATH_BYTES_MAX).map(plain).collect()
}
