//! `GET /login`, `POST /login` and `POST /logout`: a session of the browser for the holder of an API token.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue, LOCATION, REFRESH, RETRY_AFTER};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use askama::Template;
use serde::Deserialize;
use utoipa::IntoParams;

use super::frame::filters;
use super::frame::html::{html, set_headers};
use super::frame::page::Page;
use super::frame::theme::is_own_path;
use super::frame::visit::Visit;
use crate::http::auth::form::CheckedForm;
use crate::http::auth::identity::reject;
use crate::http::auth::tokens::{Client, TokenHash, Visibility};
use crate::http::auth::{origin, session_cookie};
use crate::http::error::Problem;
use crate::http::query::Query;

/// The path of the page.
pub const PATH: &str = "/login";

/// The page.
#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    page: Page,
    /// The path and query to continue with.
    next: String,
    note: Option<Note>,
}

/// What the page says above the form.
enum Note {
    /// The cookie is of a session that has ended.
    Ended,
    /// The login has failed.
    Failed(String),
}

/// The parameter of the page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
pub struct LoginParameters {
    /// The path and query to continue with
    next: Option<String>,
}

/// The form of the page.
#[derive(Deserialize)]
pub struct LoginForm {
    token: String,
    #[serde(default)]
    next: String,
}

/// The form that ends a session has no field of its own.
#[derive(Deserialize)]
pub struct LogoutForm {}

/// The login page; without a configured token, or in a session, it leads on at once.
pub async fn login(
    request: HttpRequest,
    visit: Visit,
    Query(parameters, _): Query<LoginParameters>,
) -> Result<HttpResponse, Problem> {
    let next = own_path(parameters.next.as_deref().unwrap_or_default());
    let id = session_cookie::id(&request);
    let session = id.as_ref().and_then(|id| visit.state.sessions.find(id, Instant::now()));
    let tokens = visit.state.tokens.load();
    let is_open = session.is_some_and(|session| tokens.holder_of(session.token).is_some());
    if tokens.is_empty() || is_open {
        return Ok(see_other(&next).finish());
    }
    let note = id.map(|_| Note::Ended);
    html(&LoginPage { page: visit.page(None, "Log in"), next, note })
}

/// Begins a session for the holder of the token, under a new id.
pub async fn begin(
    request: HttpRequest,
    visit: Visit,
    form: Result<CheckedForm<LoginForm>, Problem>,
) -> Result<HttpResponse, Problem> {
    let next = form.as_ref().map_or("/".to_owned(), |CheckedForm(form)| own_path(&form.next));
    let holder = form.and_then(|CheckedForm(form)| holder(&request, &visit, &form.token));
    let hash = match holder {
        Ok(hash) => hash,
        Err(problem) => return failed(visit, next, &problem),
    };
    let sessions = &visit.state.sessions;
    if let Some(earlier) = session_cookie::id(&request) {
        sessions.end(&earlier);
    }
    let id = sessions.begin(hash, Instant::now());
    Ok(see_other(&next).cookie(session_cookie::begin(&request, &id)).finish())
}

/// Ends the session.
pub async fn end(
    request: HttpRequest,
    visit: Visit,
    _: CheckedForm<LogoutForm>,
) -> Result<HttpResponse, Problem> {
    if let Some(id) = session_cookie::id(&request) {
        visit.state.sessions.end(&id);
    }
    Ok(see_other(PATH).cookie(session_cookie::end(&request)).finish())
}

/// The response to a request for a page by a browser without a session.
pub fn required(request: &HttpRequest) -> HttpResponse {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let login = match request.method().is_safe() && target != "/" {
        true => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            format!("{PATH}?{}", query.append_pair("next", target).finish())
        }
        false => PATH.to_owned(),
    };
    if request.headers().contains_key("hx-request") {
        // A part of a page would show the login in its place; loaded as a whole, the page leads to it.
        return HttpResponse::Unauthorized().insert_header(("HX-Refresh", "true")).finish();
    }
    if request.method().is_safe() && origin::is_link_from_elsewhere(request) {
        // The browser has not sent its cookie, because a page of another site led here. It does if a page of
        // this server leads to the login, which then leads on.
        let mut response = HttpResponse::Ok().finish();
        set_headers(response.headers_mut());
        if let Ok(value) = HeaderValue::try_from(format!("0; url={login}")) {
            response.headers_mut().insert(REFRESH, value);
        }
        return response;
    }
    see_other(&login).finish()
}

/// The hash of the token, if its holder may read.
fn holder(request: &HttpRequest, visit: &Visit, token: &str) -> Result<TokenHash, Problem> {
    let hash = TokenHash::new(token.trim().as_bytes());
    let Some((name, scope)) = visit.state.tokens.load().holder_of(hash) else {
        request.extensions_mut().insert(Client::Rejected);
        return Err(reject(request, &visit.state));
    };
    request.extensions_mut().insert(Client::Known { name, scope });
    match scope.visibility {
        Visibility::Nothing => Err(Problem::MayNotRead),
        Visibility::Masked | Visibility::Full => Ok(hash),
    }
}

/// The page with the reason why the login failed.
fn failed(visit: Visit, next: String, problem: &Problem) -> Result<HttpResponse, Problem> {
    let reason = match problem {
        Problem::NoToken => {
            "This token is not valid. It may be mistyped, or no longer configured.".to_owned()
        }
        Problem::TooManyAttempts { retry_after_seconds } => {
            format!("Too many attempts. Wait {retry_after_seconds} s, then try again.")
        }
        Problem::MayNotRead => "This token may not read: its scope has neither read nor \
                                read:masked."
            .to_owned(),
        Problem::ForeignForm => "This form was out of date. Enter the token again.".to_owned(),
        _ => "The form could not be read. Enter the token again.".to_owned(),
    };
    let note = Some(Note::Failed(reason));
    let mut response = html(&LoginPage { page: visit.page(None, "Log in"), next, note })?;
    *response.status_mut() = match problem.status_code() {
        // A 401 would have to name a method of HTTP, for which browsers may ask in a window of their own.
        StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        code => code,
    };
    if let Problem::TooManyAttempts { retry_after_seconds } = problem {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
    }
    Ok(response)
}

fn own_path(next: &str) -> String {
    if is_own_path(next) { next.to_owned() } else { "/".to_owned() }
}

fn see_other(target: &str) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((LOCATION, target)).insert_header((CACHE_CONTROL, "no-store"));
    response
}
