//! Who may talk to the admin listener: no foreign Host (a browser page elsewhere could name one
//! that resolves to us), and the token where one is configured.

use std::net::IpAddr;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HOST};
use actix_web::middleware::Next;
use actix_web::web;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::error::Problem;
use super::state::Admin;

/// Paths that load balancers and orchestrators probe.
const OPEN_PATHS: [&str; 2] = ["/healthz", "/readyz"];

/// Lets a request through, or answers for it.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    if !OPEN_PATHS.contains(&request.path()) {
        let state = request.app_data::<web::Data<Admin>>().ok_or(Problem::Internal)?;
        check_host(&request, state)?;
        check_token(&request, state)?;
    }
    next.call(request).await
}

fn check_host(request: &ServiceRequest, state: &Admin) -> Result<(), Problem> {
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

fn check_token(request: &ServiceRequest, state: &Admin) -> Result<(), Problem> {
    let Some(token) = &state.api_token else { return Ok(()) };
    let header = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let given = header.and_then(|value| {
        let (scheme, given) = value.split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then_some(given)
    });
    let same = given.is_some_and(|given| given.ct_eq(token.expose_secret().as_bytes()).into());
    if same { Ok(()) } else { Err(Problem::NoToken) }
}
