//! Watches the threads that run handlers: all have to start, and none may end before the server.
//! Without them, a listener would accept connections and never respond.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

/// How long the threads may take to start; usually they take a millisecond each.
const START_PATIENCE: Duration = Duration::from_secs(20);

/// The threads of all listeners of one server.
#[derive(Clone, Default)]
pub struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    started: AtomicUsize,
    moved: Notify,
    ended: Notify,
}

/// Dropped when its thread ends.
struct Alive(Arc<Shared>);

thread_local! {
    static ALIVE: RefCell<Vec<Alive>> = const { RefCell::new(Vec::new()) };
}

impl Workers {
    /// Registers the current thread; called once in each.
    pub fn join(&self) {
        ALIVE.with_borrow_mut(|alive| alive.push(Alive(Arc::clone(&self.0))));
        self.0.started.fetch_add(1, Ordering::Relaxed);
        self.0.moved.notify_one();
    }

    /// Waits until the server cannot go on, because not all of the expected threads have started in
    /// time or one has ended. Returns the reason.
    pub async fn trouble(&self, expected: usize) -> String {
        let all = async {
            while self.0.started.load(Ordering::Relaxed) < expected {
                self.0.moved.notified().await;
            }
        };
        if tokio::time::timeout(START_PATIENCE, all).await.is_err() {
            let started = self.0.started.load(Ordering::Relaxed);
            return format!(
                "{started} of {expected} threads that answer requests have started within {} s",
                START_PATIENCE.as_secs()
            );
        }
        self.0.ended.notified().await;
        "a thread that answers requests has died".to_owned()
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::Workers;

    #[tokio::test]
    async fn a_thread_that_dies_is_noticed() {
        let workers = Workers::default();
        let (own, (stay, stayed)) = (workers.clone(), std::sync::mpsc::channel::<()>());
        let thread = std::thread::spawn(move || {
            own.join();
            let _until_it_is_told = stayed.recv();
            panic!("it dies");
        });
        let trouble = workers.trouble(1);
        tokio::pin!(trouble);
        let soon = std::time::Duration::from_millis(100);
        assert!(tokio::time::timeout(soon, &mut trouble).await.is_err(), "it is alive");

        drop(stay);

        assert_eq!(trouble.await, "a thread that answers requests has died");
        assert!(thread.join().is_err());
    }
}
