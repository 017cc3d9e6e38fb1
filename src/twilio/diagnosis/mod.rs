//! The diagnosis of a signature that does not fit: common mistakes are undone, a few at a time, until it does.
//! The result only tells an operator what to fix; it never lets a callback in.

mod body_text;
mod candidate_urls;
mod explanation;
mod keyring;
mod origin;
mod path;
mod proxy_hints;
mod query;
mod remedy;
mod request;
mod search;
mod signature_bytes;
mod variant;

use self::body_text::SignedText;
use self::keyring::Keyring;
pub use self::remedy::{Diagnosis, Remedy};
pub use self::request::{Configuration, RejectedRequest};
use self::search::{Keys, Search};
use self::signature_bytes::MAC_BYTES;
use self::variant::{BodyEdit, NEAR, UrlEdit};
use super::callback::{Content, ParsedBody};
use super::signature::InvalidReason;

/// Maximum number of signatures computed for one diagnosis. Each single edit takes about 500, pairs of
/// common ones as many together, and triples some thousand. A forgery uses the whole budget.
pub const SIGNATURES_MAX: usize = 4096;

/// Maximum number of bytes hashed for one diagnosis: enough for all signatures over a usual body, and
/// a few milliseconds for the longest possible one.
pub const HASHED_BYTES_MAX: usize = 4 << 20;

/// Maximum number of signatures computed to try a known remedy: its edit may have a few forms, each
/// with and without a port and with every key.
const REMEDY_SIGNATURES_MAX: usize = 64;

/// Maximum number of bytes hashed to try a known remedy: about sixteen times the longest form.
const REMEDY_HASHED_BYTES_MAX: usize = 1 << 20;

/// Maximum number of signatures in a quick diagnosis: all single edits, for an account with two tokens.
const QUICK_SIGNATURES_MAX: usize = 256;

/// Maximum number of bytes hashed in a quick diagnosis: enough for all its signatures over a usual body.
const QUICK_HASHED_BYTES_MAX: usize = 128 << 10;

/// Longer targets are not analysed: Twilio calls no URL of more than 4,000 characters.
const TARGET_BYTES_MAX: usize = 4096;

/// Searches for the mistake that makes a request's signature invalid.
pub fn diagnose(request: &RejectedRequest<'_>, configuration: &Configuration<'_>) -> Diagnosis {
    let body = ParsedBody::parse(request.kind, request.body);
    let keys = Keyring::new(configuration, &body.claimed_account(), request.settings);
    let (reason, odd_token) = (request.reason, keys.expect_odd_token());
    let unknown = |all_tried| Diagnosis::Unknown { reason, all_tried, odd_token };
    let Some((mac, signature_repaired)) = signature_bytes::decode(request.signature) else {
        return unknown(true);
    };
    if !MAC_BYTES.contains(&mac.len()) {
        // No key makes a signature of another length.
        return unknown(true);
    }
    if request.target.len() > TARGET_BYTES_MAX {
        return unknown(false);
    }
    let texts = SignedText::all(request.kind, request.body, &body, request.query());
    let mut search = Search::new(mac, keys, SIGNATURES_MAX, HASHED_BYTES_MAX);
    match search.run(&candidate_urls::all(request, configuration), &texts) {
        Some(found) if is_of_another_body(request, &body, &found) => Diagnosis::BodyChanged,
        Some(found) => {
            let hash_replaced = hash_still_differs(request, &found);
            Diagnosis::Fits(Remedy { signature_repaired, hash_replaced, ..found })
        }
        None => unknown(!search.is_exhausted()),
    }
}

/// Like [`diagnose`], but only tries single edits of the URL and the keys that should have signed.
pub fn diagnose_quickly(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
) -> Option<Remedy> {
    let budget = (QUICK_SIGNATURES_MAX, QUICK_HASHED_BYTES_MAX);
    search_within(request, configuration, budget, |search, body| {
        let urls = candidate_urls::all(request, configuration);
        let texts = [SignedText::plain(body)];
        (0..=NEAR).find_map(|cost| search.of_cost(cost, &urls, &texts, Keys::Expected))
    })
}

/// Whether the remedy for another request makes this request's signature fit too. It computes few
/// signatures, so that it is affordable for each request of a flood; unless the remedy
/// [changes only the origin](Remedy::is_of_origin), it first builds all variants of the URL.
pub fn remedy_fits(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
    remedy: &Remedy,
) -> bool {
    let budget = (REMEDY_SIGNATURES_MAX, REMEDY_HASHED_BYTES_MAX);
    let found = search_within(request, configuration, budget, |search, body| {
        let texts = match remedy.body {
            None => vec![SignedText::plain(body)],
            Some(_) => SignedText::all(request.kind, request.body, body, request.query()),
        };
        let text = texts.into_iter().find(|text| text.edit == remedy.body)?;
        let urls = match remedy.is_of_origin() {
            true => candidate_urls::with_origin_edits(request, configuration, &remedy.url),
            false => {
                let urls = candidate_urls::all(request, configuration);
                urls.iter().flat_map(|urls| urls.with_edits(&remedy.url)).collect()
            }
        };
        let keys = if remedy.key.is_some() { Keys::Others } else { Keys::Expected };
        let key = urls.iter().find_map(|url| search.fits(url, &text.bytes, keys))?;
        Some(Remedy { key, ..remedy.clone() })
    });
    found.is_some_and(|found| found.key == remedy.key)
}

/// The public URL that makes a request's signature match, if the remedy changes only its scheme, host or
/// port, and the key is one that should have signed.
pub fn corrected_public_url(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
    remedy: &Remedy,
) -> Option<String> {
    if !remedy.is_of_origin() || remedy.key.is_some() {
        return None;
    }
    let mut corrected = None;
    let budget = (REMEDY_SIGNATURES_MAX, REMEDY_HASHED_BYTES_MAX);
    search_within(request, configuration, budget, |search, body| {
        let text = SignedText::plain(body);
        let urls = candidate_urls::with_origin_edits(request, configuration, &remedy.url);
        let fits = urls.iter().find(|url| search.fits(url, &text.bytes, Keys::Expected).is_some());
        corrected = fits?.strip_suffix(request.target).map(str::to_owned);
        Some(remedy.clone())
    });
    corrected
}

/// Runs a search within a budget of signatures and hashed bytes; `None` if it finds no remedy that
/// makes the request valid.
fn search_within(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
    (signatures, bytes): (usize, usize),
    run: impl FnOnce(&mut Search<'_>, &ParsedBody<'_>) -> Option<Remedy>,
) -> Option<Remedy> {
    let (mac, signature_repaired) = signature_bytes::decode(request.signature)?;
    if request.target.len() > TARGET_BYTES_MAX || !MAC_BYTES.contains(&mac.len()) {
        return None;
    }
    let body = ParsedBody::parse(request.kind, request.body);
    let keys = Keyring::new(configuration, &body.claimed_account(), request.settings);
    let found = run(&mut Search::new(mac, keys, signatures, bytes), &body)?;
    let stays_invalid =
        is_of_another_body(request, &body, &found) || hash_still_differs(request, &found);
    (!stays_invalid).then_some(Remedy { signature_repaired, ..found })
}

/// Whether only the URL is signed, as for JSON, and the hash in it is that of another body.
fn is_of_another_body(
    request: &RejectedRequest<'_>,
    body: &ParsedBody<'_>,
    found: &Remedy,
) -> bool {
    let over_url_alone = match (&body.content, found.body) {
        (Content::Json(_), edit) => edit.is_none(),
        (Content::Form(form), None) => form.signed_text().is_empty(),
        (Content::Form(_), edit) => edit == Some(BodyEdit::NotAtAll),
    };
    hash_still_differs(request, found)
        && over_url_alone
        && found.url.is_empty()
        && found.key.is_none()
}

/// Whether the corrected query still has the hash of another body. If so, the request stays invalid
/// even though the signature fits.
fn hash_still_differs(request: &RejectedRequest<'_>, found: &Remedy) -> bool {
    request.reason == InvalidReason::BodyHashDiffers && !found.url.contains(&UrlEdit::QueryCut)
}
