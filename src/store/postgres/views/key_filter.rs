//! A Bloom filter of the messages in new views, so that a replay asks the server only for those that may be there:
//! most messages of a batch are new.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::MessageKey;

/// 16 MiB: with five million messages one of 180 new ones is asked for in vain, with twenty million one of 14.
const BITS: usize = 1 << 27;

/// The messages that were added, and some others.
pub struct KeyFilter {
    words: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl KeyFilter {
    /// Without messages.
    pub fn new() -> Self {
        let words = (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        Self { words, hasher: RandomState::new() }
    }

    /// Adds a message.
    pub fn add(&self, key: &MessageKey) {
        for bit in self.bits(key) {
            self.words[bit / 64].fetch_or(1 << (bit % 64), Ordering::Relaxed);
        }
    }

    /// False only if the message was not added.
    pub fn may_have(&self, key: &MessageKey) -> bool {
        self.bits(key)
            .iter()
            .all(|bit| self.words[bit / 64].load(Ordering::Relaxed) & (1 << (bit % 64)) != 0)
    }

    fn bits(&self, key: &MessageKey) -> [usize; 2] {
        let hash = self.hasher.hash_one(key) as usize;
        [hash % BITS, (hash >> 32) % BITS]
    }
}

#[cfg(test)]
mod tests {
    use super::KeyFilter;
    use crate::domain::{MessageKey, MessageSid};

    fn key(number: u32) -> MessageKey {
        let message_sid = MessageSid::parse(&format!("SM{number:032x}")).unwrap();
        MessageKey { account_sid: None, message_sid }
    }

    #[test]
    fn what_was_added_is_there_and_hardly_anything_else() {
        let filter = KeyFilter::new();
        (0..20_000).for_each(|number| filter.add(&key(number)));
        assert!((0..20_000).all(|number| filter.may_have(&key(number))));
        let in_vain = (20_000..40_000).filter(|number| filter.may_have(&key(*number))).count();
        assert!(in_vain < 20, "{in_vain} of 20,000");
    }
}
