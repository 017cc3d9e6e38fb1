//! Why a signature does not fit: what is usually got wrong is put right, one thing or two at a time,
//! until it does. Nothing found here lets a callback in; it tells an operator what to mend.

mod keys;
mod text;
mod url;
mod words;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

use self::keys::{Key, Keyring};
use self::text::SignedText;
use self::url::{Guess, UrlEdit};
use super::accounts::{Accounts, Keys};
use super::callback::{Body, BodyKind};
use super::callback_path::CallbackPath;
use super::signature::{BaseUrl, Refusal};

/// How many signatures are computed for one answer. One thing put right takes some hundred, two
/// some thousand; forged ones fit none of them, so each costs this much.
pub const SIGNATURES_MAX: usize = 2048;

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

/// Why a signature does not fit, as far as can be told. No text holds a key or anything sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It would fit if this were so.
    Fits(Fitting),
    /// It is the account's own, over this URL and another body.
    BodyChanged,
    /// Nothing that was tried makes it fit.
    Unknown { refusal: Refusal, all_tried: bool },
}

/// What has to be put right.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fitting {
    signature_mended: bool,
    url: Vec<UrlEdit>,
    body: Option<text::BodyEdit>,
    /// The key, where it is not the one that decides.
    key: Option<String>,
}

/// Looks for the cause of a refusal.
pub fn cause(case: &Case<'_>, configured: &Configured<'_>) -> Cause {
    let unknown = |all_tried| Cause::Unknown { refusal: case.refusal, all_tried };
    let Some((mac, signature_mended)) = mac(case.signature) else { return unknown(true) };
    if case.target.len() > TARGET_BYTES_MAX {
        return unknown(false);
    }
    let body = Body::parse(case.kind, case.body);
    let keys = Keyring::of(configured, &body.claim(), case.settings);
    let texts = SignedText::all(case.kind, case.body, &body);
    let mut search = Search { mac, keys, left: SIGNATURES_MAX, bytes_left: HASHED_BYTES_MAX };
    match search.run(case, configured, &texts) {
        Some(found) if is_of_another_body(case, &found) => Cause::BodyChanged,
        Some(found) => Cause::Fits(Fitting { signature_mended, ..found }),
        None => unknown(!search.is_exhausted()),
    }
}

/// How many signatures are computed to see whether a cause fits another request: its edit may have a
/// few forms, each with and without a port and with every key.
const AGAIN_SIGNATURES_MAX: usize = 64;

/// How many bytes are hashed for that: some sixteen times a body as long as a form may be.
const AGAIN_HASHED_BYTES_MAX: usize = 1 << 20;

/// How many signatures a quick search takes: everything with one edit, for an account with two tokens.
const QUICK_SIGNATURES_MAX: usize = 256;

/// How many bytes it hashes: enough for all of them if a body is a usual one.
const QUICK_HASHED_BYTES_MAX: usize = 128 << 10;

/// An HMAC-SHA1 and an HMAC-SHA256, in bytes.
const MAC_BYTES: [usize; 2] = [20, 32];

/// Whether what made another request fit makes this one fit too. It takes a few signatures, so it can
/// be asked for each of a flood.
pub fn again(case: &Case<'_>, configured: &Configured<'_>, fitting: &Fitting) -> bool {
    let bounds = (AGAIN_SIGNATURES_MAX, AGAIN_HASHED_BYTES_MAX);
    let found = bounded(case, configured, bounds, |search, body| {
        let texts = match fitting.body {
            None => vec![SignedText::plain(body)],
            Some(_) => SignedText::all(case.kind, case.body, body),
        };
        let text = texts.iter().find(|text| text.edit == fitting.body)?;
        let which = if fitting.key.is_some() { Which::Others } else { Which::Expected };
        search.any(&url::guesses_with(case, configured, &fitting.url), &[text], which)
    });
    found.is_some_and(|found| found.key == fitting.key)
}

/// Looks for the cause among the nearest ones only: one edit of the URL, signed by a key that should
/// have signed.
pub fn quick(case: &Case<'_>, configured: &Configured<'_>) -> Option<Fitting> {
    let bounds = (QUICK_SIGNATURES_MAX, QUICK_HASHED_BYTES_MAX);
    bounded(case, configured, bounds, |search, body| {
        let near = url::near_guesses(case, configured);
        search.any(&near, &[&SignedText::plain(body)], Which::Expected)
    })
}

/// A search within a number of signatures and of hashed bytes, for a body that was not changed.
fn bounded(
    case: &Case<'_>,
    configured: &Configured<'_>,
    (left, bytes_left): (usize, usize),
    run: impl FnOnce(&mut Search<'_>, &Body<'_>) -> Option<Fitting>,
) -> Option<Fitting> {
    let (mac, signature_mended) = mac(case.signature)?;
    if case.target.len() > TARGET_BYTES_MAX || !MAC_BYTES.contains(&mac.len()) {
        return None;
    }
    let body = Body::parse(case.kind, case.body);
    let keys = Keyring::of(configured, &body.claim(), case.settings);
    let mut search = Search { mac, keys, left, bytes_left };
    let found = run(&mut search, &body)?;
    (!is_of_another_body(case, &found)).then_some(Fitting { signature_mended, ..found })
}

/// Of JSON only the URL is signed, and the body's hash stands in it.
fn is_of_another_body(case: &Case<'_>, found: &Fitting) -> bool {
    let differs = case.refusal == Refusal::BodyHashDiffers;
    differs && found.url.is_empty() && found.body.is_none() && found.key.is_none()
}

/// The signature's bytes, and whether its text had to be mended first.
fn mac(signature: &[u8]) -> Option<(Vec<u8>, bool)> {
    if signature.is_empty() {
        return None;
    }
    if let Ok(mac) = STANDARD.decode(signature) {
        return Some((mac, false));
    }
    let decoded: Vec<u8> = percent_decode(signature.trim_ascii()).collect();
    let quotes = |byte: &u8| !matches!(byte, b'"' | b'\'');
    let standard = |byte| match byte {
        b' ' | b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let mended: Vec<u8> = decoded.into_iter().filter(quotes).map(standard).collect();
    STANDARD.decode(mended).ok().map(|mac| (mac, true))
}

/// What is looked for, with which keys, and how much may still be computed.
struct Search<'a> {
    mac: Vec<u8>,
    keys: Keyring<'a>,
    left: usize,
    bytes_left: usize,
}

impl Search<'_> {
    /// Nearest first: one thing put right, then two. Nothing put right comes first of all, for the
    /// sake of JSON, whose signature may fit where its body does not.
    fn run(
        &mut self,
        case: &Case<'_>,
        configured: &Configured<'_>,
        texts: &[SignedText],
    ) -> Option<Fitting> {
        let (plain, edited) = texts.split_first()?;
        let (plain, expected, others) = ([plain], Which::Expected, Which::Others);
        let edited: Vec<_> = edited.iter().collect();
        let guesses = url::guesses(case, configured);
        let [none, one, two] = &guesses;
        self.any(none, &plain, expected)
            .or_else(|| self.any(one, &plain, expected))
            .or_else(|| self.any(none, &edited, expected))
            .or_else(|| self.any(none, &plain, others))
            .or_else(|| self.any(one, &edited, expected))
            .or_else(|| self.any(one, &plain, others))
            .or_else(|| self.any(none, &edited, others))
            .or_else(|| self.any(two, &plain, expected))
    }

    fn any(&mut self, urls: &[Guess], texts: &[&SignedText], which: Which) -> Option<Fitting> {
        for text in texts {
            for guess in urls {
                if let Some(key) = self.fits(&guess.url, &text.bytes, which) {
                    let (url, body) = (guess.edits.clone(), text.edit);
                    return Some(Fitting { signature_mended: false, url, body, key });
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
