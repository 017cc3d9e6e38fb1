//! The encoding of a roll-up as a blob of varints.
//!
//! In this order: messages, conflicts, imported messages, messages with late and with duplicate events; then
//! for each of the two histograms its unknown and negative durations, the number of buckets, and for each
//! bucket its distance from the one before and its count. Then the messages that arrived by callback, by stream
//! and by both; and 0, or 1 and the other details: messages with segments, segments, the number of currencies, of
//! each its three letters, messages and sum; clicks, clicked, confirmed and unconfirmed messages.

use crate::domain::price::Currency;
use crate::domain::rollup::Rollup;
use crate::domain::rollup::details::{PriceSum, RollupDetails};
use crate::domain::rollup::histogram::DurationHistogram;
use crate::store::codec::varint::{self, Reader};

/// The blob of a roll-up; `None` if a count is below zero, which no stored one is.
pub fn pack(rollup: &Rollup) -> Option<Vec<u8>> {
    let mut blob = Vec::with_capacity(64);
    push(&mut blob, rollup.messages)?;
    push(&mut blob, rollup.conflicts)?;
    push(&mut blob, rollup.imported)?;
    push(&mut blob, rollup.late)?;
    push(&mut blob, rollup.duplicate)?;
    for histogram in [&rollup.time_to_sent, &rollup.sent_to_delivered] {
        push(&mut blob, histogram.unknown)?;
        push(&mut blob, histogram.negative)?;
        varint::push(&mut blob, histogram.buckets().len() as u64);
        let mut before = 0;
        for (bucket, count) in histogram.buckets() {
            varint::push(&mut blob, u64::from(bucket - before));
            push(&mut blob, *count)?;
            before = *bucket;
        }
    }
    push_details(&mut blob, &rollup.details)?;
    Some(blob)
}

/// The roll-up of a blob; `None` if it is something else.
pub fn unpack(blob: &[u8]) -> Option<Rollup> {
    let mut rollup = Rollup::default();
    unpack_into(&mut rollup, blob)?;
    Some(rollup)
}

/// Replaces a roll-up by that of a blob, in the same memory: a report reads a hundred thousand. `None` if the blob is
/// something else; then the roll-up is of no use.
pub fn unpack_into(rollup: &mut Rollup, blob: &[u8]) -> Option<()> {
    let mut reader = Reader::new(blob);
    (rollup.messages, rollup.conflicts) = (count(&mut reader)?, count(&mut reader)?);
    rollup.imported = count(&mut reader)?;
    (rollup.late, rollup.duplicate) = (count(&mut reader)?, count(&mut reader)?);
    unpack_histogram(&mut rollup.time_to_sent, &mut reader)?;
    unpack_histogram(&mut rollup.sent_to_delivered, &mut reader)?;
    rollup.details = unpack_details(&mut reader)?;
    reader.finish()
}

fn push_details(blob: &mut Vec<u8>, details: &RollupDetails) -> Option<()> {
    let RollupDetails { by_callback, by_stream, by_both, .. } = *details;
    for count in [by_callback, by_stream, by_both] {
        push(blob, count)?;
    }
    if *details == (RollupDetails { by_callback, by_stream, by_both, ..Default::default() }) {
        blob.push(0);
        return Some(());
    }
    blob.push(1);
    push(blob, details.segmented)?;
    push(blob, details.segments)?;
    varint::push(blob, details.prices.iter().len() as u64);
    for PriceSum { currency, messages, billionths } in details.prices.iter() {
        blob.extend_from_slice(currency.as_str().as_bytes());
        push(blob, messages)?;
        varint::push_near(blob, 0, billionths as u64);
    }
    for count in [details.clicks, details.clicked, details.confirmed, details.unconfirmed] {
        push(blob, count)?;
    }
    Some(())
}

fn unpack_details(reader: &mut Reader<'_>) -> Option<RollupDetails> {
    let mut details = RollupDetails {
        by_callback: count(reader)?,
        by_stream: count(reader)?,
        by_both: count(reader)?,
        ..RollupDetails::default()
    };
    match reader.byte()? {
        0 => return Some(details),
        1 => {}
        _ => return None,
    }
    (details.segmented, details.segments) = (count(reader)?, count(reader)?);
    for _ in 0..reader.number()? {
        let currency = Currency::parse(std::str::from_utf8(reader.bytes(3)?).ok()?)?;
        let (messages, billionths) = (count(reader)?, reader.number_near(0)? as i64);
        details.prices.add(PriceSum { currency, messages, billionths }, 1);
    }
    (details.clicks, details.clicked) = (count(reader)?, count(reader)?);
    (details.confirmed, details.unconfirmed) = (count(reader)?, count(reader)?);
    Some(details)
}

fn unpack_histogram(histogram: &mut DurationHistogram, reader: &mut Reader<'_>) -> Option<()> {
    histogram.restart(count(reader)?, count(reader)?);
    let mut bucket: u16 = 0;
    for at in 0..reader.number()? {
        let (step, count) = reader.two_numbers()?;
        let step = u16::try_from(step).ok().filter(|step| at == 0 || *step > 0)?;
        bucket = bucket.checked_add(step)?;
        histogram.push_bucket(bucket, i64::try_from(count).ok().filter(|count| *count > 0)?);
    }
    Some(())
}

fn push(blob: &mut Vec<u8>, count: i64) -> Option<()> {
    varint::push(blob, u64::try_from(count).ok()?);
    Some(())
}

fn count(reader: &mut Reader<'_>) -> Option<i64> {
    reader.number().and_then(|number| i64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};
    use crate::domain::message::details::FeedbackOutcome;
    use crate::domain::price::Price;
    use crate::domain::rollup::details::ContributedDetails;
    use crate::domain::rollup::histogram::Elapsed;
    use crate::domain::rollup::{Contribution, Rollup};

    fn tally() -> Rollup {
        let mut tally = Rollup::default();
        for ms in [0, 1, 31, 32, 1_000, 1_001, 86_400_000, u64::MAX] {
            let sent_to_delivered = if ms == 1 { Elapsed::Negative } else { Elapsed::Unknown };
            let time_to_sent = Elapsed::Known(ms);
            tally.count(
                Contribution {
                    conflict: ms == 0,
                    imported: ms == 1,
                    late: ms == 31,
                    duplicate: ms == 32,
                    time_to_sent,
                    sent_to_delivered,
                    details: ContributedDetails {
                        segments: (ms == 1).then_some(3),
                        price: (ms < 32).then(|| Price::parse("-0.0075", "USD").unwrap()),
                        clicks: ms % 2,
                        feedback: (ms == 0).then_some(FeedbackOutcome::Confirmed),
                        by_callback: true,
                        by_stream: ms == 1,
                    },
                },
                300,
            );
        }
        tally
    }

    #[test]
    fn what_was_packed_is_unpacked_the_same() {
        for tally in [Rollup::default(), tally()] {
            assert_eq!(unpack(&pack(&tally).unwrap()), Some(tally));
        }
    }

    #[test]
    fn a_blob_that_is_too_short_or_too_long_is_none() {
        let whole = pack(&tally()).unwrap();
        for length in 0..whole.len() {
            assert_eq!(unpack(&whole[..length]), None, "{length}");
        }
        assert_eq!(unpack(&[&whole[..], &[0]].concat()), None);
        assert_eq!(unpack(&[0xff; 40]), None);
    }

    #[test]
    fn a_count_below_zero_is_not_packed() {
        let mut less = Rollup::default();
        less.subtract(&tally());
        assert_eq!(pack(&less), None);
    }
}
