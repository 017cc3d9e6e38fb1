//! Paces a simulated load: computes when each callback is due, and hands it out at that time.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;
use tokio::sync::{Mutex, mpsc};

use super::load::Load;
use super::stream::{Callback, DAY_MS};

/// How much later than due the kernel may wake us, in nanoseconds, so that several wake at once. Its
/// 50 µs would count as latency.
const TIMER_SLACK: NonZeroU64 = NonZeroU64::MIN;

/// What is made of callbacks, as they fall due, for whichever connection asks first.
pub struct Pacer<T>(Mutex<mpsc::Receiver<(Option<Instant>, T)>>);

impl<T: Send + 'static> Pacer<T> {
    /// Begins to hand out what is made of each callback, as the load says.
    ///
    /// The waiting is done by a thread, because its sleep is exact to a fraction of what an answer
    /// takes. tokio's timers go by the millisecond, even for what is due already. What a callback
    /// needs before it can be sent, its signature above all, is made before it is due.
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
                // Waits where all connections are busy. What is due meanwhile stays due.
                if hand_out.blocking_send((due, made)).is_err() {
                    return;
                }
            }
        });
        Self(Mutex::new(pacer))
    }

    /// The next, and since when it has been due; `None` once all are handed out.
    ///
    /// Its latency counts from there, however late a connection comes for it: a server that stalls
    /// must not be spared the callbacks that would have come meanwhile.
    pub async fn next(&self) -> Option<(Instant, T)> {
        let (due, made) = self.0.lock().await.recv().await?;
        Some((due.unwrap_or_else(Instant::now), made))
    }
}

impl Load {
    /// How long after the beginning a callback is due; `None` if it is due once a connection is free.
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
