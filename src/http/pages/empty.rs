//! The first page of an empty ledger: what to do until the first callback arrives.

use actix_web::HttpResponse;
use askama::Template;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::Page;
use super::frame::visit::Visit;
use crate::http::error::Problem;

/// The page.
#[derive(Template)]
#[template(path = "empty.html")]
struct EmptyPage {
    page: Page,
}

/// The page of an empty ledger.
pub fn empty(visit: &Visit) -> Result<HttpResponse, Problem> {
    let page = visit.page(None, "No callbacks yet").as_of(0);
    html(&EmptyPage { page })
}
