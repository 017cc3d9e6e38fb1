//! A cause as a sentence. None holds a key or anything that was sent.

use super::text::BodyEdit;
use super::url::UrlEdit;
use super::{Cause, Fitting};
use crate::twilio::signature::Refusal;

/// The sentence for a cause.
pub fn of(cause: &Cause) -> String {
    match cause {
        Cause::Fits(fitting) => of_fitting(fitting),
        Cause::BodyChanged => {
            "signed over this URL and another body: something on the way changed the body"
                .to_owned()
        }
        Cause::Unknown { refusal, all_tried } => {
            let cut = if *all_tried { "" } else { " (not everything could be tried)" };
            format!("{}{cut}", likeliest(*refusal))
        }
    }
}

fn of_fitting(fitting: &Fitting) -> String {
    let Fitting { signature_mended, url, body, key, hash_mended } = fitting;
    let mended =
        signature_mended.then(|| "X-Twilio-Signature is taken out of its encoding".to_owned());
    let hash = hash_mended.then(|| "bodySHA256 in the query is the SHA-256 of the body".to_owned());
    let conditions = mended.into_iter().chain(url.iter().map(of_url)).chain(body.map(of_body));
    let conditions = conditions.chain(hash);
    let conditions = joined(conditions);
    match (conditions.is_empty(), key) {
        (true, None) => "matches as it is".to_owned(),
        (true, Some(key)) => format!("signed with {key}"),
        (false, None) => format!("matches if {conditions}"),
        (false, Some(key)) => format!("matches if {conditions}, signed with {key}"),
    }
}

/// What is said of one thing twice names it once.
fn joined(conditions: impl Iterator<Item = String>) -> String {
    const PUBLIC_URL: &str = "the public URL ";
    let join = |joined: String, next: String| match next.strip_prefix(PUBLIC_URL) {
        Some(said) if joined.starts_with(PUBLIC_URL) => format!("{joined} and {said}"),
        _ => format!("{joined} and {next}"),
    };
    conditions.reduce(join).unwrap_or_default()
}

fn of_url(edit: &UrlEdit) -> String {
    match edit {
        UrlEdit::Base(url) => format!("the public URL is {url}"),
        UrlEdit::Scheme(scheme) => format!("the public URL begins with {scheme}"),
        UrlEdit::NamedHost => "the public URL has the host that the request names".to_owned(),
        UrlEdit::Slash(true) => "the path ends with a slash".to_owned(),
        UrlEdit::Slash(false) => "the path does not end with a slash".to_owned(),
        UrlEdit::PrefixCut => "the public URL has no path".to_owned(),
        UrlEdit::PrefixOf(url) => format!("the public URL has the path of {url}"),
        UrlEdit::FirstPartCut => "the first part of the request's path is cut off".to_owned(),
        UrlEdit::QueryDecoded => "the query is decoded".to_owned(),
        UrlEdit::QueryEncoded => "the query is not decoded".to_owned(),
        UrlEdit::QueryBlank(blank) => format!("a blank in the query is written {blank}"),
        UrlEdit::QueryCut => "the query is left out".to_owned(),
        UrlEdit::QueryHash => {
            "the query has the body's bodySHA256, which did not arrive".to_owned()
        }
        UrlEdit::UserinfoCut => "the URL has no user name and password".to_owned(),
        UrlEdit::HostInLowerCase => "the host is written in lower case".to_owned(),
        UrlEdit::Port(port) => format!("the public URL has the port {port}"),
    }
}

fn of_body(edit: BodyEdit) -> String {
    match edit {
        BodyEdit::AsForm => "the body is read as a form, not as JSON",
        BodyEdit::NotAtAll => "the URL alone is signed, as it is for JSON",
        BodyEdit::Trimmed => "the blanks around values are cut off",
        BodyEdit::WithoutBlanks => "parameters without a value are left out",
        BodyEdit::PlusKept => "a + in the body is a plus sign, which has to be sent as %2B",
        BodyEdit::WithoutLineEnd => "the line end behind the body is left out",
    }
    .to_owned()
}

/// Where nothing that was tried fits.
fn likeliest(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Missing => {
            "not sent by Twilio, or a proxy in front has dropped X-Twilio-Signature"
        }
        Refusal::NotBase64 => {
            "not sent by Twilio, or something on the way has changed X-Twilio-Signature"
        }
        Refusal::UnknownAccount => {
            "a forgery, or the token of the account that the body names is not configured"
        }
        Refusal::ContradictingAccounts => {
            "not sent by Twilio, which names one account in a callback"
        }
        Refusal::UnknownAlgorithm => "a forgery, or a way of signing newer than this version",
        Refusal::UnknownSharedKey => {
            "a forgery, or the shared key that the request names is not configured for the account"
        }
        Refusal::BodyHashMissing => {
            "not sent by Twilio, or a proxy in front has dropped the query or changed the Content-Type"
        }
        Refusal::BodyHashDiffers | Refusal::Mismatch => {
            "a forgery, a token that is no longer in use, a body that was changed on the way, or a \
             URL that differs in more than is tried"
        }
    }
}
