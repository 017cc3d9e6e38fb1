//! How lengths of time are spread: a histogram that can be added to and taken away from.
//!
//! Exact percentiles need every value. A projection corrects what it has said of a message, so that
//! what it keeps has to be subtracted from as well as added to; counts in fixed buckets can be.

use smallvec::SmallVec;

/// Buckets for each doubling above [`EXACT_BELOW`]: each is at most a sixteenth of its values wide.
const BUCKETS_A_DOUBLING: u64 = 16;

/// Up to here every millisecond has a bucket of its own.
const EXACT_BELOW: u64 = 2 * BUCKETS_A_DOUBLING;

/// Longer ones count as this long: 34 years in milliseconds.
const LONGEST_MS: u64 = (1 << 40) - 1;

/// How long something took, by our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elapsed {
    /// In milliseconds, what lies below cut.
    Known(u64),
    /// One of the two moments was not heard of.
    Unknown,
    /// The second moment came before the first.
    Negative,
}

/// How many lapses there were, and how long they were. Counts can be below zero while changes are
/// being summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurationHistogram {
    pub unknown: i64,
    pub negative: i64,
    /// Bucket and count, by bucket; no count is zero.
    buckets: SmallVec<[(u16, i64); 2]>,
}

impl DurationHistogram {
    /// Counts a lapse so many times; fewer than none takes it away.
    pub fn count(&mut self, lapse: Elapsed, times: i64) {
        match lapse {
            Elapsed::Known(ms) => self.count_bucket(bucket_of(ms), times),
            Elapsed::Unknown => self.unknown += times,
            Elapsed::Negative => self.negative += times,
        }
    }

    /// Adds another spread so many times; fewer than none takes it away.
    pub fn add(&mut self, other: &DurationHistogram, times: i64) {
        self.unknown += times * other.unknown;
        self.negative += times * other.negative;
        for (bucket, count) in &other.buckets {
            self.count_bucket(*bucket, times * count);
        }
    }

    fn count_bucket(&mut self, bucket: u16, times: i64) {
        match self.buckets.binary_search_by_key(&bucket, |(have, _)| *have) {
            Ok(place) => {
                self.buckets[place].1 += times;
                if self.buckets[place].1 == 0 {
                    self.buckets.remove(place);
                }
            }
            Err(_) if times == 0 => {}
            Err(place) => self.buckets.insert(place, (bucket, times)),
        }
    }

    /// How many lapses are known.
    pub fn known(&self) -> i64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The smallest length in milliseconds that so many hundredths of the known ones do not exceed
    /// (the nearest rank), to within half of its bucket: a thirty-second of it.
    pub fn percentile_ms(&self, hundredths: u64) -> Option<u64> {
        let known = u64::try_from(self.known()).ok().filter(|known| *known > 0)?;
        let rank = (known * hundredths).div_ceil(100).max(1);
        let mut passed = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            passed += u64::try_from(*count).unwrap_or(0);
            passed >= rank
        });
        bucket.map(|(bucket, _)| middle_of(*bucket))
    }

    /// Whether it counts nothing.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.unknown == 0 && self.negative == 0
    }

    /// Bucket and count of what is known, by bucket.
    pub fn buckets(&self) -> &[(u16, i64)] {
        &self.buckets
    }

    /// A spread of these buckets, as [`buckets`](Self::buckets) gives them.
    pub fn from_buckets(unknown: i64, negative: i64, buckets: Vec<(u16, i64)>) -> Self {
        Self { unknown, negative, buckets: SmallVec::from_vec(buckets) }
    }
}

/// The bucket that holds a length in milliseconds.
pub fn bucket_of(ms: u64) -> u16 {
    let ms = ms.min(LONGEST_MS);
    if ms < EXACT_BELOW {
        return ms as u16;
    }
    // How often it has to be halved to be one of the sixteen from 16 to 31.
    let halvings = u64::from(ms.ilog2() - BUCKETS_A_DOUBLING.ilog2());
    (halvings * BUCKETS_A_DOUBLING + (ms >> halvings)) as u16
}

/// The middle of a bucket, in milliseconds.
fn middle_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < EXACT_BELOW {
        return bucket;
    }
    let halvings = bucket / BUCKETS_A_DOUBLING - 1;
    let first = (bucket - halvings * BUCKETS_A_DOUBLING) << halvings;
    first + (1 << halvings) / 2
}
