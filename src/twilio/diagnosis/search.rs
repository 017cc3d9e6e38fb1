//! The search through candidate URLs, texts and keys, the most likely first, within a budget.

use super::body_text::SignedText;
use super::candidate_urls::CandidateUrls;
use super::keyring::{Key, Keyring};
use super::remedy::Remedy;
use super::variant::COST_MAX;

/// A search for what was signed.
pub struct Search<'a> {
    mac: Vec<u8>,
    keyring: Keyring<'a>,
    signatures_left: usize,
    bytes_left: usize,
}

/// Which keys are tried.
#[derive(Clone, Copy)]
pub enum Keys {
    /// Those that should have signed.
    Expected,
    /// All others that are configured.
    Others,
}

/// At which costs the other keys are tried too, and over candidates of which cost: unedited ones early
/// on, edited ones late, because there may be many keys.
const OTHER_KEYS: [(u8, u8); 4] = [(3, 0), (4, 1), (6, 2), (7, 4)];

impl<'a> Search<'a> {
    /// A search for the text that has this MAC, with a budget of signatures and hashed bytes.
    pub fn new(mac: Vec<u8>, keyring: Keyring<'a>, signatures: usize, bytes: usize) -> Self {
        Self { mac, keyring, signatures_left: signatures, bytes_left: bytes }
    }

    /// Tries candidates by rising cost. The request without any edit comes first, for the sake of JSON,
    /// whose signature may fit even though its body does not.
    pub fn run(&mut self, urls: &[CandidateUrls], texts: &[SignedText]) -> Option<Remedy> {
        for cost in 0..=COST_MAX {
            let found = self.of_cost(cost, urls, texts, Keys::Expected).or_else(|| {
                let (_, cost) = OTHER_KEYS.into_iter().find(|(at, _)| *at == cost)?;
                self.of_cost(cost, urls, texts, Keys::Others)
            });
            if found.is_some() || self.is_exhausted() {
                return found;
            }
        }
        None
    }

    /// Tries every combination of URL and text that has exactly this cost.
    pub fn of_cost(
        &mut self,
        cost: u8,
        urls: &[CandidateUrls],
        texts: &[SignedText],
        keys: Keys,
    ) -> Option<Remedy> {
        for text in texts {
            let Some(left) = cost.checked_sub(text.cost) else { continue };
            for candidate in urls.iter().flat_map(|urls| urls.of_cost(left)) {
                if let Some(key) = self.fits(&candidate.value, &text.bytes, keys) {
                    let (url, body) = (candidate.edits, text.edit);
                    return Some(Remedy { url, body, key, ..Remedy::default() });
                }
                if self.is_exhausted() {
                    return None;
                }
            }
        }
        None
    }

    /// Finds the key that made the signature: `None` if none did, and `Some(None)` if it is one that
    /// should have signed, which needs no description.
    pub fn fits(&mut self, url: &str, text: &[u8], keys: Keys) -> Option<Option<String>> {
        let candidates: &[Key<'_>] = match keys {
            Keys::Expected => &self.keyring.expected,
            Keys::Others => &self.keyring.others,
        };
        for key in candidates {
            if self.signatures_left == 0 || self.bytes_left < url.len() + text.len() {
                self.signatures_left = 0;
                return None;
            }
            self.signatures_left -= 1;
            self.bytes_left -= url.len() + text.len();
            if key.verifies(&[url.as_bytes(), text], &self.mac) {
                return Some(matches!(keys, Keys::Others).then(|| self.keyring.describe(key)));
            }
        }
        None
    }

    /// Whether the budget is spent.
    pub fn is_exhausted(&self) -> bool {
        self.signatures_left == 0
    }
}
