//! A report by passing every message: for what cells do not know.

use std::thread;

use super::count::Counts;
use super::{By, Question};
use crate::domain::message_ref::MessageRef;
use crate::domain::rollup::{Contribution, RollupKey};
use crate::projection::throttle;
use crate::store::{Checkpoint, StoreError, Views};

/// How many threads share the messages. Each holds a reader, of which others need some too.
const THREADS: u64 = 2;

/// How many messages are read in one statement: some milliseconds, which keeps nobody waiting.
const PAGE_MESSAGES: u64 = 8192;

/// Counts every message that there is at the start, each as it stands when it is passed. Returns the
/// lowest checkpoint of all reads.
pub fn scan(views: &dyn Views, question: &Question) -> Result<(Checkpoint, Counts), StoreError> {
    let checkpoint = views.checkpoint()?;
    let last = views.count()?;
    let counts = thread::scope(|scope| {
        let part = |thread: u64| (last * thread / THREADS, last * (thread + 1) / THREADS);
        let threads: Vec<_> = (0..THREADS)
            .map(part)
            .map(|(after, last)| scope.spawn(move || stretch(views, question, after, last)))
            .collect();
        let mut counts = Counts::new(question.by);
        for thread in threads {
            let of_thread = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            counts.merge(of_thread?);
        }
        Ok::<_, StoreError>(counts)
    })?;
    Ok((checkpoint, counts))
}

/// The messages with ids after one and up to another.
fn stretch(
    views: &dyn Views,
    question: &Question,
    mut after: u64,
    last: u64,
) -> Result<Counts, StoreError> {
    throttle::lower_priority(throttle::NICE);
    let mut counts = Counts::new(question.by);
    while after < last {
        let (until, mut passed) = (last.min(after + PAGE_MESSAGES), 0);
        views.for_each_message(after, until, &mut |message| {
            count(&mut counts, question, message);
            passed += 1;
        })?;
        // Ids are dense, so that some are missing only where the views were emptied meanwhile.
        if passed < until - after {
            return Err(StoreError::CheckpointMoved);
        }
        after = until;
    }
    Ok(counts)
}

fn count(counts: &mut Counts, question: &Question, message: &MessageRef<'_>) {
    if question.filter.matches(message) {
        let cell = match question.by {
            By::Country => RollupKey::of(message),
            _ => RollupKey::without_country(message),
        };
        counts
            .add(&cell, Some(message), |count| count.add_sample(&cell, Contribution::of(message)));
    }
}
