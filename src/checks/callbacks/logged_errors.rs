//! Check of the errors that Twilio has logged about the URLs of this ledger, as Event Streams report them: what
//! Twilio could not deliver, since when, and how often.

use std::collections::BTreeMap;
use std::time::Duration;

use super::refusals::to_the_minute;
use super::silence::since;
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;
use crate::domain::error_code::ErrorCodes;
use crate::domain::logged_error::{LoggedErrors, url_of_error};
use crate::domain::{ErrorCode, Timestamp};
use crate::text::{in_words, number};
use crate::twilio::callback_path::CallbackPath;

/// The age up to which an error needs attention: a day, as many look once a day.
const RECENT: Duration = Duration::from_secs(24 * 3600);

/// The number of pairs of URL and error code that are named, the last first.
const NAMED_MAX: usize = 10;

/// A URL of this ledger that Twilio may call.
struct OwnUrl {
    /// The public URL, in the form in which the errors have it.
    base: String,
    path: CallbackPath,
}

/// The errors with one code about one URL of this ledger.
#[derive(Clone, Copy)]
struct Counted {
    count: u64,
    first: Timestamp,
    last: Timestamp,
}

/// Reports the errors about each URL of this ledger, by error code.
pub fn each(context: &CheckContext) -> Vec<Finding> {
    // Another check reports views that cannot be read.
    let read = context.head().and(context.store()).map(|store| store.views().logged_errors());
    let Some(Ok((_, errors))) = read else { return Vec::new() };
    let own = own_urls(context);
    if errors.is_empty() || own.is_empty() {
        return Vec::new();
    }
    let codes = context.settings.error_codes(None).unwrap_or_default();
    let counted = counted(&errors, &own);
    let others = errors.iter().find(|errors| errors.about.is_none());
    let of_own = counted.iter().take(NAMED_MAX).map(|((url, code), counted)| {
        let detail = format!("{} ({})", happened(*code, url), in_table(*code, &codes));
        counted.finding(&detail, advice(*code), context.now)
    });
    let of_own = match counted.is_empty() {
        true => vec![Finding::ok("none about the URLs of this ledger")],
        false => of_own.collect(),
    };
    of_own.into_iter().chain(others.map(|others| of_others(others, context.now))).collect()
}

/// The callback URLs and the URL of Event Streams; none if the configuration is invalid, which another check
/// reports.
fn own_urls(context: &CheckContext) -> Vec<OwnUrl> {
    let settings = &context.settings;
    let (Ok(urls), Ok(paths)) = (settings.public_urls(), settings.received_paths()) else {
        return Vec::new();
    };
    let mut bases: Vec<_> = urls.iter().filter_map(|url| url_of_error(url.as_given())).collect();
    bases.dedup();
    let own = bases.iter().flat_map(|base| {
        let base = base.trim_end_matches('/');
        paths.iter().map(|path| OwnUrl { base: base.to_owned(), path: path.clone() })
    });
    own.collect()
}

impl OwnUrl {
    fn matches(&self, url: &str) -> bool {
        url.strip_prefix(&self.base)
            .is_some_and(|path| path.starts_with('/') && self.path.matches(path))
    }

    /// As it is configured: what a path matches may name a message.
    fn shown(&self) -> String {
        format!("{}{}", self.base, self.path.as_given())
    }
}

/// The errors about these URLs, the last first.
fn counted(errors: &[LoggedErrors], own: &[OwnUrl]) -> Vec<((String, ErrorCode), Counted)> {
    let mut counted = BTreeMap::new();
    for LoggedErrors { about, count, first, last } in errors {
        let Some((code, url)) = about else { continue };
        let Some(own) = own.iter().find(|own| own.matches(url)) else { continue };
        let none = Counted { count: 0, first: *first, last: *last };
        let sum = counted.entry((own.shown(), *code)).or_insert(none);
        sum.count += count;
        sum.first = sum.first.min(*first);
        sum.last = sum.last.max(*last);
    }
    let mut counted: Vec<_> = counted.into_iter().collect();
    counted.sort_by_key(|(_, counted)| std::cmp::Reverse(counted.last));
    counted
}

impl Counted {
    fn finding(self, detail: &str, advice: String, now: Timestamp) -> Finding {
        let age = since(now, self.last);
        let ago = in_words(age);
        let detail = match self.count {
            1 => format!("{detail}: once, {ago} ago"),
            count => {
                let (count, first) = (number(count), to_the_minute(self.first));
                format!("{detail}: {count} times since {first}, the last {ago} ago")
            }
        };
        if age > RECENT { Finding::ok(detail) } else { Finding::warn(detail, advice) }
    }
}

/// The errors about more URLs than are counted separately, which may be of this ledger.
fn of_others(others: &LoggedErrors, now: Timestamp) -> Finding {
    let LoggedErrors { count, first, last, .. } = *others;
    let detail = "Twilio has logged errors about more URLs than are counted separately";
    let advice = "see Twilio's error log: it has the URL of each".to_owned();
    Counted { count, first, last }.finding(detail, advice, now)
}

fn in_table(code: ErrorCode, codes: &ErrorCodes) -> String {
    match codes.meaning(code) {
        Some(meaning) => format!("{}: {}", code.number(), meaning.title),
        None => code.number().to_string(),
    }
}

/// What an error code means for a URL.
fn happened(code: ErrorCode, url: &str) -> String {
    match code.number() {
        11200..=11205 | 11210 | 11220 | 11235..=11237 => format!("Twilio could not reach {url}"),
        11206 | 11251 => format!("Twilio did not understand the answer of {url}"),
        11215 | 11216 => format!("{url} redirected Twilio"),
        11217 | 91305 => format!("{url} answered Twilio with an error"),
        _ => format!("Twilio logged an error about {url}"),
    }
}

fn advice(code: ErrorCode) -> String {
    let cause = match code.number() {
        11200 | 11205 | 11206 | 11251 => {
            "see the log of the proxy, and whether serve ran at that time"
        }
        11201 | 11203 => {
            "the connection or the answer took too long: see the network, the proxy, and how busy serve was"
        }
        11202 => {
            "nothing listened there: see whether the proxy ran, and the port in the URL at Twilio"
        }
        11210 => "the host name was not found: see its entry in the DNS, and the URL at Twilio",
        11215 | 11216 => {
            "the proxy redirects, for example to https or to another host: give Twilio the final URL"
        }
        11217 | 91305 => {
            "see the checks refusals and misdirected, and the log of the proxy for its own answers"
        }
        11220 | 11235..=11237 => {
            "the certificate of the proxy is not valid for Twilio: renew it, with its whole chain"
        }
        code => return format!("https://www.twilio.com/docs/api/errors/{code} says what it means"),
    };
    format!("{cause}; reconcile fetches the statuses that were lost")
}
