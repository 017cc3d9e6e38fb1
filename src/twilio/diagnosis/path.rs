//! The candidate paths: the public URL's path followed by the request's, as they may have been signed.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::proxy_hints::ProxyHints;
use super::variant::{FAR, NEAR, UrlEdit, Variant};
use crate::twilio::callback_path::CallbackPath;

/// Maximum number of leading path segments that are cut off.
const PARTS_CUT_MAX: usize = 3;

/// Maximum number of slashes that are doubled, one at a time.
const SLASHES_MAX: usize = 8;

/// Maximum number of prefixes taken from the settings.
const CONFIGURED_MAX: usize = 24;

/// What has to be escaped in a path (RFC 3986, pchar).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b']')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// What stricter encoders escape: the reserved characters of RFC 3986 too.
const PATH_STRICT: &AsciiSet = &PATH
    .add(b'!')
    .add(b'$')
    .add(b'&')
    .add(b'\'')
    .add(b'(')
    .add(b')')
    .add(b'*')
    .add(b'+')
    .add(b',')
    .add(b';')
    .add(b'=')
    .add(b':')
    .add(b'@');

/// Path prefixes under which proxies, platforms and frameworks put services; some cut them off again.
const PREFIXES: [&str; 54] = [
    "/api",
    "/api/v1",
    "/api/v2",
    "/api/twilio",
    "/api/webhooks",
    "/api/webhooks/twilio",
    "/twilio",
    "/webhook",
    "/webhooks",
    "/webhooks/twilio",
    "/hook",
    "/hooks",
    "/callback",
    "/callbacks",
    "/v1",
    "/v2",
    "/v3",
    "/prod",
    "/production",
    "/dev",
    "/develop",
    "/development",
    "/stage",
    "/staging",
    "/test",
    "/qa",
    "/uat",
    "/live",
    "/latest",
    "/default",
    "/$default",
    "/beta",
    "/sms",
    "/message",
    "/messages",
    "/messaging",
    "/notifications",
    "/status",
    "/ledger",
    "/delivery-ledger",
    "/delivery",
    "/app",
    "/apps",
    "/public",
    "/service",
    "/services",
    "/backend",
    "/gateway",
    "/proxy",
    "/internal",
    "/external",
    "/functions",
    "/.netlify/functions",
    "/index.php",
];

/// The parts that candidate paths are built from.
pub struct Paths<'a> {
    /// The public URL's own path.
    pub prefix: &'a str,
    /// The request's.
    pub path: &'a str,
    /// Other public URLs' paths, each with the URL that has it.
    pub prefixes: &'a [(&'a str, &'a str)],
    pub callback_paths: &'a [CallbackPath],
}

/// A path, and the query if a header names one with it.
pub type PathAndQuery = (String, Option<String>);

impl Paths<'_> {
    /// All candidate paths; those that a header names may come with a query.
    pub fn variants(&self, named: &ProxyHints<'_>) -> Vec<Variant<PathAndQuery>> {
        let mut paths = vec![Variant::plain(self.whole(self.path))];
        self.slashes(&mut paths);
        self.prefixes(&mut paths);
        self.first_parts(&mut paths);
        self.spellings(&mut paths);
        self.callback_paths(&mut paths);
        self.usual_prefixes(&mut paths);
        let mut variants: Vec<_> = paths.iter().map(path_alone).collect();
        self.named(named, &mut variants);
        variants
    }

    /// The public URL's path followed by this one.
    fn whole(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn slashes(&self, to: &mut Vec<Variant<String>>) {
        let mut near = |edit, path| to.push(Variant::edited(NEAR, edit, path));
        let (path, whole) = (self.path, self.whole(self.path));
        match path.strip_suffix('/') {
            Some(path) => near(UrlEdit::Slash(false), self.whole(path)),
            None => near(UrlEdit::Slash(true), format!("{whole}/")),
        }
        if whole.contains("//") {
            near(UrlEdit::SlashesMerged, merged(&whole));
        }
        let slashes = whole.match_indices('/').map(|(at, _)| at).take(SLASHES_MAX);
        let slashes: Vec<_> = slashes.collect();
        // A public URL that ends with a slash is the usual reason, so the slash before the path comes first.
        let own = self.prefix.len();
        let others = slashes.iter().copied().filter(|at| *at != own);
        for at in [own].into_iter().filter(|at| whole[*at..].starts_with('/')).chain(others) {
            near(UrlEdit::SlashDoubled, format!("{}/{}", &whole[..at], &whole[at..]));
        }
        if slashes.len() > 1 {
            near(UrlEdit::SlashDoubled, whole.replace('/', "//"));
        }
    }

    fn prefixes(&self, to: &mut Vec<Variant<String>>) {
        let mut near = |edit, prefix: &str| {
            to.push(Variant::edited(NEAR, edit, format!("{prefix}{}", self.path)));
        };
        if !self.prefix.is_empty() {
            near(UrlEdit::PrefixCut, "");
        }
        for (prefix, url) in self.prefixes {
            near(UrlEdit::PrefixOf((*url).to_owned()), prefix);
        }
    }

    fn first_parts(&self, to: &mut Vec<Variant<String>>) {
        let mut near = |edit, path: &str| to.push(Variant::edited(NEAR, edit, self.whole(path)));
        if let Some(rest) = self.path.strip_prefix("/index.php").filter(|rest| begins(rest)) {
            near(UrlEdit::IndexPhp(false), rest);
        }
        if let Some(path) = self.path.strip_suffix("/index.php") {
            near(UrlEdit::IndexPhp(false), path);
        }
        near(UrlEdit::IndexPhp(true), &format!("{}/index.php", self.path.trim_end_matches('/')));
        let mut rest = self.path;
        for parts in 1..=PARTS_CUT_MAX {
            // An empty segment is a double slash, which has edits of its own.
            let next = rest.get(1..).filter(|part| !part.starts_with('/'));
            let Some(at) = next.and_then(|rest| rest.find('/')) else { break };
            rest = &rest[at + 1..];
            near(UrlEdit::FirstPartsCut(parts), rest);
        }
    }

    fn spellings(&self, to: &mut Vec<Variant<String>>) {
        let mut near = |edit, path: &str| to.push(Variant::edited(NEAR, edit, self.whole(path)));
        let path = self.path;
        if let Some((before, _)) = path.split_once(';') {
            near(UrlEdit::PathParameterCut, before);
        }
        if path.bytes().any(|byte| byte.is_ascii_uppercase()) {
            near(UrlEdit::PathInLowerCase, &path.to_ascii_lowercase());
        }
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        if path.contains('%') {
            near(UrlEdit::PathDecoded, &decoded);
            near(UrlEdit::PathEncoded, &path.replace('%', "%25"));
        }
        for set in [PATH, PATH_STRICT] {
            let encoded: Cow<'_, str> = utf8_percent_encode(&decoded, set).into();
            if encoded != path {
                near(UrlEdit::PathEncoded, &encoded);
            }
        }
    }

    fn callback_paths(&self, to: &mut Vec<Variant<String>>) {
        for configured in self.callback_paths.iter().take(CONFIGURED_MAX) {
            let path = match configured.prefix() {
                None => configured.as_given().to_owned(),
                Some(prefix) => format!("{}{}", prefix.trim_end_matches('/'), self.path),
            };
            let edit = UrlEdit::CallbackPath(configured.as_given().to_owned());
            to.push(Variant::edited(NEAR, edit, self.whole(&path)));
        }
    }

    /// Prefixes that a proxy may have cut off, although they are not configured.
    fn usual_prefixes(&self, to: &mut Vec<Variant<String>>) {
        let mut far = |prefix: String| {
            let path = format!("{prefix}{}", self.path);
            to.push(Variant::edited(FAR, UrlEdit::Prefix(prefix), path));
        };
        let of_paths = self.callback_paths.iter().map(CallbackPath::as_given);
        let of_urls = self.prefixes.iter().map(|(prefix, _)| *prefix).chain([self.prefix]);
        let configured = of_paths.chain(of_urls).flat_map(beginnings).take(CONFIGURED_MAX);
        for prefix in PREFIXES.into_iter().chain(configured) {
            far(format!("{prefix}{}", self.prefix));
            if !self.prefix.is_empty() {
                far(prefix.to_owned());
                far(format!("{}{prefix}", self.prefix));
            }
        }
    }

    fn named(&self, named: &ProxyHints<'_>, to: &mut Vec<Variant<PathAndQuery>>) {
        let mut near = |edit, path: String, query: Option<&str>| {
            to.push(Variant::edited(NEAR, edit, (path, query.map(str::to_owned))));
        };
        for (header, (path, query)) in &named.paths {
            near(UrlEdit::NamedPath(header), (*path).to_owned(), *query);
            near(UrlEdit::NamedPath(header), self.whole(path), *query);
            let prefix = path.trim_end_matches('/');
            if query.is_none() && !prefix.is_empty() {
                near(UrlEdit::NamedPrefix(header), format!("{prefix}{}", self.path), None);
                near(
                    UrlEdit::NamedPrefix(header),
                    self.whole(&format!("{prefix}{}", self.path)),
                    None,
                );
            }
        }
        // Each of several proxies may have cut off a prefix.
        let all = named.paths.iter().filter(|(_, (path, _))| !path.contains(','));
        let all: Vec<_> = all.map(|(header, (path, _))| (header, *path)).collect();
        if let [(header, first), (_, second), ..] = all[..] {
            for (outer, inner) in [(first, second), (second, first)] {
                near(UrlEdit::NamedPrefix(header), format!("{outer}{inner}{}", self.path), None);
            }
        }
    }
}

fn path_alone(path: &Variant<String>) -> Variant<PathAndQuery> {
    let Variant { cost, edits, value } = path.clone();
    Variant { cost, edits, value: (value, None) }
}

fn begins(path: &str) -> bool {
    path.starts_with('/')
}

fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    merged
}

/// `/a/b/c` begins with `/a` and with `/a/b`.
fn beginnings(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|beginning| !beginning.is_empty())
}
