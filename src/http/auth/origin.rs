//! Rejection of requests that pages of other origins send through a browser.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};

use crate::http::error::Problem;

/// Where a browser says that a request comes from (Fetch Metadata, W3C).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Rejects a request that changes something if a page of another origin sent it. Programs send neither of the
/// headers that say so.
pub fn check(request: &HttpRequest) -> Result<(), Problem> {
    if request.method().is_safe() {
        return Ok(());
    }
    let header = |name: HeaderName| request.headers().get(name).map(|value| value.as_bytes());
    let is_own = match (header(SEC_FETCH_SITE), header(ORIGIN)) {
        // A proxy may have changed Host, with which Origin is compared; this header is right in any case.
        (Some(site), _) => matches!(site, b"same-origin" | b"none"),
        (None, Some(origin)) => {
            let host = header(HOST).unwrap_or_default();
            let own = |scheme: &str| origin == [scheme.as_bytes(), host].concat();
            own("http://") || own("https://")
        }
        (None, None) => true,
    };
    if is_own { Ok(()) } else { Err(Problem::ForeignOrigin) }
}

/// True if a link on a page of another origin led here. The browser then leaves out cookies with SameSite=Strict.
pub fn is_link_from_elsewhere(request: &HttpRequest) -> bool {
    let site = request.headers().get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    matches!(site, Some(b"cross-site" | b"same-site"))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::check;

    #[test]
    fn only_pages_of_this_origin_and_programs_may_change_something() {
        let sent = |headers: &[(&str, &str)]| {
            let mut request = TestRequest::post().insert_header(("Host", "ledger.example:8081"));
            for (name, value) in headers {
                request = request.insert_header((*name, *value));
            }
            check(&request.to_http_request()).is_ok()
        };
        assert!(sent(&[]), "a program");
        assert!(sent(&[("Origin", "http://ledger.example:8081")]));
        assert!(sent(&[("Origin", "https://ledger.example:8081")]), "behind a proxy with TLS");
        assert!(sent(&[("Sec-Fetch-Site", "same-origin"), ("Origin", "https://ledger.example")]));
        for foreign in
            ["https://evil.example", "null", "http://ledger.example", "ledger.example:8081"]
        {
            assert!(!sent(&[("Origin", foreign)]), "{foreign}");
        }
        for site in ["cross-site", "same-site"] {
            assert!(!sent(&[("Sec-Fetch-Site", site)]), "{site}");
        }
        let reads = TestRequest::get().insert_header(("Sec-Fetch-Site", "cross-site"));
        assert!(check(&reads.to_http_request()).is_ok(), "links may lead here");
    }
}
