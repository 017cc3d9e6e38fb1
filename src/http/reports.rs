//! Delivery reports.

use std::time::Instant;

use actix_web::{HttpRequest, HttpResponse, web};

use super::error::Problem;
use super::json;
use super::list::message_filter;
use super::messages::TAIL_PATIENCE;
use super::openapi::{Failures, MessageParameters, ReportParameters};
use super::query::Query;
use super::shown::Shown;
use super::state::Admin;
use crate::report::shape::Shape;
use crate::report::{By, Question, report};
use crate::wire::filter::MESSAGE_FILTERS;

/// What became of the messages, by one of their properties.
#[utoipa::path(get, path = "/v1/reports/delivery", operation_id = "deliveryReport", tag = "reports",
    params(ReportParameters, MessageParameters), responses((status = 200, body = Shape), Failures))]
pub async fn delivery(
    request: HttpRequest,
    state: web::Data<Admin>,
    asker: Shown,
) -> Result<HttpResponse, Problem> {
    let known: Vec<_> = ["by"].into_iter().chain(MESSAGE_FILTERS).collect();
    let query = Query::read(request.query_string(), &known)?;
    let question =
        Question { by: by(query.get("by"))?, filter: asker.may_ask(message_filter(&query)?)? };
    let report = web::block(move || {
        if !state.projection.wait_for_short_tail(Instant::now() + TAIL_PATIENCE) {
            return Err(Problem::Behind);
        }
        let report = report(&*state.store, &question)?;
        // Views of another rule are about to be rebuilt.
        if report.rule == state.rule { Ok(report) } else { Err(Problem::Behind) }
    });
    let shape = Shape::new(&report.await??);
    json::answer(HttpResponse::Ok(), &asker.report(shape))
}

fn by(given: Option<&str>) -> Result<By, Problem> {
    let properties = By::ALL.map(By::name).join(", ");
    let Some(name) = given else {
        return Err(Problem::BadRequest(format!("by is missing; it is one of {properties}")));
    };
    By::parse(name).ok_or_else(|| {
        Problem::BadRequest(format!("by `{}` is not one of {properties}", name.escape_debug()))
    })
}
