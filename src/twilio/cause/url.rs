//! The URLs that Twilio may have signed instead of ours: taken apart, changed in a few places, and put
//! together again. That is done only to guess; `signature` keeps every byte.

use sha2::{Digest, Sha256};

use super::named::Named;
use super::origin::Origin;
use super::path::{PathAndQuery, Paths};
use super::variant::{COST_MAX, NEAR, UrlEdit, Variant, in_order};
use super::{Case, Configured, query};
use crate::domain::digest::hex;
use crate::twilio::callback::BodyKind;
use crate::twilio::signature::{BaseUrl, body_hash};

/// What unescaped means in RFC 3986, apart from letters and digits.
const UNRESERVED: &[u8] = b"-._~";

/// Everything that may stand for one public URL and the request's path and query.
pub struct Guesses {
    /// What is put right by taking this public URL at all, and what that costs.
    base: Variant<()>,
    /// The nearest first.
    origins: Vec<Variant<String>>,
    /// By cost.
    targets: [Vec<Variant<String>>; COST_MAX as usize + 1],
}

/// Those of every public URL, our own first.
pub fn guesses(case: &Case<'_>, configured: &Configured<'_>) -> Vec<Guesses> {
    let named = Named::by(case);
    let urls = || configured.public_urls.iter().chain(configured.further_urls);
    let parts: Vec<_> = urls().filter_map(|url| Some((url, Origin::of(url.as_given())?))).collect();
    let ports: Vec<_> = parts.iter().filter_map(|(_, (origin, _))| origin.given_port()).collect();
    let prefixes = parts.iter().map(|(url, (_, prefix))| (*prefix, url.as_given()));
    let prefixes: Vec<_> = prefixes.filter(|(prefix, _)| !prefix.is_empty()).collect();
    let guesses = parts.iter().enumerate().map(|(at, (url, (origin, prefix)))| Guesses {
        base: base(url, at < configured.public_urls.len()),
        origins: origin.variants(&named, &ports),
        targets: by_cost(targets(case, configured, &named, prefix, &prefixes)),
    });
    guesses.collect()
}

impl Guesses {
    /// Every guess of this cost, the ones whose host is nearest first.
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
}

fn base(url: &BaseUrl, is_own: bool) -> Variant<()> {
    match is_own {
        true => Variant::plain(()),
        // It is complete as it is, so it comes before everything that is put right about ours.
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

/// Path and query in every way there is, the public URL's own path in front.
fn targets(
    case: &Case<'_>,
    configured: &Configured<'_>,
    named: &Named<'_>,
    prefix: &str,
    prefixes: &[(&str, &str)],
) -> Vec<Variant<String>> {
    let (path, query) = match case.target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (case.target, None),
    };
    let paths = Paths { prefix, path, prefixes, callback_paths: configured.callback_paths };
    let is_json = case.kind == BodyKind::Json;
    let hash =
        (is_json && body_hash(case.target).is_none()).then(|| hex(&Sha256::digest(case.body)));
    let queries = query::variants(query, hash.as_deref());
    // Before what would come to the same, but says less.
    let mut targets = escapes(&format!("{prefix}{}", case.target));
    for path in paths.variants(named) {
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

/// The same escapes spelled otherwise, in path and query.
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
