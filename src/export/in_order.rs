//! Work that several threads do ahead, whose results are taken in order.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

/// Pieces of work in order. Each thread takes the next one as soon as it has finished one, so that none waits
/// for another. The memory is bounded by how many are requested and not taken.
pub struct InOrder<I, O> {
    requests: SyncSender<Request<I, O>>,
    /// What was requested, in order.
    requested: VecDeque<Receiver<O>>,
}

struct Request<I, O> {
    input: I,
    done: SyncSender<O>,
}

impl<I: Send, O: Send> InOrder<I, O> {
    /// Starts threads, which end when this is dropped; `requests_max` are requested at a time. Each thread
    /// begins with `begin`, and works with what that returns.
    pub fn begin<'scope, W: FnMut(I) -> O>(
        scope: &'scope Scope<'scope, '_>,
        threads: usize,
        requests_max: usize,
        begin: impl Fn() -> W + Send + Clone + 'scope,
    ) -> Self
    where
        I: 'scope,
        O: 'scope,
    {
        let (requests, waiting) = sync_channel::<Request<I, O>>(requests_max);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..threads {
            let (waiting, begin) = (Arc::clone(&waiting), begin.clone());
            scope.spawn(move || {
                let mut work = begin();
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(Request { input, done }) = next() {
                    if done.send(work(input)).is_err() {
                        return;
                    }
                }
            });
        }
        Self { requests, requested: VecDeque::new() }
    }

    /// Requests a piece of work.
    pub fn request(&mut self, input: I) {
        let (done, result) = sync_channel(1);
        if self.requests.send(Request { input, done }).is_ok() {
            self.requested.push_back(result);
        }
    }

    /// The next result; `None` if nothing is requested, or its thread panicked.
    pub fn next(&mut self) -> Option<O> {
        self.requested.pop_front()?.recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::InOrder;

    #[test]
    fn results_are_taken_in_the_order_of_the_requests() {
        let squares = thread::scope(|scope| {
            let mut squares = InOrder::begin(scope, 3, 8, || {
                |number: u64| {
                    // Later ones are done sooner.
                    thread::sleep(Duration::from_millis(8 - number));
                    number * number
                }
            });
            (0..8).for_each(|number| squares.request(number));
            std::iter::from_fn(|| squares.next()).collect::<Vec<_>>()
        });

        assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49]);
    }
}
