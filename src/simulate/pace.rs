//! When each callback is due, and a thread that hands it out then.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};

use super::client::Load;
use super::stream::{Callback, DAY_MS};

/// Callbacks as they fall due, for whichever connection asks first.
pub struct Paced(Mutex<mpsc::Receiver<(Option<Instant>, Callback)>>);

impl Paced {
    /// Begins to hand out callbacks as the load says.
    ///
    /// The waiting is done by a thread, because its sleep is exact to a fraction of what an answer
    /// takes. tokio's timers go by the millisecond, even for what is due already.
    pub fn begin(load: &Load, callbacks: impl Iterator<Item = Callback> + Send + 'static) -> Self {
        let (hand_out, paced) = mpsc::channel(load.connections);
        let load = load.clone();
        thread::spawn(move || {
            let began = Instant::now();
            for (index, callback) in (0..).zip(callbacks) {
                let due = load.due_after(index, &callback).map(|after| began + after);
                let ends = load.seconds.map(|after| began + Duration::from_secs_f64(after));
                if ends.is_some_and(|ends| due.unwrap_or_else(Instant::now) >= ends) {
                    return;
                }
                if let Some(due) = due {
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
                // Waits where all connections are busy. What is due meanwhile stays due.
                if hand_out.blocking_send((due, callback)).is_err() {
                    return;
                }
            }
        });
        Self(Mutex::new(paced))
    }

    /// The next callback, and since when it has been due; nothing when all are handed out.
    ///
    /// Its latency counts from there, however late a connection comes for it: a server that stalls
    /// must not be spared the callbacks that would have come meanwhile.
    pub async fn next(&self) -> Option<(Instant, Callback)> {
        let (due, callback) = self.0.lock().await.recv().await?;
        Some((due.unwrap_or_else(Instant::now), callback))
    }
}

impl Load {
    /// How long after the beginning a callback is due; nothing where it is when a connection is free.
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
        let target = String::new();
        Load { target, connections: 1, rate: None, seconds: None, day_seconds: None }
    }

    #[tokio::test]
    async fn at_a_rate_callbacks_are_due_evenly_and_come_no_earlier() {
        let paced = Paced::begin(&Load { rate: Some(2_000.0), ..load() }, callbacks());
        let (mut before, _) = paced.next().await.unwrap();
        for _ in 0..100 {
            let (due, _) = paced.next().await.unwrap();
            assert_eq!(due - before, Duration::from_micros(500));
            assert!(due <= Instant::now());
            before = due;
        }
    }

    #[tokio::test]
    async fn without_a_rate_no_callback_waits_for_a_clock() {
        let paced = Paced::begin(&load(), callbacks());
        let began = Instant::now();
        let mut count = 0;
        while paced.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 1_000);
        assert!(began.elapsed() < Duration::from_millis(1_000), "a millisecond each");
    }

    #[tokio::test]
    async fn what_is_due_after_the_end_is_not_handed_out() {
        let load = Load { rate: Some(1_000.0), seconds: Some(0.05), ..load() };
        let paced = Paced::begin(&load, callbacks());
        let mut count = 0;
        while paced.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 50);
    }
}
