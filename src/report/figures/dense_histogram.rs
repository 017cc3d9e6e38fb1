//! A histogram of durations with constant-time counting, for the rows of a report.
//!
//! [`DurationHistogram`] searches for each bucket. Adding rollups of fifty messages to one row takes
//! thirty times as long with it, which would be most of a report's time.

use crate::domain::rollup::histogram::{DurationHistogram, Elapsed, bucket_of};

/// The number of buckets up to which a histogram stays sparse. The rows of senders with a few
/// messages, of which there may be very many, then take little memory.
const SPARSE_BUCKETS_MAX: usize = 32;

/// Counts durations like a [`DurationHistogram`], with an array once there are many buckets.
#[derive(Debug, Clone, Default)]
pub struct DenseHistogram {
    /// Everything while there are few buckets; then only the unknown and the negative durations.
    sparse: DurationHistogram,
    /// The counts by bucket, up to the highest; empty while there are few.
    dense: Vec<i64>,
}

impl DenseHistogram {
    /// Counts one duration.
    pub fn count(&mut self, elapsed: Elapsed) {
        match elapsed {
            Elapsed::Known(ms) if !self.dense.is_empty() => *self.bucket(bucket_of(ms)) += 1,
            _ => {
                self.sparse.count(elapsed, 1);
                self.make_dense();
            }
        }
    }

    /// Adds all counts of a histogram.
    pub fn add(&mut self, histogram: &DurationHistogram) {
        if self.dense.is_empty() {
            self.sparse.add(histogram, 1);
            return self.make_dense();
        }
        self.sparse.unknown += histogram.unknown;
        self.sparse.negative += histogram.negative;
        let Some((last, _)) = histogram.buckets().last() else { return };
        self.bucket(*last);
        for (bucket, count) in histogram.buckets() {
            self.dense[usize::from(*bucket)] += count;
        }
    }

    /// The same counts in a sparse histogram.
    pub fn to_sparse(&self) -> DurationHistogram {
        let DurationHistogram { unknown, negative, .. } = self.sparse;
        if self.dense.is_empty() {
            return self.sparse.clone();
        }
        let counted = (0..).zip(self.dense.iter().copied()).filter(|(_, count)| *count != 0);
        DurationHistogram::from_buckets(unknown, negative, counted.collect())
    }

    fn bucket(&mut self, bucket: u16) -> &mut i64 {
        let index = usize::from(bucket);
        if index >= self.dense.len() {
            self.dense.resize(index + 1, 0);
        }
        &mut self.dense[index]
    }

    fn make_dense(&mut self) {
        if self.sparse.buckets().len() > SPARSE_BUCKETS_MAX {
            let DurationHistogram { unknown, negative, .. } = self.sparse;
            let none = DurationHistogram::from_buckets(unknown, negative, Vec::new());
            for (bucket, count) in std::mem::replace(&mut self.sparse, none).buckets() {
                *self.bucket(*bucket) += count;
            }
        }
    }
}

impl PartialEq for DenseHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.to_sparse() == other.to_sparse()
    }
}

impl Eq for DenseHistogram {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::DenseHistogram;
    use crate::domain::rollup::histogram::{DurationHistogram, Elapsed};

    fn elapsed() -> impl Strategy<Value = Elapsed> {
        prop_oneof![
            8 => (0..100_000_u64).prop_map(Elapsed::Known),
            1 => Just(Elapsed::Unknown),
            1 => Just(Elapsed::Negative),
        ]
    }

    proptest! {
        #[test]
        fn it_counts_what_a_sparse_histogram_counts(parts in vec(vec(elapsed(), 0..40), 0..12)) {
            let (mut expected, mut one_by_one, mut by_parts) =
                (DurationHistogram::default(), DenseHistogram::default(), DenseHistogram::default());
            for part in parts {
                let mut histogram = DurationHistogram::default();
                for elapsed in part {
                    expected.count(elapsed, 1);
                    histogram.count(elapsed, 1);
                    one_by_one.count(elapsed);
                }
                by_parts.add(&histogram);
            }
            prop_assert_eq!(one_by_one.to_sparse(), expected);
            prop_assert_eq!(by_parts, one_by_one);
        }
    }
}
