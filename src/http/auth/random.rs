//! Random texts that nobody can guess: ids of sessions, and CSRF tokens.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The random bytes of a text: as many as a 256-bit key has.
const BYTES: usize = 32;

/// A new random text of 43 letters, digits, dashes and underscores.
///
/// # Panics
///
/// If the system has no random bytes, which it has from its start on.
pub fn random_text() -> String {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    URL_SAFE_NO_PAD.encode(bytes)
}
