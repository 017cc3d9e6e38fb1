//! `GET /` of an empty ledger: what to do until the first callback arrives.

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use askama::Template;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::{Page, Section};
use super::frame::visit::Visit;
use crate::http::error::Problem;

/// The page.
#[derive(Template)]
#[template(path = "empty.html")]
struct EmptyPage {
    page: Page,
}

/// `GET /`: the messages, or what to do until there are some.
pub async fn first(visit: Visit) -> Result<HttpResponse, Problem> {
    if visit.state.projection.head() == 0 {
        return empty(visit).await;
    }
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, Section::Messages.path())).finish())
}

/// The page of an empty ledger.
pub async fn empty(visit: Visit) -> Result<HttpResponse, Problem> {
    let page = visit.page(None, "No callbacks yet").as_of(0);
    html(&EmptyPage { page })
}
