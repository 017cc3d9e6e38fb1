//! Reading request bodies, bounded in size and time, and in the memory that all of them take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use futures_util::StreamExt;

use super::error::Problem;
use crate::domain::BodyKind;

/// About a hundred times a usual form; Twilio documents no limit.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// Large enough for a batch of Event Streams: 130 events take 67 KB. Twilio documents no limit.
pub const JSON_BYTES_MAX: usize = 1024 * 1024;

/// The memory reserved for a body before it arrives; a usual one fits. Announcing a long body must not
/// be enough to take memory.
const BODY_BYTES_USUAL: usize = 4096;

/// How long a body may take to arrive: Twilio itself gives up after 15 s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The same for JSON from Twilio: Event Streams gives up after 5 s, in which the events have to be on disk too.
const JSON_BODY_TIMEOUT: Duration = Duration::from_millis(2500);

/// What the first 64 KiB of all bodies may take together: a quarter of what the maximum number of
/// connections could use, and far more than they do.
const USUAL_BYTES_MAX: usize = 128 << 20;

/// What the rest of longer bodies may take together. It is separate, so that a few dozen connections
/// with long bodies cannot keep all other callbacks out.
const LONG_BYTES_MAX: usize = 64 << 20;

/// The maximum length of a body of this kind.
pub fn bytes_max(kind: BodyKind) -> usize {
    match kind {
        BodyKind::Form => FORM_BYTES_MAX,
        BodyKind::Json => JSON_BYTES_MAX,
    }
}

/// The memory for the bodies that are being read, verified and stored.
#[derive(Clone, Default)]
pub struct BodyBudget {
    usual: Arc<AtomicUsize>,
    long: Arc<AtomicUsize>,
}

/// A part of the budget, given back when dropped.
pub struct BudgetShare {
    budget: BodyBudget,
    bytes: usize,
}

/// A body, and the share of the budget that it occupies.
pub struct Body {
    pub bytes: Vec<u8>,
    pub share: BudgetShare,
}

impl BodyBudget {
    fn share(&self) -> BudgetShare {
        BudgetShare { budget: self.clone(), bytes: 0 }
    }
}

impl BudgetShare {
    /// Grows to this many bytes, if the budget allows it.
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let (usual, long) = parts(bytes);
        let (usual_before, long_before) = parts(self.bytes);
        take(&self.budget.usual, usual - usual_before, USUAL_BYTES_MAX)?;
        if let Err(full) = take(&self.budget.long, long - long_before, LONG_BYTES_MAX) {
            self.budget.usual.fetch_sub(usual - usual_before, Ordering::Relaxed);
            return Err(full);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for BudgetShare {
    fn drop(&mut self) {
        let (usual, long) = parts(self.bytes);
        self.budget.usual.fetch_sub(usual, Ordering::Relaxed);
        self.budget.long.fetch_sub(long, Ordering::Relaxed);
    }
}

/// How many of a body's bytes count as usual, and how many as long.
fn parts(bytes: usize) -> (usize, usize) {
    let usual = bytes.min(FORM_BYTES_MAX);
    (usual, bytes - usual)
}

fn take(taken: &AtomicUsize, bytes: usize, max: usize) -> Result<(), Problem> {
    if bytes == 0 {
        return Ok(());
    }
    if taken.fetch_add(bytes, Ordering::Relaxed) + bytes > max {
        taken.fetch_sub(bytes, Ordering::Relaxed);
        return Err(Problem::TooManyBodies { limit: max });
    }
    Ok(())
}

/// Reads a body of at most `bytes_max`, within the time that a body may take.
pub async fn read(
    headers: &HeaderMap,
    payload: Payload,
    bytes_max: usize,
    budget: &BodyBudget,
) -> Result<Body, Problem> {
    read_within(BODY_TIMEOUT, headers, payload, bytes_max, budget).await
}

/// Reads a body of at most `bytes_max`, within this time.
pub async fn read_within(
    time: Duration,
    headers: &HeaderMap,
    payload: Payload,
    bytes_max: usize,
    budget: &BodyBudget,
) -> Result<Body, Problem> {
    let body = tokio::time::timeout(time, read_all(headers, payload, bytes_max, budget));
    body.await.map_err(|_| Problem::BodyTooSlow)?
}

/// How long the body of a request of Twilio's may take to arrive.
pub fn time_max(kind: BodyKind) -> Duration {
    match kind {
        BodyKind::Form => BODY_TIMEOUT,
        BodyKind::Json => JSON_BODY_TIMEOUT,
    }
}

/// True if the body is said to be JSON. A page of another origin in a browser may not send such a request
/// without asking first.
pub fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// The Content-Length of a request.
pub fn stated_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok())
}

async fn read_all(
    headers: &HeaderMap,
    mut payload: Payload,
    bytes_max: usize,
    budget: &BodyBudget,
) -> Result<Body, Problem> {
    let stated = stated_bytes(headers);
    if stated.is_some_and(|bytes| bytes > bytes_max as u64) {
        return Err(Problem::BodyTooLarge { limit: bytes_max });
    }
    let expected = stated.map_or(1024, |bytes| bytes as usize).min(BODY_BYTES_USUAL);
    let mut share = budget.share();
    share.grow(expected)?;
    let mut body = Vec::with_capacity(expected);
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Problem::BodyBroken)?;
        let bytes = body.len() + chunk.len();
        if bytes > bytes_max {
            return Err(Problem::BodyTooLarge { limit: bytes_max });
        }
        if bytes > share.bytes {
            let capacity = bytes.max(share.bytes * 2).min(bytes_max);
            share.grow(capacity)?;
            body.reserve_exact(capacity - body.len());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Body { bytes: body, share })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_bounded_together_and_given_back() {
        let budget = BodyBudget::default();
        let mut shares = Vec::new();
        loop {
            let mut share = budget.share();
            if share.grow(JSON_BYTES_MAX).is_err() {
                break;
            }
            shares.push(share);
        }
        // 64 MiB of what is beyond 64 KiB each.
        assert_eq!(shares.len(), 68);
        let mut usual = budget.share();
        usual.grow(FORM_BYTES_MAX).unwrap();
        assert!(usual.grow(FORM_BYTES_MAX + (1 << 20)).is_err());
        assert_eq!(usual.bytes, FORM_BYTES_MAX, "what it has, it keeps");
        drop((shares, usual));
        assert_eq!(budget.usual.load(Ordering::Relaxed), 0);
        assert_eq!(budget.long.load(Ordering::Relaxed), 0);
    }
}
