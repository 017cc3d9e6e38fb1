//! Bodies as they arrive: bounded in bytes and time each, and in bytes over all that are being read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use futures_util::StreamExt;

use super::error::Problem;
use crate::twilio::callback::BodyKind;

/// Some hundred times what a form has; Twilio documents no limit.
pub const FORM_BYTES_MAX: usize = 64 * 1024;

/// A batch of 130 events of Event EventStreams takes 67 KB, and Twilio documents no limit.
pub const JSON_BYTES_MAX: usize = 1024 * 1024;

/// What is reserved for a body before it arrives; a usual one fits. A sender that only announces a
/// long body must not take memory by it.
const BODY_BYTES_USUAL: usize = 4096;

/// How long a body may take: Twilio itself gives up after 15 s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What the first 64 KiB of all bodies may take together: a quarter of what as many connections as
/// there may be could ask for, and far more than they do.
const USUAL_BYTES_MAX: usize = 128 << 20;

/// What the rest of longer bodies may take together. It is apart, so that a few dozen connections with
/// long bodies cannot keep everybody else's callbacks out.
const LONG_BYTES_MAX: usize = 64 << 20;

/// How many bytes a body of this kind may have.
pub fn bytes_max(kind: BodyKind) -> usize {
    match kind {
        BodyKind::Form => FORM_BYTES_MAX,
        BodyKind::Json => JSON_BYTES_MAX,
    }
}

/// What the bodies that are being read, checked and written take together.
#[derive(Clone, Default)]
pub struct Budget {
    usual: Arc<AtomicUsize>,
    long: Arc<AtomicUsize>,
}

/// A part of the budget, given back when dropped.
pub struct Share {
    budget: Budget,
    bytes: usize,
}

/// A body, with its share of the budget for as long as it is kept here.
pub struct Body {
    pub bytes: Vec<u8>,
    pub share: Share,
}

impl Budget {
    fn share(&self) -> Share {
        Share { budget: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Grows to so many bytes, if there is room.
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

impl Drop for Share {
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

/// A body of at most `bytes_max`, within the time that a body may take.
pub async fn read(
    headers: &HeaderMap,
    payload: Payload,
    bytes_max: usize,
    budget: &Budget,
) -> Result<Body, Problem> {
    let body = tokio::time::timeout(BODY_TIMEOUT, read_all(headers, payload, bytes_max, budget));
    body.await.map_err(|_| Problem::BodyTooSlow)?
}

/// The length that a request announces.
pub fn stated_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.trim().parse().ok())
}

async fn read_all(
    headers: &HeaderMap,
    mut payload: Payload,
    bytes_max: usize,
    budget: &Budget,
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
        let budget = Budget::default();
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
