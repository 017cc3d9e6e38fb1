//! `GET /v1/reports/delivery`: delivery reports.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::message_list::message_filter;
use super::state::AdminState;
use crate::http::access::returned::Returned;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::Query;
use crate::http::response::{self, Failures};
use crate::report::output::ReportJson;
use crate::report::{Dimension, ReportQuery, report};
use crate::wire::filter::MessageParameters;

/// What a report counts by.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ReportParameters {
    #[param(inline, value_type = Dimension)]
    by: Option<Dimension>,
}

/// A delivery report: messages grouped by a property, with counts, rates and times.
#[utoipa::path(get, path = "/v1/reports/delivery", operation_id = "deliveryReport", tag = "reports",
    params(ReportParameters, MessageParameters), responses((status = 200, body = ReportJson), Failures))]
pub async fn delivery(
    state: web::Data<AdminState>,
    redaction: Redaction,
    returned: Returned,
    Query(parameters, filter): Query<ReportParameters, MessageParameters>,
) -> Result<HttpResponse, Problem> {
    let by = parameters.by.ok_or_else(|| {
        let properties = Dimension::ALL.map(Dimension::name).join(", ");
        Problem::BadRequest(format!("by is missing; it is one of {properties}"))
    })?;
    let query =
        ReportQuery { by, filter: redaction.check_filter(message_filter(filter, &state)?)? };
    let report = web::block(move || {
        state.wait_for_views()?;
        state.check_tags(&query.filter, false)?;
        let report = report(&*state.store, &query)?;
        returned.add(report.rows.len());
        // Views that another rule made are about to be rebuilt.
        match report.rule == state.rule {
            true => {
                let report = ReportJson::new(&report, &state.error_codes);
                Ok(report.with_account_names(&state.account_names))
            }
            false => Err(Problem::Behind),
        }
    });
    let report = report.await??;
    response::json(HttpResponse::Ok(), &redaction.report(report))
}
