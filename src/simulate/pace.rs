//! The pacer of a simulated load: computes when each callback is due, and releases it at that time.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use tokio::sync::{Mutex, mpsc};

use super::load::Load;
use super::stream::{Callback, DAY_MS};

/// The timer slack, in nanoseconds: the kernel's default of 50 µs would count as latency.
const TIMER_SLACK: NonZeroU64 = NonZeroU64::MIN;

/// A queue of prepared callbacks, which are released when they are due to the first free connection.
pub struct Pacer<T>(Mutex<mpsc::Receiver<(Option<Instant>, T)>>);

impl<T: Send + 'static> Pacer<T> {
    /// Starts to prepare and release the callbacks of a load.
    ///
    /// A thread does the waiting, because its sleep is much more precise than tokio's timers, which have
    /// a resolution of a millisecond. A callback is prepared, and so signed, before it is due.
    pub fn begin(
        load: &Load,
        callbacks: impl Iterator<Item = Callback> + Send + 'static,
        make: impl Fn(Callback) -> T + Send + 'static,
    ) -> Self {
        let (hand_out, pacer) = mpsc::channel(load.connections);
        let load = load.clone();
        thread::spawn(move || {
            let _where_possible = set_current_timer_slack(Some(TIMER_SLACK));
            let began = Instant::now();
            for (index, callback) in (0..).zip(callbacks) {
                let due = load.due_after(index, &callback).map(|after| began + after);
                let ends = load.seconds.map(|after| began + Duration::from_secs_f64(after));
                if ends.is_some_and(|ends| due.unwrap_or_else(Instant::now) >= ends) {
                    return;
                }
                let made = make(callback);
                if let Some(due) = due {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                // Blocks while all connections are busy; callbacks keep the time at which they are due.
                if hand_out.blocking_send((due, made)).is_err() {
                    return;
                }
            }
        });
        Self(Mutex::new(pacer))
    }

    /// The next callback, and the time at which it was due; `None` after the last.
    ///
    /// Its latency is measured from that time, however late a connection is free for it, so that a
    /// stalled server does not hide the latency of the callbacks in between (coordinated omission).
    pub async fn next(&self) -> Option<(Instant, T)> {
        let (due, made) = self.0.lock().await.recv().await?;
        Some((due.unwrap_or_else(Instant::now), made))
    }
}

impl Load {
    /// The time after the start at which a callback is due; `None` if it is due once a connection is free.
    fn due_after(&self, index: u64, callback: &Callback) -> Option<Duration> {
        let of_day = |seconds: f64| seconds * callback.at_ms as f64 / DAY_MS as f64;
        let in_row = |rate: f64| index as f64 / rate;
        let after = self.day_seconds.map(of_day).or(self.rate.map(in_row))?;
        Some(Duration::from_secs_f64(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callbacks() -> impl Iterator<Item = Callback> {
        let callback = |at_ms| Callback {
            at_ms,
            query: String::new(),
            body: String::new(),
            idempotency_token: String::new(),
            forged: false,
        };
        (0..1_000).map(callback)
    }

    fn load() -> Load {
        let target =
            crate::simulate::Target::parse("http://127.0.0.1:8080/message-status").unwrap();
        Load { target, connections: 1, rate: None, seconds: None, day_seconds: None }
    }

    #[tokio::test]
    async fn at_a_rate_callbacks_are_due_evenly_and_come_no_earlier() {
        let load = Load { rate: Some(2_000.0), ..load() };
        let pacer = Pacer::begin(&load, callbacks(), |callback| callback);
        let (mut before, _) = pacer.next().await.unwrap();
        for _ in 0..100 {
            let (due, _) = pacer.next().await.unwrap();
            assert_eq!(due - before, Duration::from_micros(500));
            assert!(due <= Instant::now());
            before = due;
        }
    }

    #[tokio::test]
    async fn without_a_rate_no_callback_waits_for_a_clock() {
        let pacer = Pacer::begin(&load(), callbacks(), |callback| callback);
        let began = Instant::now();
        let mut count = 0;
        while pacer.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 1_000);
        assert!(began.elapsed() < Duration::from_millis(1_000), "a millisecond each");
    }

    #[tokio::test]
    async fn what_is_due_after_the_end_is_not_handed_out() {
        let load = Load { rate: Some(1_000.0), seconds: Some(0.05), ..load() };
        let pacer = Pacer::begin(&load, callbacks(), |callback| callback);
        let mut count = 0;
        while pacer.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 50);
    }
}
