//! Properties of rollups and duration histograms: additions can be subtracted in any order, and percentiles
//! have the promised accuracy.

use delivery_ledger::domain::message::details::FeedbackOutcome;
use delivery_ledger::domain::price::Price;
use delivery_ledger::domain::rollup::details::ContributedDetails;
use delivery_ledger::domain::rollup::histogram::{DurationHistogram, Elapsed};
use delivery_ledger::domain::rollup::{Contribution, Rollup};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::Config;

fn lapse() -> impl Strategy<Value = Elapsed> {
    prop_oneof![
        (0..1_u64 << 40).prop_map(Elapsed::Known),
        (0..100_000_u64).prop_map(Elapsed::Known),
        (0..40_u64).prop_map(Elapsed::Known),
        Just(Elapsed::Unknown),
        Just(Elapsed::Negative),
    ]
}

fn sample() -> impl Strategy<Value = Contribution> {
    let all = (any::<[bool; 4]>(), lapse(), lapse(), contributed_details());
    all.prop_map(|(is, time_to_sent, sent_to_delivered, details)| {
        let [conflict, imported, late, duplicate] = is;
        Contribution {
            conflict,
            imported,
            late,
            duplicate,
            time_to_sent,
            sent_to_delivered,
            details,
        }
    })
}

fn contributed_details() -> impl Strategy<Value = ContributedDetails> {
    let price = select(vec![("-0.0075", "USD"), ("-0.1", "EUR"), ("0", "USD")]);
    let price = price.prop_map(|(amount, currency)| Price::parse(amount, currency).unwrap());
    let feedback = option::of(select(&FeedbackOutcome::ALL[..]));
    let all = (option::of(1..9_u32), option::of(price), 0..3_u64, feedback, any::<[bool; 2]>());
    all.prop_map(|(segments, price, clicks, feedback, [by_callback, by_stream])| {
        ContributedDetails { segments, price, clicks, feedback, by_callback, by_stream }
    })
}

fn tally(samples: &[Contribution]) -> Rollup {
    let mut tally = Rollup::default();
    samples.iter().for_each(|sample| tally.count(*sample, 1));
    tally
}

fn spread(lengths: &[u64]) -> DurationHistogram {
    let mut spread = DurationHistogram::default();
    lengths.iter().for_each(|ms| spread.count(Elapsed::Known(*ms), 1));
    spread
}

proptest! {
    #![proptest_config(Config { cases: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn subtracting_what_was_added_gives_zero(samples in vec(sample(), 0..40)) {
        let mut nothing = tally(&samples);
        nothing.subtract(&tally(&samples));
        prop_assert!(nothing.is_empty());
        prop_assert_eq!(nothing, Rollup::default());
    }

    #[test]
    fn adding_one_by_one_equals_adding_at_once(samples in vec(sample(), 0..40), at in 0..40_usize) {
        let at = at.min(samples.len());
        let mut both = tally(&samples[..at]);
        both.add(&tally(&samples[at..]));
        prop_assert_eq!(&both, &tally(&samples));
        for sample in &samples[at..] {
            both.count(*sample, -1);
        }
        prop_assert_eq!(both, tally(&samples[..at]));
    }

    #[test]
    fn the_order_of_adding_and_subtracting_does_not_matter(
        samples in vec((sample(), -2..3_i64), 0..30),
    ) {
        let (mut forward, mut backward) = (Rollup::default(), Rollup::default());
        samples.iter().for_each(|(sample, times)| forward.count(*sample, *times));
        samples.iter().rev().for_each(|(sample, times)| backward.count(*sample, *times));
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn a_percentile_is_within_1_32_of_the_exact_one(
        mut lengths in vec(prop_oneof![0..1_u64 << 40, 0..5_000_u64, 0..70_u64], 1..60),
        hundredths in 1..101_u64,
    ) {
        let reported = spread(&lengths).percentile_ms(hundredths).unwrap();
        lengths.sort_unstable();
        let rank = (lengths.len() as u64 * hundredths).div_ceil(100);
        let exact = lengths[rank as usize - 1];
        prop_assert!(reported.abs_diff(exact) * 32 <= exact, "{reported} for {exact}");
    }
}

#[test]
fn short_durations_are_exact_and_any_duration_fits() {
    for ms in 0..32 {
        assert_eq!(spread(&[ms]).percentile_ms(50), Some(ms));
    }
    let longest = spread(&[u64::MAX]).percentile_ms(50).unwrap();
    assert!(longest > 1_000_000_000_000, "{longest}");
    assert_eq!(spread(&[]).percentile_ms(50), None);
}

#[test]
fn unknown_and_negative_durations_are_counted_separately() {
    let mut spread = spread(&[10, 20, 30]);
    spread.count(Elapsed::Unknown, 2);
    spread.count(Elapsed::Negative, 1);
    assert_eq!((spread.known(), spread.unknown, spread.negative), (3, 2, 1));
    assert_eq!([50, 95, 99].map(|p| spread.percentile_ms(p)), [Some(20), Some(30), Some(30)]);
}
