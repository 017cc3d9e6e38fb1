//! The middleware that records requests: each one for data, by programs or through pages, and each rejected
//! token.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use uuid::Uuid;

use super::recorded_body::RecordedBody;
use super::recorder::{Begun, Pending};
use crate::access_log::AccessRecord;
use crate::domain::MessageSid;
use crate::http::admin::state::AdminState;
use crate::http::auth::tokens::Client;
use crate::http::error::REQUEST_ID;

/// The middleware.
pub async fn record<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<RecordedBody>, actix_web::Error> {
    let begun = Begun::now();
    request.extensions_mut().insert(begun.returned.clone());
    let mut response = next.call(request).await?;
    let pending = pending(&mut response, begun);
    Ok(response.map_body(|_, body| RecordedBody::new(body, pending)))
}

/// The record of a response; `None` if it needs none, or access records are switched off.
fn pending<B>(response: &mut ServiceResponse<B>, begun: Begun) -> Option<Pending> {
    let state = Arc::clone(response.request().app_data::<web::Data<AdminState>>()?);
    let client = response.request().extensions().get::<Client>().cloned()?;
    let route = response.request().match_pattern();
    let (token, scope, unrecorded) = match client {
        Client::Rejected => (None, None, state.access.as_ref()?.rejected()?),
        Client::Known { .. } if !has_data(route.as_deref()?) => return None,
        Client::Known { name, scope } => (Some(name.to_string()), Some(scope.to_string()), 0),
    };
    let request_id = request_id(response);
    let recorder = state.access.as_ref()?;
    let (request, status_code) = (response.request(), response.status());
    let exists = status_code.is_success() || status_code.is_redirection();
    let in_path = |name| request.match_info().get(name).filter(|_| token.is_some());
    let message_sid = in_path("sid").filter(|sid| MessageSid::has_documented_form(sid));
    let position = in_path("position").filter(|_| exists).and_then(|text| text.parse().ok());
    let job = in_path("job").filter(|_| exists).map(str::to_owned);
    let record = AccessRecord {
        time: begun.at.to_string(),
        request_id,
        method: method_name(request.method()),
        message_sid: message_sid.map(str::to_owned),
        position,
        job,
        route,
        token,
        scope,
        filters: begun.returned.filters(),
        status_code: status_code.as_u16(),
        rows: 0,
        duration_ms: 0,
        unrecorded,
    };
    Some(recorder.pending(begun, record))
}

/// False for routes that tell nothing about anybody: health, metrics, the API's description, the looks of pages.
fn has_data(route: &str) -> bool {
    let first = route.split('/').nth(1).unwrap_or_default();
    !matches!(
        first,
        "healthz" | "readyz" | "metrics" | "openapi.json" | "docs" | "assets" | "theme"
    )
}

/// The id in the response; if it has none, as only errors do, it gets one.
fn request_id<B>(response: &mut ServiceResponse<B>) -> String {
    let headers = response.headers_mut();
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
    given.unwrap_or_else(|| {
        let id = Uuid::now_v7().to_string();
        let value = HeaderValue::try_from(&*id).expect("a UUID is a header's value");
        headers.insert(REQUEST_ID, value);
        id
    })
}

/// The method, unless the client made it up: then it could be anything, even a number.
fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"];
    known.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
