//! Delivery reports.

use std::time::Instant;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::message::TAIL_PATIENCE;
use super::message_list::message_filter;
use super::openapi::Failures;
use crate::http::auth::redaction::Shown;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response;
use crate::http::state::Admin;
use crate::report::shape::Shape;
use crate::report::{By, Question, report};
use crate::wire::filter::MessageParameters;

/// What a report counts by.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportParameters {
    #[param(inline, value_type = By)]
    by: Option<By>,
}

/// What became of the messages, by one of their properties.
#[utoipa::path(get, path = "/v1/reports/delivery", operation_id = "deliveryReport", tag = "reports",
    params(ReportParameters, MessageParameters), responses((status = 200, body = Shape), Failures))]
pub async fn delivery(
    state: web::Data<Admin>,
    asker: Shown,
    Query(parameters, filter): Query<ReportParameters, MessageParameters>,
) -> Result<HttpResponse, Problem> {
    let by = parameters.by.ok_or_else(|| {
        let properties = By::ALL.map(By::name).join(", ");
        Problem::BadRequest(format!("by is missing; it is one of {properties}"))
    })?;
    let question = Question { by, filter: asker.may_ask(message_filter(filter)?)? };
    let report = web::block(move || {
        if !state.projection.wait_for_short_tail(Instant::now() + TAIL_PATIENCE) {
            return Err(Problem::Behind);
        }
        let report = report(&*state.store, &question)?;
        // Views of another rule are about to be rebuilt.
        if report.rule == state.rule { Ok(report) } else { Err(Problem::Behind) }
    });
    let shape = Shape::new(&report.await??);
    response::json(HttpResponse::Ok(), &asker.report(shape))
}
