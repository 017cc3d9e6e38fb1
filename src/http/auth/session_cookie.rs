//! The cookie with the id of a session.

use actix_web::HttpRequest;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::ORIGIN;

use super::sessions::{SESSION_LENGTH, SessionId};

/// The name of the cookie.
const NAME: &str = "delivery_ledger_session";

/// The id in a request's cookie; `None` if there is none.
pub fn id(request: &HttpRequest) -> Option<SessionId> {
    request.cookie(NAME).map(|cookie| SessionId::from_cookie(cookie.value()))
}

/// The cookie of a session that has begun with this request. No script can read it, and no request that another
/// site causes carries it. The browser keeps it for longer than the session lasts, so that the login page can say
/// that a session has ended.
pub fn begin(request: &HttpRequest, id: &SessionId) -> Cookie<'static> {
    let age = SESSION_LENGTH.as_secs() * 2;
    let age = actix_web::cookie::time::Duration::seconds(i64::try_from(age).unwrap_or(i64::MAX));
    with_value(request, id.as_str().to_owned()).max_age(age).finish()
}

/// The cookie that makes the browser delete it.
pub fn end(request: &HttpRequest) -> Cookie<'static> {
    with_value(request, String::new()).max_age(actix_web::cookie::time::Duration::ZERO).finish()
}

fn with_value(request: &HttpRequest, value: String) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(NAME, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(came_by_https(request))
}

/// True if the browser uses https: by its own word, or by that of the proxy that terminates TLS. A client that
/// lies about it only keeps itself from logging in.
fn came_by_https(request: &HttpRequest) -> bool {
    let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
    header(ORIGIN.as_str()).is_some_and(|origin| origin.starts_with(b"https://"))
        || header("x-forwarded-proto") == Some(b"https")
}
