//! A histogram of durations with fixed buckets, which supports addition and subtraction.
//!
//! When a message changes, its earlier contribution to a rollup is subtracted. Counts in fixed
//! buckets allow that; sketches for exact percentiles do not.

use smallvec::SmallVec;

/// The number of buckets per power of two, from [`EXACT_BELOW`]. A bucket is at most a sixteenth of
/// its values wide.
const BUCKETS_A_DOUBLING: u64 = 16;

/// Below this number, every millisecond has its own bucket.
const EXACT_BELOW: u64 = 2 * BUCKETS_A_DOUBLING;

/// The longest duration, 34 years in milliseconds; longer ones are counted as this long.
const DURATION_MAX_MS: u64 = (1 << 40) - 1;

/// The time between two events, by our clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elapsed {
    /// In whole milliseconds, rounded down.
    Known(u64),
    /// One of the two events is missing.
    Unknown,
    /// The second event arrived before the first.
    Negative,
}

impl Elapsed {
    /// The milliseconds, if they are known.
    pub fn known(self) -> Option<u64> {
        match self {
            Elapsed::Known(ms) => Some(ms),
            Elapsed::Unknown | Elapsed::Negative => None,
        }
    }
}

/// The number of durations per bucket. Counts can be negative while changes are summed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurationHistogram {
    /// Messages without such a duration.
    pub unknown: i64,
    /// Durations below zero, because the later status arrived first.
    pub negative: i64,
    /// Bucket and count, sorted by bucket; no count is zero.
    buckets: SmallVec<[(u16, i64); 2]>,
}

impl DurationHistogram {
    /// Counts a duration `times` times; a negative number subtracts it.
    pub fn count(&mut self, elapsed: Elapsed, times: i64) {
        match elapsed {
            Elapsed::Known(ms) => self.count_bucket(bucket_of(ms), times),
            Elapsed::Unknown => self.unknown += times,
            Elapsed::Negative => self.negative += times,
        }
    }

    /// Adds another histogram `times` times; a negative number subtracts it.
    pub fn add(&mut self, other: &DurationHistogram, times: i64) {
        self.unknown += times * other.unknown;
        self.negative += times * other.negative;
        for (bucket, count) in &other.buckets {
            self.count_bucket(*bucket, times * count);
        }
    }

    fn count_bucket(&mut self, bucket: u16, times: i64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(index) => {
                self.buckets[index].1 += times;
                if self.buckets[index].1 == 0 {
                    self.buckets.remove(index);
                }
            }
            Err(_) if times == 0 => {}
            Err(index) => self.buckets.insert(index, (bucket, times)),
        }
    }

    /// The number of known durations.
    pub fn known(&self) -> i64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }

    /// The given percentile (0 to 100) of the known durations in milliseconds, by the nearest-rank
    /// method; `None` if none is known. The error is at most half a bucket, 1/32 of the value.
    pub fn percentile_ms(&self, percentile: u64) -> Option<u64> {
        let known = u64::try_from(self.known()).ok().filter(|known| *known > 0)?;
        let rank = (known * percentile).div_ceil(100).max(1);
        let mut cumulative = 0;
        let bucket = self.buckets.iter().find(|(_, count)| {
            cumulative += u64::try_from(*count).unwrap_or(0);
            cumulative >= rank
        });
        bucket.map(|(bucket, _)| midpoint_of(*bucket))
    }

    /// True if every count is zero.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.unknown == 0 && self.negative == 0
    }

    /// Bucket and count of the known durations, sorted by bucket.
    pub fn buckets(&self) -> &[(u16, i64)] {
        &self.buckets
    }

    /// Creates a histogram from counts and buckets as [`buckets`](Self::buckets) returns them.
    pub fn from_buckets(unknown: i64, negative: i64, buckets: Vec<(u16, i64)>) -> Self {
        Self { unknown, negative, buckets: SmallVec::from_vec(buckets) }
    }

    /// Empties the histogram, to be filled with other counts in the same memory.
    pub fn restart(&mut self, unknown: i64, negative: i64) {
        (self.unknown, self.negative) = (unknown, negative);
        self.buckets.clear();
    }

    /// Adds a bucket after all that there are, with a count that is not zero.
    pub fn push_bucket(&mut self, bucket: u16, count: i64) {
        self.buckets.push((bucket, count));
    }
}

/// The bucket of a duration in milliseconds.
pub fn bucket_of(ms: u64) -> u16 {
    let ms = ms.min(DURATION_MAX_MS);
    if ms < EXACT_BELOW {
        return ms as u16;
    }
    // The number of times to halve it until it is between 16 and 31.
    let halvings = u64::from(ms.ilog2() - BUCKETS_A_DOUBLING.ilog2());
    (halvings * BUCKETS_A_DOUBLING + (ms >> halvings)) as u16
}

/// The midpoint of a bucket, in milliseconds.
fn midpoint_of(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < EXACT_BELOW {
        return bucket;
    }
    let halvings = bucket / BUCKETS_A_DOUBLING - 1;
    let first = (bucket - halvings * BUCKETS_A_DOUBLING) << halvings;
    first + (1 << halvings) / 2
}
