//! Access control of the admin listener: checks the Host header, the origin, and the API token or the session.
//!
//! An unknown Host is rejected because a page elsewhere could use a name that resolves to this server
//! (DNS rebinding).

use std::net::IpAddr;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, web};

use super::csrf::CsrfCheck;
use super::identity::{Identity, identify};
use super::origin;
use super::tokens::{Client, Scope, Visibility};
use crate::http::admin::state::AdminState;
use crate::http::error::Problem;
use crate::http::pages::login;

/// Paths without access control, for load balancers and orchestrators.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Rejects a request, sends a browser to the login, or puts the client's [`Scope`] and [`CsrfCheck`] into the
/// request's extensions. These have its [`Client`] afterwards, unless a browser has to log in first.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if OPEN_PATHS.contains(&request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let state = request.app_data::<web::Data<AdminState>>().ok_or(Problem::Internal)?;
    let checked = check_host(&request, state).and_then(|()| origin::check(request.request()));
    if let Err(problem) = checked {
        return Ok(request.error_response(problem).map_into_right_body());
    }
    if has_no_data(request.path()) {
        return Ok(next.call(request).await?.map_into_left_body());
    }
    if request.path() == login::PATH {
        let csrf = CsrfCheck::Requires(state.sessions.public_csrf_token().clone());
        request.extensions_mut().insert(csrf);
        return Ok(next.call(request).await?.map_into_left_body());
    }
    let (client, scope, csrf) = match identify(request.request(), state) {
        Identity::Known { name, scope, csrf } => (Client::Known { name, scope }, scope, csrf),
        Identity::NotLoggedIn => {
            let answer = login::required(request.request());
            return Ok(request.into_response(answer).map_into_right_body());
        }
        Identity::Rejected(problem) => {
            request.extensions_mut().insert(Client::Rejected);
            return Ok(request.error_response(problem).map_into_right_body());
        }
    };
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(scope);
    request.extensions_mut().insert(csrf);
    let answer = next.call(request).await?;
    let mut answer = mask_error(answer, scope);
    // Responses may contain personal data, so none is cacheable.
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// The response; an error without the addresses that it repeats, if the token sees them masked.
fn mask_error<B: MessageBody>(
    answer: ServiceResponse<B>,
    scope: Scope,
) -> ServiceResponse<EitherBody<B>> {
    let problem = answer.response().error().and_then(|error| error.as_error::<Problem>());
    let masked = match scope.visibility {
        Visibility::Full => None,
        Visibility::Masked | Visibility::Nothing => problem.and_then(Problem::masked),
    };
    match masked {
        Some(problem) => {
            answer.into_response(HttpResponse::from_error(problem)).map_into_right_body()
        }
        None => answer.map_into_left_body(),
    }
}

/// The API's description and the pages' stylesheet contain no data and are needed before one has a token.
fn has_no_data(path: &str) -> bool {
    matches!(path, "/openapi.json" | "/docs")
        || path.starts_with("/docs/")
        || path.starts_with("/assets/")
}

fn check_host(request: &ServiceRequest, state: &AdminState) -> Result<(), Problem> {
    let header = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = header.map(without_port).ok_or(Problem::UnknownHost)?;
    let listed =
        state.admin_hosts.iter().any(|known| without_port(known).eq_ignore_ascii_case(host));
    if listed || is_loopback(host) { Ok(()) } else { Err(Problem::UnknownHost) }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') && !name.is_empty() => name,
        _ => host,
    }
}
