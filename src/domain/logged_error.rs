//! Errors that Twilio has logged about webhook requests, such as a callback URL that it could not reach. They
//! belong to no message.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;
use smol_str::SmolStr;

use super::{ErrorCode, Timestamp};

/// The maximum length of the URL of an error, in bytes; the rest is cut off. Callback URLs are shorter without
/// their query.
const URL_BYTES_MAX: usize = 512;

/// The maximum number of pairs of error code and URL that are counted separately, the first to occur. A few are
/// usual; a URL may contain anything, such as the number of an order.
pub const GROUPS_MAX: usize = 1000;

/// An error that Twilio has logged about a webhook request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedError {
    /// Equal for repetitions of the event that reports it; see [`error_id`].
    pub id: u64,
    /// What went wrong.
    pub code: ErrorCode,
    /// The URL of the request, in the form of [`url_of_error`].
    pub url: SmolStr,
    /// When it happened.
    pub at: Timestamp,
}

/// The errors with one code about one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedErrors {
    /// Code and URL; `None` for all errors beyond the first [`GROUPS_MAX`] pairs.
    pub about: Option<(ErrorCode, SmolStr)>,
    /// How many there were.
    pub count: u64,
    /// When the first happened.
    pub first: Timestamp,
    /// When the last happened.
    pub last: Timestamp,
}

/// The id of an error by that of the event that reports it.
pub fn error_id(event_id: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(event_id);
    hasher.finish()
}

/// A URL without user name, password, usual port, query and fragment, its scheme and host in lower case; `None`
/// if it is no URL of HTTP.
pub fn url_of_error(url: &str) -> Option<SmolStr> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let usual_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let rest = &rest[..rest.find(['?', '#']).unwrap_or(rest.len())];
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().filter(|host| !host.is_empty())?;
    let host = host.strip_suffix(usual_port).unwrap_or(host);
    let mut url = format!("{scheme}://{}{path}", host.to_ascii_lowercase());
    url.truncate(url.floor_char_boundary(URL_BYTES_MAX));
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use super::{URL_BYTES_MAX, url_of_error};

    #[test]
    fn the_url_of_an_error_has_neither_secrets_nor_a_query() {
        for (given, kept) in [
            (
                "https://hooks.example.com/message-status",
                "https://hooks.example.com/message-status",
            ),
            (
                " HTTPS://user:pass@Hooks.Example.com:8443/A?b=c#rc=5",
                "https://hooks.example.com:8443/A",
            ),
            ("http://hooks.example.com:80?b=c", "http://hooks.example.com"),
            ("https://[2001:db8::1]:443/a", "https://[2001:db8::1]/a"),
            ("https://hooks.example.com:80/a", "https://hooks.example.com:80/a"),
        ] {
            assert_eq!(url_of_error(given).as_deref(), Some(kept), "{given}");
        }
        for given in ["", "/message-status", "ftp://hooks.example.com/", "https://", "https://?a=b"]
        {
            assert_eq!(url_of_error(given), None, "{given}");
        }
    }

    #[test]
    fn a_long_url_is_cut_off_between_characters() {
        let url = url_of_error(&format!("https://hooks.example.com/{}", "é".repeat(1000))).unwrap();
        assert!((URL_BYTES_MAX - 1..=URL_BYTES_MAX).contains(&url.len()), "{}", url.len());
    }
}
