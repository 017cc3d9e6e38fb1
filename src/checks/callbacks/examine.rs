//! Examines the newest requests in the quarantine against the current configuration: how many would be
//! accepted now, why the others would not, and which public URL would change that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::config::ListenerConfig;
use crate::quarantine::{CheckOutcome, ListenerSettings, check, corrected_public_url, verified};
use crate::store::quarantine::{QuarantineSize, QuarantinedRequest, Rank};
use crate::store::{self, Database, StoreError};
use crate::twilio::diagnosis::Diagnosis;
use crate::twilio::signature::BaseUrl;

/// The number of requests that are examined, newest first: each takes up to a few milliseconds.
const EXAMINED_MAX: usize = 50;

/// The time after which no more are examined: a page waits for the result. Some are in any case.
const EXAMINED_FOR: Duration = Duration::from_millis(100);
const EXAMINED_MIN: u64 = 5;

/// The result for the newest requests.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The contents of the whole quarantine.
    pub size: QuarantineSize,
    /// The number of requests that were examined.
    pub requests: u64,
    /// The number of them that would be accepted now.
    pub acceptable: u64,
    /// The most frequent cause of the others.
    pub cause: Option<Cause>,
}

/// Why requests are rejected.
#[derive(Debug, Clone)]
pub struct Cause {
    /// A clause such as `matches if the public URL begins with https`.
    pub text: String,
    /// The number of examined requests with this cause.
    pub requests: u64,
    /// Whether the cause is known, and can be corrected here or at Twilio.
    pub is_ours: bool,
    /// The correction, if it is another public URL.
    pub correction: Option<Correction>,
}

/// A public URL that would make signatures match.
#[derive(Debug, Clone)]
pub struct Correction {
    /// The URL to configure.
    pub public_url: String,
    /// The configured URL that it would replace; `None` if there are several.
    pub instead_of: Option<String>,
    /// The number of examined requests that would be accepted with it.
    pub acceptable: u64,
}

/// The requests of one cause while they are counted.
struct Counted {
    requests: u64,
    is_ours: bool,
    public_url: Option<String>,
}

/// Examines the newest requests; `None` if there is no quarantine.
pub fn examine(
    database: &Database,
    configured: &ListenerConfig,
) -> Result<Option<Examined>, StoreError> {
    let Some(quarantine) = store::read_quarantine(database)? else { return Ok(None) };
    let (size, newest) = (quarantine.size()?, quarantine.newest(None, EXAMINED_MAX)?);
    let newest: Vec<_> = newest.into_iter().map(|(_, request)| request).collect();
    Ok(Some(examine_each(size, &newest, configured)))
}

fn examine_each(
    size: QuarantineSize,
    newest: &[QuarantinedRequest],
    configured: &ListenerConfig,
) -> Examined {
    let ListenerConfig { accounts, public_urls, callback_paths } = configured;
    let listener = ListenerSettings { accounts, public_urls, callback_paths };
    let began = Instant::now();
    let mut causes: HashMap<String, Counted> = HashMap::new();
    let (mut requests, mut acceptable) = (0, 0);
    for request in newest {
        if requests >= EXAMINED_MIN && began.elapsed() > EXAMINED_FOR {
            break;
        }
        requests += 1;
        let (text, is_ours, remedy) = match check(request, &listener) {
            CheckOutcome::Valid(_) => {
                acceptable += 1;
                continue;
            }
            CheckOutcome::Unacceptable(reason) => {
                (reason.to_string(), request.rank == Rank::Recognised, None)
            }
            CheckOutcome::InvalidSignature(reason, Diagnosis::Fits(remedy)) => {
                (Diagnosis::Fits(remedy.clone()).to_string(), true, Some((reason, remedy)))
            }
            CheckOutcome::InvalidSignature(_, cause) => (cause.to_string(), cause.is_found(), None),
        };
        let counted = causes.entry(text).or_insert_with(|| Counted {
            requests: 0,
            is_ours,
            public_url: remedy.and_then(|(reason, remedy)| {
                corrected_public_url(request, reason, &remedy, &listener)
            }),
        });
        counted.requests += 1;
    }
    let common = causes.into_iter().max_by(|(one, counted), (other, others)| {
        (counted.requests, other).cmp(&(others.requests, one))
    });
    let cause = common.map(|(text, Counted { requests: count, is_ours, public_url })| {
        let examined = &newest[..requests as usize];
        let correction = public_url.and_then(|url| Correction::new(url, examined, &listener));
        Cause { text, requests: count, is_ours, correction }
    });
    Examined { size, requests, acceptable, cause }
}

impl Correction {
    fn new(
        public_url: String,
        examined: &[QuarantinedRequest],
        listener: &ListenerSettings<'_>,
    ) -> Option<Self> {
        let public_urls = [BaseUrl::parse(&public_url)?];
        let corrected = ListenerSettings { public_urls: &public_urls, ..*listener };
        let accepted = examined.iter().filter(|request| verified(request, &corrected).is_some());
        let instead_of = match listener.public_urls {
            [only] => Some(only.as_given().to_owned()),
            _ => None,
        };
        Some(Self { public_url, instead_of, acceptable: accepted.count() as u64 })
    }
}
