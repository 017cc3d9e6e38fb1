//! Salts of new events.

use std::cell::RefCell;

use crate::domain::event::Salt;

/// How many salts one system call fetches.
const FETCHED: usize = 256;

thread_local! {
    static SALTS: RefCell<Vec<Salt>> = const { RefCell::new(Vec::new()) };
}

/// A new salt, from the system's random source. It never comes from a seed, an id or a clock: with a guessed
/// salt, guesses of an erased event's content could be tested.
///
/// # Panics
///
/// If the system has no random bytes, which it has from its start on.
pub fn new_salt() -> Salt {
    SALTS.with_borrow_mut(|salts| {
        salts.pop().unwrap_or_else(|| {
            *salts = fetch();
            salts.pop().expect("some were fetched")
        })
    })
}

fn fetch() -> Vec<Salt> {
    let mut bytes = [0; FETCHED * Salt::BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.as_chunks().0.iter().map(|bytes| Salt::from_bytes(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{FETCHED, new_salt};

    #[test]
    fn no_salt_is_given_twice() {
        let many = || (0..3 * FETCHED).map(|_| new_salt()).collect::<Vec<_>>();
        let threads = [(); 4].map(|()| std::thread::spawn(many));
        let salts = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        let different: HashSet<_> = salts.map(|salt| *salt.as_bytes()).collect();
        assert_eq!(different.len(), 4 * 3 * FETCHED);
    }
}
