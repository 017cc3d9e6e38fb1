//! The page of a request that failed: the reason, a search with the text still in it, and the id of the request.
//!
//! Handlers of pages return problems, as those of the API do; this middleware shows them to browsers as a page.

use actix_web::HttpRequest;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HeaderMap, HeaderValue, REFRESH};
use actix_web::middleware::Next;
use askama::Template;

use super::frame::filters;
use super::frame::html::{render, set_headers};
use super::frame::page::Page;
use super::frame::range::with_query;
use super::frame::visit::Visit;
use crate::domain::{AccountSid, Position};
use crate::http::error::{Problem, REQUEST_ID};
use crate::wire::mask;

/// The seconds after which a browser asks again for a page that waits for the views.
const REFRESH_SECONDS: HeaderValue = HeaderValue::from_static("2");

/// The page.
#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    page: Page,
    code: u16,
    reason: String,
    title: &'static str,
    detail: String,
    request_id: String,
    /// The text to search for again.
    again: String,
    /// The accounts that have this message, and the path and query of its page with each.
    accounts: Vec<(String, String)>,
    /// What is left of an erased message.
    erased: Option<Erased>,
    /// How far the views have been rebuilt, and how far the log goes; `None` if that is not the reason.
    rebuilt: Option<(Position, Position)>,
}

/// Where an erased message can still be found.
struct Erased {
    /// The event that records its erasure.
    position: Position,
    /// The path of its evidence.
    evidence: String,
}

/// The middleware: shows a problem as a page if a browser requested one.
pub async fn show_as_page<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, String>>, actix_web::Error> {
    let wants_page = is_page(request.path()) && accepts_html(request.headers());
    let response = next.call(request).await?;
    let problem = response.response().error().and_then(|error| error.as_error::<Problem>());
    let page = problem.filter(|_| wants_page).and_then(|problem| {
        ErrorPage::new(response.request(), problem, &response).and_then(|page| render(&page)).ok()
    });
    let is_behind = matches!(problem, Some(Problem::Behind));
    let Some(page) = page else { return Ok(response.map_into_left_body()) };
    let mut response = response.map_body(|_, _| EitherBody::right(page));
    set_headers(response.headers_mut());
    if is_behind {
        response.headers_mut().insert(REFRESH, REFRESH_SECONDS);
    }
    Ok(response)
}

/// False for paths whose clients are programs.
fn is_page(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    !matches!(first, "v1" | "healthz" | "readyz" | "metrics" | "openapi.json" | "docs" | "assets")
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| range.trim().starts_with("text/html"))
}

impl ErrorPage {
    fn new<B>(
        request: &HttpRequest,
        problem: &Problem,
        response: &ServiceResponse<B>,
    ) -> Result<Self, Problem> {
        let visit = Visit::new(request)?;
        let title = title(problem, request.path());
        let again = request.match_info().get("sid").unwrap_or_default().to_owned();
        let request_id = response.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let code = response.status();
        let projection = &visit.state.projection;
        let rebuilt =
            matches!(problem, Problem::Behind).then(|| (projection.projected(), projection.head()));
        let page = visit.page(None, title);
        Ok(Self {
            code: code.as_u16(),
            reason: reason(code),
            title,
            detail: sentence(&problem.to_string()),
            request_id: request_id.unwrap_or_default().to_owned(),
            accounts: accounts(problem, request.path()),
            erased: erased(problem, request),
            again: if page.masked { mask::text(&again) } else { again },
            page,
            rebuilt,
        })
    }
}

/// The accounts to choose from, with a link for each.
fn accounts(problem: &Problem, path: &str) -> Vec<(String, String)> {
    let Problem::SeveralAccounts(accounts) = problem else { return Vec::new() };
    let link = |(sid, name): &(AccountSid, String)| {
        (name.clone(), with_query(path, [("account_sid", sid.as_str())]))
    };
    accounts.iter().map(link).collect()
}

/// What is left of an erased message; `None` for every other problem.
fn erased(problem: &Problem, request: &HttpRequest) -> Option<Erased> {
    let Problem::ErasedMessage(erased) = problem else { return None };
    let accounts = request.query_string().split('&');
    let account = accounts.filter_map(|pair| pair.strip_prefix("account_sid="));
    let account = account.map(|sid| ("account_sid", sid));
    let evidence = with_query(&format!("/v1{}/evidence", request.path()), account);
    Some(Erased { position: erased.position, evidence })
}

/// The standard words for a status code, such as `not found`.
fn reason(code: StatusCode) -> String {
    code.canonical_reason().unwrap_or("error").to_lowercase()
}

/// What went wrong, in a few words.
fn title(problem: &Problem, path: &str) -> &'static str {
    match problem {
        Problem::NotFound(_) if path.starts_with("/messages/") => {
            "The log has no event of this message"
        }
        Problem::NotFound(_) if path.starts_with("/jobs/") => "There is no such job",
        Problem::NotFound(_) => "There is no such page",
        Problem::ErasedMessage(_) => "This message was erased",
        Problem::BadRequest(_) => "This request is not valid",
        Problem::SeveralAccounts(_) => "Several accounts have this message",
        Problem::Conflict(_) => "This request cannot be answered as it is",
        Problem::Behind => "The views are being rebuilt",
        Problem::NoToken => "A token is required",
        Problem::TooManyAttempts { .. }
        | Problem::TooManyLookups { .. }
        | Problem::TooManyJobs(_)
        | Problem::TooManyExports
        | Problem::TooManyStreams { .. } => "Too many requests",
        Problem::ForeignForm => "This form is out of date",
        Problem::ForeignOrigin => "This request came from another site",
        Problem::UnknownHost => "This name of the server is not configured",
        Problem::Masked
        | Problem::MaskedQuestion
        | Problem::MaskedTag
        | Problem::MaskedSid
        | Problem::MayNotRead
        | Problem::MayNotSend
        | Problem::MayNotFind
        | Problem::MayNotOperate
        | Problem::OthersJob { .. } => "Your token does not allow this",
        Problem::MethodNotAllowed(_) => "This method is not supported",
        Problem::Store(_) | Problem::Internal => "The page could not be made",
        _ => "The request failed",
    }
}

/// A problem's detail as a sentence.
fn sentence(detail: &str) -> String {
    let mut letters = detail.chars();
    let Some(first) = letters.next() else { return String::new() };
    let end = if detail.ends_with(['.', '?', '!']) { "" } else { "." };
    first.to_uppercase().chain(letters).chain(end.chars()).collect()
}
