//! The candidate URLs: those that Twilio may have signed instead of ours, each with its edits and cost.
//! They are only guesses; [`signature`](crate::twilio::signature) checks every byte as it arrived.

use sha2::{Digest, Sha256};

use super::origin::Origin;
use super::path::{PathAndQuery, Paths};
use super::proxy_hints::ProxyHints;
use super::query;
use super::request::{Configuration, RejectedRequest};
use super::variant::{COST_MAX, NEAR, UrlEdit, Variant, in_order};
use crate::domain::BodyKind;
use crate::domain::hash::hex;
use crate::twilio::signature::{BaseUrl, has_body_hash};

/// The unreserved characters of RFC 3986, apart from letters and digits.
const UNRESERVED: &[u8] = b"-._~";

/// The candidates that begin with one public URL.
pub struct CandidateUrls {
    /// The edit of taking this public URL at all, and its cost.
    base: Variant<()>,
    /// By rising cost.
    origins: Vec<Variant<String>>,
    /// By cost.
    targets: [Vec<Variant<String>>; COST_MAX as usize + 1],
}

/// The candidates of every public URL, those of the configured ones first.
pub fn all(request: &RejectedRequest<'_>, configuration: &Configuration<'_>) -> Vec<CandidateUrls> {
    let hints = ProxyHints::from_headers(request.headers);
    let urls = || configuration.public_urls.iter().chain(configuration.further_urls);
    let parts: Vec<_> =
        urls().filter_map(|url| Some((url, Origin::parse(url.as_given())?))).collect();
    let ports: Vec<_> = parts.iter().filter_map(|(_, (origin, _))| origin.given_port()).collect();
    let prefixes = parts.iter().map(|(url, (_, prefix))| (*prefix, url.as_given()));
    let prefixes: Vec<_> = prefixes.filter(|(prefix, _)| !prefix.is_empty()).collect();
    let candidates = parts.iter().enumerate().map(|(at, (url, (origin, prefix)))| CandidateUrls {
        base: base(url, at < configuration.public_urls.len()),
        origins: origin.variants(&hints, &ports),
        targets: by_cost(targets(request, configuration, &hints, prefix, &prefixes)),
    });
    candidates.collect()
}

/// The URLs with exactly these edits of the origin and none of the rest. It builds a few dozen
/// variants, where [`all`] builds hundreds.
pub fn with_origin_edits(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
    edits: &[UrlEdit],
) -> Vec<String> {
    let hints = ProxyHints::from_headers(request.headers);
    let parts: Vec<_> =
        configuration.public_urls.iter().filter_map(|url| Origin::parse(url.as_given())).collect();
    let ports: Vec<_> = parts.iter().filter_map(|(origin, _)| origin.given_port()).collect();
    let urls = parts.iter().flat_map(|(origin, prefix)| {
        let origins = origin.variants(&hints, &ports).into_iter();
        let origins = origins.filter(|origin| origin.edits == edits);
        origins.map(move |origin| format!("{}{prefix}{}", origin.value, request.target))
    });
    urls.collect()
}

impl CandidateUrls {
    /// The candidates of exactly this cost, those with the least changed origin first.
    pub fn of_cost(&self, cost: u8) -> impl Iterator<Item = Variant<String>> {
        let left = cost.checked_sub(self.base.cost);
        let origins = self
            .origins
            .iter()
            .filter_map(move |origin| Some((origin, usize::from(left?.checked_sub(origin.cost)?))));
        origins.flat_map(|(origin, left)| {
            let targets = self.targets[left].iter();
            let origin = self.base.with(origin, |(), origin| origin.clone());
            targets.map(move |target| origin.with(target, |one, other| format!("{one}{other}")))
        })
    }

    /// The URLs with exactly these edits.
    pub fn with_edits(&self, edits: &[UrlEdit]) -> Vec<String> {
        let rest = edits.strip_prefix(&self.base.edits[..]);
        let origins = self
            .origins
            .iter()
            .filter_map(|origin| Some((&origin.value, rest?.strip_prefix(&origin.edits[..])?)));
        let urls = origins.flat_map(|(origin, rest)| {
            let targets = self.targets.iter().flatten().filter(move |target| target.edits == rest);
            targets.map(move |target| format!("{origin}{}", target.value))
        });
        urls.collect()
    }
}

fn base(url: &BaseUrl, is_own: bool) -> Variant<()> {
    match is_own {
        true => Variant::plain(()),
        // It is complete already, so it comes before all edits of ours.
        false => Variant::edited(1, UrlEdit::Base(url.as_given().to_owned()), ()),
    }
}

fn by_cost(variants: Vec<Variant<String>>) -> [Vec<Variant<String>>; COST_MAX as usize + 1] {
    let mut by_cost: [Vec<_>; COST_MAX as usize + 1] = Default::default();
    for variant in variants {
        by_cost[usize::from(variant.cost)].push(variant);
    }
    by_cost
}

/// All candidates for path and query, with the public URL's own path in front.
fn targets(
    request: &RejectedRequest<'_>,
    configuration: &Configuration<'_>,
    hints: &ProxyHints<'_>,
    prefix: &str,
    prefixes: &[(&str, &str)],
) -> Vec<Variant<String>> {
    let (path, query) = match request.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.target, None),
    };
    let paths = Paths { prefix, path, prefixes, callback_paths: configuration.callback_paths };
    let is_json = request.kind == BodyKind::Json;
    let hash =
        (is_json && !has_body_hash(request.target)).then(|| hex(&Sha256::digest(request.body)));
    let queries = query::variants(query, hash.as_deref());
    // First, because edits with the same result say less.
    let mut targets = escapes(&format!("{prefix}{}", request.target));
    for path in paths.variants(hints) {
        match &path.value.1 {
            Some(query) => targets
                .push(path.with(&Variant::plain(()), |(path, _), ()| format!("{path}?{query}"))),
            None => targets.extend(queries.iter().map(|query| path.with(query, joined))),
        }
    }
    in_order(targets)
}

fn joined((path, _): &PathAndQuery, query: &Option<String>) -> String {
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    }
}

/// Path and query with their escapes spelled differently.
fn escapes(target: &str) -> Vec<Variant<String>> {
    let each = |change: &dyn Fn(&str) -> String| in_each_escape(target, change);
    let near = |edit, target| Variant::edited(NEAR, edit, target);
    let decoded = each(&|escape| match u8::from_str_radix(&escape[1..], 16) {
        Ok(byte) if byte.is_ascii_alphanumeric() || UNRESERVED.contains(&byte) => {
            char::from(byte).to_string()
        }
        _ => escape.to_owned(),
    });
    vec![
        near(UrlEdit::EscapesInUpperCase(true), each(&|escape| escape.to_ascii_uppercase())),
        near(UrlEdit::EscapesInUpperCase(false), each(&|escape| escape.to_ascii_lowercase())),
        near(UrlEdit::UnreservedDecoded, decoded),
    ]
}

fn in_each_escape(text: &str, change: &dyn Fn(&str) -> String) -> String {
    let mut pieces = text.split('%');
    let mut changed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(digits) => {
                changed.push_str(&change(&format!("%{digits}")));
                changed.push_str(&piece[2..]);
            }
            None => {
                changed.push('%');
                changed.push_str(piece);
            }
        }
    }
    changed
}
