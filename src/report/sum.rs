//! The sum of very many spreads: what a report counts lapses in.

use crate::domain::histogram::{DurationHistogram, Elapsed, bucket_of};

/// From how many buckets on each has a fixed place. Below, as for senders of a few messages, that
/// would take more memory than it saves time.
const FEW_BUCKETS: usize = 32;

/// Counts lapses as a [`DurationHistogram`] does, at the same cost for each however many there are.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    /// Everything, as long as there are few buckets; then all but the known lapses.
    few: DurationHistogram,
    /// The known lapses of each bucket, up to the highest.
    many: Vec<i64>,
}

impl Sum {
    /// Counts one lapse.
    pub fn count(&mut self, lapse: Elapsed) {
        match lapse {
            Elapsed::Known(ms) if !self.many.is_empty() => *self.bucket(bucket_of(ms)) += 1,
            _ => {
                self.few.count(lapse, 1);
                self.spread_out();
            }
        }
    }

    /// Adds all of a spread.
    pub fn add(&mut self, spread: &DurationHistogram) {
        if self.many.is_empty() {
            self.few.add(spread, 1);
            return self.spread_out();
        }
        self.few.unknown += spread.unknown;
        self.few.negative += spread.negative;
        for (bucket, count) in spread.buckets() {
            *self.bucket(*bucket) += count;
        }
    }

    /// All of it as a spread.
    pub fn spread(&self) -> DurationHistogram {
        let DurationHistogram { unknown, negative, .. } = self.few;
        if self.many.is_empty() {
            return self.few.clone();
        }
        let counted = (0..).zip(self.many.iter().copied()).filter(|(_, count)| *count != 0);
        DurationHistogram::from_buckets(unknown, negative, counted.collect())
    }

    fn bucket(&mut self, bucket: u16) -> &mut i64 {
        let place = usize::from(bucket);
        if place >= self.many.len() {
            self.many.resize(place + 1, 0);
        }
        &mut self.many[place]
    }

    fn spread_out(&mut self) {
        if self.few.buckets().len() > FEW_BUCKETS {
            let DurationHistogram { unknown, negative, .. } = self.few;
            let none = DurationHistogram::from_buckets(unknown, negative, Vec::new());
            for (bucket, count) in std::mem::replace(&mut self.few, none).buckets() {
                *self.bucket(*bucket) += count;
            }
        }
    }
}

impl PartialEq for Sum {
    fn eq(&self, other: &Self) -> bool {
        self.spread() == other.spread()
    }
}

impl Eq for Sum {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::Sum;
    use crate::domain::histogram::{DurationHistogram, Elapsed};

    fn lapse() -> impl Strategy<Value = Elapsed> {
        prop_oneof![
            8 => (0..100_000_u64).prop_map(Elapsed::Known),
            1 => Just(Elapsed::Unknown),
            1 => Just(Elapsed::Negative),
        ]
    }

    proptest! {
        #[test]
        fn a_sum_is_the_spread_of_all(parts in vec(vec(lapse(), 0..40), 0..12)) {
            let (mut expected, mut one_by_one, mut by_parts) =
                (DurationHistogram::default(), Sum::default(), Sum::default());
            for part in parts {
                let mut spread = DurationHistogram::default();
                for lapse in part {
                    expected.count(lapse, 1);
                    spread.count(lapse, 1);
                    one_by_one.count(lapse);
                }
                by_parts.add(&spread);
            }
            prop_assert_eq!(one_by_one.spread(), expected);
            prop_assert_eq!(by_parts, one_by_one);
        }
    }
}
