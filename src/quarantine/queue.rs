//! The queue of rejected requests that wait to be written, with one bounded lane per rank.
//! The highest rank is taken first.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::candidate::Candidate;
use crate::store::quarantine::Rank;

/// The maximum number of requests in one lane: most of a second of a flood that saturates the server.
const REQUESTS_MAX: usize = 16_384;

/// The maximum number of bytes in one lane: about 1 KiB per request.
const BYTES_MAX: usize = 16 << 20;

/// Rejected requests that wait to be written.
#[derive(Default)]
pub struct Queue(Mutex<[Lane; Rank::ALL.len()]>);

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Candidate>,
    bytes: usize,
}

impl Queue {
    /// Adds a request to the lane of its rank; returns false if the lane is full.
    pub fn push(&self, candidate: Candidate) -> bool {
        let rank = candidate.request.rank as usize;
        self.lanes()[rank].push(candidate)
    }

    /// Takes the next requests, the highest rank first: at most `requests_max`, and no more once they
    /// have reached `bytes_max`.
    pub fn take(&self, requests_max: usize, bytes_max: usize) -> Vec<Candidate> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for lane in self.lanes().iter_mut().rev() {
            while taken.len() < requests_max && bytes < bytes_max {
                let Some(candidate) = lane.pop() else { break };
                bytes += candidate.bytes();
                taken.push(candidate);
            }
        }
        taken
    }

    fn lanes(&self) -> MutexGuard<'_, [Lane; Rank::ALL.len()]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn push(&mut self, candidate: Candidate) -> bool {
        let bytes = candidate.bytes();
        if self.waiting.len() >= REQUESTS_MAX || self.bytes + bytes > BYTES_MAX {
            return false;
        }
        self.bytes += bytes;
        self.waiting.push_back(candidate);
        true
    }

    fn pop(&mut self) -> Option<Candidate> {
        let candidate = self.waiting.pop_front()?;
        self.bytes -= candidate.bytes();
        Some(candidate)
    }
}
