//! A value that is exchanged while requests read it.

use std::sync::{Arc, PoisonError, RwLock};

/// What is in use now. Whoever has begun with a value ends with it; whoever begins later has the next
/// one. The lock is held for as long as a counter takes to count, so nobody waits for it.
#[derive(Default)]
pub struct InUse<T>(RwLock<Arc<T>>);

impl<T> InUse<T> {
    /// This, until it is exchanged.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    /// What is in use at this moment.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in its place.
    pub fn exchange(&self, value: T) {
        // What was in use is let go behind the lock.
        let value = Arc::new(value);
        let _before =
            std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), value);
    }
}

#[cfg(test)]
mod tests {
    use super::InUse;

    #[test]
    fn whoever_has_begun_with_a_value_keeps_it() {
        let in_use = InUse::new(1);
        let begun = in_use.now();

        in_use.exchange(2);

        assert_eq!((*begun, *in_use.now()), (1, 2));
    }
}
