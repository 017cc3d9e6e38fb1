//! Why a signature does not fit: what is usually got wrong is put right, a few things at a time, until
//! it does. Nothing found here lets a callback in; it tells an operator what to mend.

mod keys;
mod mac;
mod named;
mod order;
mod origin;
mod path;
mod query;
mod text;
mod url;
mod variant;
mod words;

use std::fmt;

use self::keys::{Key, Keyring};
use self::text::SignedText;
use self::url::Guesses;
use self::variant::{COST_MAX, UrlEdit};
use super::accounts::{Accounts, Keys};
use super::callback::{Body, BodyKind};
use super::callback_path::CallbackPath;
use super::signature::{BaseUrl, Refusal};

/// How many signatures are computed for one answer. Each thing put right alone takes about 500, two of
/// the usual ones together as many, three some thousand; a forgery fits none of them, so it costs
/// this much.
pub const SIGNATURES_MAX: usize = 4096;

/// How many bytes are hashed for one answer: enough for all of them where a body is a usual one, and
/// some milliseconds where it is as long as can be.
pub const HASHED_BYTES_MAX: usize = 4 << 20;

/// A path and query longer than this are not looked into: Twilio calls no URL over 4,000 characters.
const TARGET_BYTES_MAX: usize = 4096;

/// One refused request.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    pub refusal: Refusal,
    /// Path and query as they stand on the request line.
    pub target: &'a str,
    pub kind: BodyKind,
    pub body: &'a [u8],
    /// X-Twilio-Signature as it came.
    pub signature: &'a [u8],
    /// X-Twilio-Webhooks-Signature-Settings as it came.
    pub settings: Option<&'a [u8]>,
    /// The request's headers, names in lower case. What proxies set in them is not believed, but
    /// tried.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What is configured.
#[derive(Debug, Clone, Copy)]
pub struct Configured<'a> {
    /// The URLs that the signature was checked against.
    pub public_urls: &'a [BaseUrl],
    /// Others that there are.
    pub further_urls: &'a [BaseUrl],
    /// Where callbacks are received.
    pub callback_paths: &'a [CallbackPath],
    pub accounts: &'a Accounts,
    /// Keys that decide whatever account the body names, where there are such.
    pub keys: Option<&'a Keys>,
}

/// Why a signature does not fit, as far as can be found out. No text holds a key or anything sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It would fit if this were so.
    Fits(Fitting),
    /// It is the account's own, over this URL and another body.
    BodyChanged,
    /// Nothing that was tried makes it fit.
    Unknown {
        refusal: Refusal,
        all_tried: bool,
        /// A token that should have signed has not the form of Twilio's.
        odd_token: bool,
    },
}

/// What has to be put right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitting {
    signature_mended: bool,
    url: Vec<UrlEdit>,
    body: Option<text::BodyEdit>,
    /// The key, if it is not the one that decides.
    key: Option<String>,
}

impl Cause {
    /// Whether the signature was made with a configured key: it fits once the cause is put right.
    pub fn is_found(&self) -> bool {
        !matches!(self, Cause::Unknown { .. })
    }
}

/// Looks for the cause of a refusal.
pub fn cause(case: &Case<'_>, configured: &Configured<'_>) -> Cause {
    let body = Body::parse(case.kind, case.body);
    let keys = Keyring::of(configured, &body.claim(), case.settings);
    let (refusal, odd_token) = (case.refusal, keys.expect_odd_token());
    let unknown = |all_tried| Cause::Unknown { refusal, all_tried, odd_token };
    let Some((mac, signature_mended)) = mac::of(case.signature) else { return unknown(true) };
    if case.target.len() > TARGET_BYTES_MAX {
        return unknown(false);
    }
    let query = case.target.split_once('?').map(|(_, query)| query);
    let texts = SignedText::all(case.kind, case.body, &body, query);
    let mut search = Search { mac, keys, left: SIGNATURES_MAX, bytes_left: HASHED_BYTES_MAX };
    match search.run(&url::guesses(case, configured), &texts) {
        Some(found) if is_of_another_body(case, &found) => Cause::BodyChanged,
        Some(found) => Cause::Fits(Fitting { signature_mended, ..found }),
        None => unknown(!search.is_exhausted()),
    }
}

/// Of JSON only the URL is signed, and the body's hash stands in it.
fn is_of_another_body(case: &Case<'_>, found: &Fitting) -> bool {
    let differs = case.refusal == Refusal::BodyHashDiffers;
    differs && found.url.is_empty() && found.body.is_none() && found.key.is_none()
}

/// What is looked for, with which keys, and how much may still be computed.
struct Search<'a> {
    mac: Vec<u8>,
    keys: Keyring<'a>,
    left: usize,
    bytes_left: usize,
}

/// At which cost the other keys are tried too, and over guesses of which cost: as they are early on,
/// with something else put right late, because there may be many of them.
const OTHER_KEYS: [(u8, u8); 4] = [(3, 0), (4, 1), (6, 2), (7, 4)];

impl Search<'_> {
    /// The nearest first. Nothing put right comes before everything, for the sake of JSON, whose
    /// signature may fit where its body does not.
    fn run(&mut self, guesses: &[Guesses], texts: &[SignedText]) -> Option<Fitting> {
        for cost in 0..=COST_MAX {
            let found = self.of_cost(cost, guesses, texts, Which::Expected).or_else(|| {
                let (_, cost) = OTHER_KEYS.into_iter().find(|(at, _)| *at == cost)?;
                self.of_cost(cost, guesses, texts, Which::Others)
            });
            if found.is_some() || self.is_exhausted() {
                return found;
            }
        }
        None
    }

    fn of_cost(
        &mut self,
        cost: u8,
        guesses: &[Guesses],
        texts: &[SignedText],
        which: Which,
    ) -> Option<Fitting> {
        for text in texts {
            let Some(left) = cost.checked_sub(text.cost) else { continue };
            for guess in guesses.iter().flat_map(|guesses| guesses.of_cost(left)) {
                if let Some(key) = self.fits(&guess.value, &text.bytes, which) {
                    let (url, body) = (guess.edits, text.edit);
                    return Some(Fitting { signature_mended: false, url, body, key });
                }
                if self.is_exhausted() {
                    return None;
                }
            }
        }
        None
    }

    /// Which key fits; of those that decide, nothing needs to be told.
    fn fits(&mut self, url: &str, text: &[u8], which: Which) -> Option<Option<String>> {
        let keys: &[Key<'_>] = match which {
            Which::Expected => &self.keys.expected,
            Which::Others => &self.keys.others,
        };
        for key in keys {
            if self.left == 0 || self.bytes_left < url.len() + text.len() {
                self.left = 0;
                return None;
            }
            self.left -= 1;
            self.bytes_left -= url.len() + text.len();
            if key.verifies(&[url.as_bytes(), text], &self.mac) {
                let told = matches!(which, Which::Others).then(|| self.keys.told(key));
                return Some(told);
            }
        }
        None
    }

    fn is_exhausted(&self) -> bool {
        self.left == 0
    }
}

/// The keys that should have signed, or the rest of those configured.
#[derive(Clone, Copy)]
enum Which {
    Expected,
    Others,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words::of(self))
    }
}
