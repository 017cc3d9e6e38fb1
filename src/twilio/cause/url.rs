//! The URLs that Twilio may have signed instead of ours: taken apart, changed in one place or two, and
//! put together again. That is done only to guess; `signature` keeps every byte.

use std::borrow::Cow;
use std::collections::HashSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::{Case, Configured, SIGNATURES_MAX};
use crate::domain::digest::hex;
use crate::twilio::callback::BodyKind;
use crate::twilio::signature::{body_hash, port};

/// Ports that callbacks are sent to, or that a server behind a proxy listens on.
const PORTS: [&str; 6] = ["443", "80", "8443", "8080", "5000", "3000"];

/// How many of the hosts that a request names are tried; a sender may name any number.
const HOSTS_MAX: usize = 3;

/// What a query may hold as it is (RFC 3986).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a form's encoder leaves as it is.
const FORM_ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'*');
/// What an encoder of whole URLs leaves as it is.
const URL_ENCODED: &AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// One thing put right about a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlEdit {
    /// The public URL is another one.
    Base(String),
    Scheme(&'static str),
    /// The host that the request itself names.
    NamedHost,
    /// The path ends with a slash, or does not.
    Slash(bool),
    /// The public URL has no path.
    PrefixCut,
    /// The public URL has the path of another configured one.
    PrefixOf(String),
    /// The first part of the request's path is not there.
    FirstPartCut,
    QueryDecoded,
    QueryEncoded,
    /// A blank in the query is written so.
    QueryBlank(&'static str),
    QueryCut,
    /// The query has the hash of the JSON body.
    QueryHash,
    UserinfoCut,
    HostInLowerCase,
    Port(String),
}

/// A URL that may have been signed, and how it differs from ours.
#[derive(Debug, Clone)]
pub struct Guess {
    pub edits: Vec<UrlEdit>,
    pub url: String,
}

/// A URL taken apart.
#[derive(Debug, Clone)]
struct Parts<'a> {
    scheme: &'a str,
    userinfo: Option<&'a str>,
    host: Cow<'a, str>,
    port: Option<Cow<'a, str>>,
    prefix: &'a str,
    path: Cow<'a, str>,
    query: Option<Cow<'a, str>>,
}

/// What edits are made with.
struct Known<'a> {
    hosts: Vec<&'a str>,
    ports: Vec<&'a str>,
    /// Each with the URL that has it.
    prefixes: Vec<(&'a str, &'a str)>,
    json_hash: Option<String>,
}

/// Every guess with no edit, with one and with two; none is there twice.
pub fn guesses(case: &Case<'_>, configured: &Configured<'_>) -> [Vec<Guess>; 3] {
    let bases = configured.public_urls.iter();
    let bases: Vec<_> = bases.filter_map(|url| Parts::of(url.as_given(), case.target)).collect();
    let known = Known::of(case, configured);
    let mut seen = HashSet::new();
    let none = bases.iter().flat_map(|parts| parts.guesses(&[]));
    let none = none.filter(unseen(&mut seen)).collect();
    let singles = singles(&bases, configured, case, &known);
    let one = singles.iter().flat_map(|(edit, parts)| parts.guesses(std::slice::from_ref(edit)));
    let one = one.filter(unseen(&mut seen)).collect();
    let two = singles.iter().flat_map(|(first, parts)| {
        // Each pair once: the second edit is of a later kind than the first.
        let later = parts.edited(&known).into_iter();
        let later = later.filter(|(second, _)| kind(first) < kind(second));
        later.flat_map(|(second, parts)| parts.guesses(&[first.clone(), second]))
    });
    let two = two.filter(unseen(&mut seen)).take(SIGNATURES_MAX).collect();
    [none, one, two]
}

/// The guesses with no edit and with one, which are the first two of [`guesses`].
pub fn near_guesses(case: &Case<'_>, configured: &Configured<'_>) -> Vec<Guess> {
    let bases = configured.public_urls.iter();
    let bases: Vec<_> = bases.filter_map(|url| Parts::of(url.as_given(), case.target)).collect();
    let known = Known::of(case, configured);
    let none = bases.iter().flat_map(|parts| parts.guesses(&[]));
    let singles = singles(&bases, configured, case, &known);
    let one = singles.iter().flat_map(|(edit, parts)| parts.guesses(std::slice::from_ref(edit)));
    none.chain(one).collect()
}

/// The guesses with exactly these edits, which may be made in several ways.
pub fn guesses_with(case: &Case<'_>, configured: &Configured<'_>, edits: &[UrlEdit]) -> Vec<Guess> {
    let bases = configured.public_urls.iter();
    let bases: Vec<_> = bases.filter_map(|url| Parts::of(url.as_given(), case.target)).collect();
    let Some((first, rest)) = edits.split_first() else {
        return bases.iter().flat_map(|parts| parts.guesses(&[])).collect();
    };
    let known = Known::of(case, configured);
    let mut edited: Vec<_> = singles(&bases, configured, case, &known);
    edited.retain(|(edit, _)| edit == first);
    for next in rest {
        let further = edited.iter().flat_map(|(_, parts)| parts.edited(&known));
        edited = further.filter(|(edit, _)| edit == next).collect();
    }
    edited.iter().flat_map(|(_, parts)| parts.guesses(edits)).collect()
}

/// Drops what has been seen before.
fn unseen<'a>(seen: &'a mut HashSet<String>) -> impl FnMut(&Guess) -> bool + 'a {
    |guess| seen.insert(guess.url.clone())
}

/// Everything with one edit, the likeliest first.
fn singles<'a>(
    bases: &[Parts<'a>],
    configured: &Configured<'a>,
    case: &Case<'a>,
    known: &Known<'a>,
) -> Vec<(UrlEdit, Parts<'a>)> {
    let further = configured.further_urls.iter().filter_map(|url| {
        let parts = Parts::of(url.as_given(), case.target)?;
        Some((UrlEdit::Base(url.as_given().to_owned()), parts))
    });
    let edited = bases.iter().flat_map(|parts| parts.edited(known));
    let mut singles: Vec<_> = further.chain(edited).collect();
    singles.sort_by_key(|(edit, _)| kind(edit));
    singles
}

/// The order in which edits are made, the likeliest first.
fn kind(edit: &UrlEdit) -> u8 {
    match edit {
        UrlEdit::Base(_) | UrlEdit::Scheme(_) => 0,
        UrlEdit::NamedHost => 1,
        UrlEdit::Slash(_) => 2,
        UrlEdit::PrefixCut | UrlEdit::PrefixOf(_) | UrlEdit::FirstPartCut => 3,
        UrlEdit::QueryDecoded
        | UrlEdit::QueryEncoded
        | UrlEdit::QueryBlank(_)
        | UrlEdit::QueryCut
        | UrlEdit::QueryHash => 4,
        UrlEdit::UserinfoCut => 5,
        UrlEdit::HostInLowerCase => 6,
        UrlEdit::Port(_) => 7,
    }
}

impl<'a> Known<'a> {
    fn of(case: &Case<'a>, configured: &Configured<'a>) -> Self {
        let urls = || configured.public_urls.iter().chain(configured.further_urls);
        let parts = || urls().filter_map(|url| Some((url, Parts::of(url.as_given(), "")?)));
        let seen = parts().filter_map(|(_, parts)| parts.given_port());
        let prefixes = parts().map(|(url, parts)| (parts.prefix, url.as_given()));
        let header = |wanted: &str| {
            let mut of_name = case.headers.iter().filter(|(name, _)| *name == wanted);
            of_name.next().and_then(|(_, value)| std::str::from_utf8(value).ok())
        };
        let hosts = ["x-forwarded-host", "host"].into_iter().filter_map(header);
        let hosts = hosts.filter(|host| is_host(host));
        let is_json = case.kind == BodyKind::Json;
        Self {
            hosts: hosts.take(HOSTS_MAX).collect(),
            ports: PORTS.into_iter().chain(seen).collect(),
            prefixes: prefixes.filter(|(prefix, _)| !prefix.is_empty()).collect(),
            json_hash: (is_json && body_hash(case.target).is_none())
                .then(|| hex(&Sha256::digest(case.body))),
        }
    }
}

/// Whether a text can be host and port; anybody can send anything.
fn is_host(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.len() <= 255 && text.bytes().all(letter)
}

impl<'a> Parts<'a> {
    fn of(base: &'a str, target: &'a str) -> Option<Self> {
        let (scheme, rest) = base.split_once("://")?;
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (userinfo, host) = match authority.rsplit_once('@') {
            Some((userinfo, host)) => (Some(userinfo), host),
            None => (None, authority),
        };
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.into())),
            None => (target, None),
        };
        let mut parts = Self {
            scheme,
            userinfo,
            host: host.into(),
            port: None,
            prefix,
            path: path.into(),
            query,
        };
        parts.set_host(host);
        Some(parts)
    }

    fn set_host(&mut self, host_and_port: &'a str) {
        self.port = port(host_and_port).map(Cow::Borrowed);
        let port_bytes = self.port.as_ref().map_or(0, |port| port.len() + 1);
        self.host = host_and_port[..host_and_port.len() - port_bytes].into();
    }

    fn given_port(&self) -> Option<&'a str> {
        match self.port {
            Some(Cow::Borrowed(port)) => Some(port),
            _ => None,
        }
    }

    /// With the port as it is, and added or dropped; a port that was put in stays.
    fn guesses(&self, edits: &[UrlEdit]) -> Vec<Guess> {
        let mut guesses = vec![Guess { edits: edits.to_vec(), url: self.to_url() }];
        if !edits.iter().any(|edit| matches!(edit, UrlEdit::Port(_))) {
            let port = match self.port {
                Some(_) => None,
                None if self.scheme.eq_ignore_ascii_case("https") => Some("443".into()),
                None => Some("80".into()),
            };
            guesses
                .push(Guess { edits: edits.to_vec(), url: Self { port, ..self.clone() }.to_url() });
        }
        guesses
    }

    fn to_url(&self) -> String {
        let userinfo = self.userinfo.map_or(String::new(), |userinfo| format!("{userinfo}@"));
        let port = self.port.as_ref().map_or(String::new(), |port| format!(":{port}"));
        let query = self.query.as_ref().map_or(String::new(), |query| format!("?{query}"));
        let Self { scheme, host, prefix, path, .. } = self;
        format!("{scheme}://{userinfo}{host}{port}{prefix}{path}{query}")
    }

    /// The same with one thing put right, in every way there is.
    fn edited(&self, known: &Known<'a>) -> Vec<(UrlEdit, Self)> {
        let mut edited = Vec::new();
        self.edit_authority(known, &mut edited);
        self.edit_path(known, &mut edited);
        self.edit_query(known, &mut edited);
        edited
    }

    fn edit_authority(&self, known: &Known<'a>, edited: &mut Vec<(UrlEdit, Self)>) {
        let scheme = if self.scheme.eq_ignore_ascii_case("https") { "http" } else { "https" };
        edited.push((UrlEdit::Scheme(scheme), Self { scheme, ..self.clone() }));
        for host in &known.hosts {
            let mut parts = self.clone();
            parts.set_host(host);
            if parts.host != self.host {
                edited.push((UrlEdit::NamedHost, parts));
            }
        }
        if self.userinfo.is_some() {
            edited.push((UrlEdit::UserinfoCut, Self { userinfo: None, ..self.clone() }));
        }
        if self.host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let host = self.host.to_ascii_lowercase().into();
            edited.push((UrlEdit::HostInLowerCase, Self { host, ..self.clone() }));
        }
        for port in &known.ports {
            let parts = Self { port: Some(Cow::Borrowed(*port)), ..self.clone() };
            edited.push((UrlEdit::Port((*port).to_owned()), parts));
        }
    }

    fn edit_path(&self, known: &Known<'a>, edited: &mut Vec<(UrlEdit, Self)>) {
        let with = |path: &str| Self { path: path.to_owned().into(), ..self.clone() };
        match self.path.strip_suffix('/') {
            Some(path) => edited.push((UrlEdit::Slash(false), with(path))),
            None => edited.push((UrlEdit::Slash(true), with(&format!("{}/", self.path)))),
        }
        if !self.prefix.is_empty() {
            edited.push((UrlEdit::PrefixCut, Self { prefix: "", ..self.clone() }));
        }
        for (prefix, url) in &known.prefixes {
            let parts = Self { prefix, ..self.clone() };
            edited.push((UrlEdit::PrefixOf((*url).to_owned()), parts));
        }
        let second = self.path.get(1..).and_then(|path| path.find('/'));
        if let Some(at) = second {
            edited.push((UrlEdit::FirstPartCut, with(&self.path[at + 1..])));
        }
    }

    fn edit_query(&self, known: &Known<'a>, edited: &mut Vec<(UrlEdit, Self)>) {
        let mut with = |edit, query: Option<String>| {
            let parts = Self { query: query.map(Cow::Owned), ..self.clone() };
            edited.push((edit, parts));
        };
        if let Some(hash) = &known.json_hash {
            let before = self.query.as_ref().map_or(String::new(), |query| format!("{query}&"));
            with(UrlEdit::QueryHash, Some(format!("{before}bodySHA256={hash}")));
        }
        let Some(query) = &self.query else { return };
        with(UrlEdit::QueryBlank("%20"), Some(query.replace('+', "%20")));
        with(UrlEdit::QueryBlank("+"), Some(query.replace("%20", "+")));
        with(UrlEdit::QueryDecoded, decoded(query));
        with(UrlEdit::QueryDecoded, decoded(&query.replace('+', " ")));
        with(UrlEdit::QueryEncoded, Some(encoded(query, ENCODED)));
        with(UrlEdit::QueryEncoded, Some(encoded(query, FORM_ENCODED).replace("%20", "+")));
        with(UrlEdit::QueryEncoded, Some(utf8_percent_encode(query, URL_ENCODED).to_string()));
        with(UrlEdit::QueryCut, None);
    }
}

fn decoded(query: &str) -> Option<String> {
    Some(percent_decode_str(query).decode_utf8_lossy().into_owned())
}

/// Every name and value encoded as if it had not been yet.
fn encoded(query: &str, set: &'static AsciiSet) -> String {
    let part = |text: &str| {
        let plain = percent_decode_str(text).decode_utf8_lossy().into_owned();
        utf8_percent_encode(&plain, set).to_string()
    };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", part(name), part(value)),
        None => part(pair),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}
