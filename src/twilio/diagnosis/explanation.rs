//! A diagnosis as a sentence for an operator. It contains no key and nothing that was sent.

use std::fmt;

use super::remedy::{Diagnosis, Remedy};
use super::variant::{BodyEdit, UrlEdit};
use crate::twilio::signature::InvalidReason;

/// Added if it applies, because a token that was copied with a mistake verifies nothing.
const ODD_TOKEN: &str =
    "; the configured token does not have the form of Twilio's, 32 hex digits: check it first";

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence(self))
    }
}

fn sentence(diagnosis: &Diagnosis) -> String {
    match diagnosis {
        Diagnosis::Fits(remedy) => remedy_sentence(remedy),
        Diagnosis::BodyChanged => {
            "signed over this URL and another body: something on the way changed the body"
                .to_owned()
        }
        Diagnosis::Unknown { reason, all_tried, odd_token } => {
            let cut = if *all_tried { "" } else { " (not everything could be tried)" };
            let odd = if *odd_token { ODD_TOKEN } else { "" };
            format!("{}{odd}{cut}", likeliest_cause(*reason))
        }
    }
}

fn remedy_sentence(remedy: &Remedy) -> String {
    let Remedy { signature_repaired, url, body, key, hash_replaced } = remedy;
    let repaired =
        signature_repaired.then(|| "X-Twilio-Signature is taken out of its encoding".to_owned());
    let hash =
        hash_replaced.then(|| "bodySHA256 in the query is the SHA-256 of the body".to_owned());
    let conditions =
        repaired.into_iter().chain(url.iter().map(url_condition)).chain(body.map(body_condition));
    let conditions = conditions.chain(hash);
    let conditions = joined(conditions);
    match (conditions.is_empty(), key) {
        (true, None) => "matches as it is".to_owned(),
        (true, Some(key)) => format!("signed with {key}"),
        (false, None) => format!("matches if {conditions}"),
        (false, Some(key)) => format!("matches if {conditions}, signed with {key}"),
    }
}

/// Joins conditions with `and`, and names the public URL only once.
fn joined(conditions: impl Iterator<Item = String>) -> String {
    const PUBLIC_URL: &str = "the public URL ";
    let join = |joined: String, next: String| match next.strip_prefix(PUBLIC_URL) {
        Some(said) if joined.starts_with(PUBLIC_URL) => format!("{joined} and {said}"),
        _ => format!("{joined} and {next}"),
    };
    conditions.reduce(join).unwrap_or_default()
}

fn url_condition(edit: &UrlEdit) -> String {
    origin_condition(edit).or_else(|| path_condition(edit)).unwrap_or_else(|| query_condition(edit))
}

fn origin_condition(edit: &UrlEdit) -> Option<String> {
    Some(match edit {
        UrlEdit::Base(url) => format!("the public URL is {url}"),
        UrlEdit::Scheme(scheme) => format!("the public URL begins with {scheme}"),
        UrlEdit::NamedHost("Host") => {
            "the public URL has the host that the request names".to_owned()
        }
        UrlEdit::NamedHost(header) => {
            format!("the public URL has the host that the request names in {header}")
        }
        UrlEdit::Www(true) => "the public URL has www. before its host".to_owned(),
        UrlEdit::Www(false) => "the public URL has no www. before its host".to_owned(),
        UrlEdit::HostInLowerCase => "the host is written in lower case".to_owned(),
        UrlEdit::HostDotCut => "the host does not end with a dot".to_owned(),
        UrlEdit::UserinfoCut => "the URL has no user name and password".to_owned(),
        UrlEdit::Port(port) => format!("the public URL has the port {port}"),
        UrlEdit::NamedPort(header) => {
            format!("the public URL has the port that the request names in {header}")
        }
        _ => return None,
    })
}

fn path_condition(edit: &UrlEdit) -> Option<String> {
    Some(match edit {
        UrlEdit::PrefixCut => "the public URL has no path".to_owned(),
        UrlEdit::PrefixOf(url) => format!("the public URL has the path of {url}"),
        UrlEdit::Prefix(prefix) => {
            format!("the public URL has the path {prefix}, which something in front cuts off")
        }
        UrlEdit::NamedPrefix(header) => {
            format!("the public URL has the path that the request names in {header}")
        }
        UrlEdit::NamedPath(header) => {
            format!("the path is the one that the request names in {header}")
        }
        UrlEdit::CallbackPath(path) => {
            format!("the path is the callback path {path}, not the one that arrived")
        }
        UrlEdit::Slash(true) => "the path ends with a slash".to_owned(),
        UrlEdit::Slash(false) => "the path does not end with a slash".to_owned(),
        UrlEdit::SlashesMerged => "double slashes in the path are single".to_owned(),
        UrlEdit::SlashDoubled => {
            "a slash in the path is double, which something in front merges".to_owned()
        }
        UrlEdit::FirstPartsCut(1) => "the first part of the request's path is cut off".to_owned(),
        UrlEdit::FirstPartsCut(parts) => {
            format!("the first {parts} parts of the request's path are cut off")
        }
        UrlEdit::IndexPhp(true) => "the path ends with /index.php".to_owned(),
        UrlEdit::IndexPhp(false) => "the path has no /index.php".to_owned(),
        UrlEdit::PathInLowerCase => "the path is written in lower case".to_owned(),
        UrlEdit::PathParameterCut => "what is behind a semicolon in the path is cut off".to_owned(),
        UrlEdit::PathDecoded => "the path is decoded".to_owned(),
        UrlEdit::PathEncoded => "the path is not decoded".to_owned(),
        UrlEdit::EscapesInUpperCase(true) => {
            "percent-escapes in the URL are written in upper case".to_owned()
        }
        UrlEdit::EscapesInUpperCase(false) => {
            "percent-escapes in the URL are written in lower case".to_owned()
        }
        UrlEdit::UnreservedDecoded => {
            "letters, digits and -._~ in the URL are not percent-encoded".to_owned()
        }
        _ => return None,
    })
}

fn query_condition(edit: &UrlEdit) -> String {
    match edit {
        UrlEdit::QueryDecoded => "the query is decoded".to_owned(),
        UrlEdit::QueryEncoded => "the query is not decoded".to_owned(),
        UrlEdit::QueryBlank(blank) => format!("a blank in the query is written {blank}"),
        UrlEdit::QueryCharset(charset) => format!("text in the query is encoded as {charset}"),
        UrlEdit::Ampersands(true) => "&amp; in the query is written &".to_owned(),
        UrlEdit::Ampersands(false) => "& in the query is written &amp;".to_owned(),
        UrlEdit::QueryCut => "the query is left out".to_owned(),
        UrlEdit::QueryEmpty => "the URL ends with a question mark".to_owned(),
        UrlEdit::LastAmpersand(true) => "the query ends with an &".to_owned(),
        UrlEdit::LastAmpersand(false) => "the query does not end with an &".to_owned(),
        UrlEdit::EqualsSign(true) => {
            "parameters of the query without a value have an equals sign".to_owned()
        }
        UrlEdit::EqualsSign(false) => {
            "parameters of the query without a value have no equals sign".to_owned()
        }
        UrlEdit::QueryHash => {
            "the query has the body's bodySHA256, which did not arrive".to_owned()
        }
        UrlEdit::QueryOrder => "the query's parameters stand in another order".to_owned(),
        UrlEdit::QueryWithout(at, 1) => {
            format!("parameter {at} of the query, which something in front adds, is left out")
        }
        UrlEdit::QueryWithout(first, count) => format!(
            "parameters {first} to {} of the query, which something in front adds, are left out",
            first + count - 1
        ),
        _ => unreachable!("all other edits are described above"),
    }
}

fn body_condition(edit: BodyEdit) -> String {
    match edit {
        BodyEdit::AsForm => "the body is read as a form, not as JSON",
        BodyEdit::NotAtAll => "the URL alone is signed, as it is for JSON",
        BodyEdit::Trimmed => "the blanks around values are cut off",
        BodyEdit::WithoutBlanks => "parameters without a value are left out",
        BodyEdit::PlusKept => "a + in the body is a plus sign, which has to be sent as %2B",
        BodyEdit::WithoutLineEnd => "the line end behind the body is left out",
        BodyEdit::LineEnds(kind) => {
            return format!("line ends in the body's values are {kind}");
        }
        BodyEdit::Charset(charset) => return format!("text in the body is encoded as {charset}"),
        BodyEdit::DecodedAgain => "the body is decoded once more",
        BodyEdit::AmpersandsMended => "&amp; in the body is written &",
        BodyEdit::FormOfJson => "the body is a form, which something in front turns into JSON",
        BodyEdit::FormOfMultipart => {
            "the body is a form, which something in front turns into multipart/form-data"
        }
        BodyEdit::FromBase64 => "the body is decoded from base64",
        BodyEdit::WithoutQuery => "the body is without the query's parameters",
        BodyEdit::WithQuery => "the query's parameters stand in the body",
        BodyEdit::WithBlank(name) => {
            return format!("the body has a blank {name}, which something in front leaves out");
        }
        BodyEdit::WithoutOne => {
            "one parameter of the body, which something in front adds, is left out"
        }
    }
    .to_owned()
}

/// The usual cause if no remedy was found.
fn likeliest_cause(reason: InvalidReason) -> &'static str {
    match reason {
        InvalidReason::Missing => {
            "not sent by Twilio, or a proxy in front has dropped X-Twilio-Signature"
        }
        InvalidReason::NotBase64 => {
            "not sent by Twilio, or something on the way has changed X-Twilio-Signature"
        }
        InvalidReason::UnknownAccount => {
            "a forgery, or the token of the account that the body names is not configured"
        }
        InvalidReason::ContradictingAccounts => {
            "not sent by Twilio, which names one account in a callback"
        }
        InvalidReason::UnknownAlgorithm => "a forgery, or a way of signing newer than this version",
        InvalidReason::UnknownSharedKey => {
            "a forgery, or the shared key that the request names is not configured for the account"
        }
        InvalidReason::BodyHashMissing => {
            "not sent by Twilio, or a proxy in front has dropped the query or changed the Content-Type"
        }
        InvalidReason::BodyHashDiffers | InvalidReason::Mismatch => {
            "a forgery, a token that is no longer in use, a body that was changed on the way, or a \
             URL that differs in more than is tried"
        }
    }
}
