//! Responses with a page, and the headers that keep a browser from loading, sending or showing it elsewhere.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use askama::Template;

use crate::http::error::Problem;

/// Nothing is loaded from elsewhere or sent to it, and nothing inline is executed.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const HEADERS: [(HeaderName, &str); 5] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // URLs of pages may contain numbers. `no-referrer` would also remove the origin from forms.
    (REFERRER_POLICY, "same-origin"),
    // Pages contain personal data.
    (CACHE_CONTROL, "no-store"),
];

/// A response with a page.
pub fn html(page: &impl Template) -> Result<HttpResponse, Problem> {
    let html = render(page)?;
    let mut response = HttpResponse::Ok().body(html);
    set_headers(response.headers_mut());
    Ok(response)
}

/// The text of a page.
pub fn render(page: &impl Template) -> Result<String, Problem> {
    page.render().map_err(|error| {
        tracing::error!("a page cannot be rendered: {error}");
        Problem::Internal
    })
}

/// The middleware: adds the policy to every response that has none of its own, such as JSON, a redirect or a
/// problem, so that a browser executes nothing in any of them.
pub async fn restrict<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    for (name, value) in [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(response)
}

/// Sets the headers of every page.
pub fn set_headers(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
