//! `GET /v1/seals` and below: the seals of the ledger, and proofs that one follows another.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::state::AdminState;
use crate::domain::Position;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{self, NoParameters, PageLimit, Query};
use crate::http::response::{self, Failures};
use crate::projection::proofs::consistency_proof;
use crate::seal::json::{ConsistencyJson, SealJson};
use crate::seal::stored::{AttestedSeal, StoredSeal, last_seal, seal_of_size, seals};
use crate::store::Store;
use crate::store::seals::{SealQuery, SealRecordKind};
use crate::wire::parameters;

/// The media type of a seal.
const NOTE: &str = "text/plain; charset=utf-8";

/// Which page of the seals.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct SealParameters {
    #[param(value_type = Option<u64>, minimum = 1, maximum = 1000, default = 100)]
    limit: PageLimit,
    /// The `next_cursor` of the previous page
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = Option<u64>, minimum = 0)]
    after: Option<Position>,
}

/// The seal that a proof begins at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ConsistencyParameters {
    /// The number of events of the earlier seal
    #[serde(deserialize_with = "parameters::position")]
    #[param(value_type = u64, minimum = 0, required = true)]
    from: Option<Position>,
}

/// A page of the seals.
#[derive(Debug, Serialize, ToSchema)]
pub struct SealPage {
    /// The seals, newest first.
    data: Vec<SealJson>,
    /// The `after` of the next page; `null` if this is the last.
    next_cursor: Option<String>,
}

/// The seals, newest first, with who has attested of them.
#[utoipa::path(get, path = "/v1/seals", operation_id = "seals", tag = "evidence", params(SealParameters),
    responses((status = 200, body = SealPage), Failures))]
pub async fn list(
    state: web::Data<AdminState>,
    _: Redaction,
    Query(parameters, _): Query<SealParameters>,
) -> Result<HttpResponse, Problem> {
    let page = web::block(move || page(&*state.store, &parameters));
    response::json(HttpResponse::Ok(), &page.await??)
}

fn page(store: &dyn Store, parameters: &SealParameters) -> Result<SealPage, Problem> {
    let limit = parameters.limit.rows();
    let last = match parameters.after {
        Some(0) => return Ok(SealPage { data: Vec::new(), next_cursor: None }),
        Some(after) => after - 1,
        None => Position::MAX,
    };
    let up_to = SealQuery::of_sizes(SealRecordKind::Seal, 0..=last);
    let newest = SealQuery { newest_first: true, limit: limit + 1, ..up_to };
    let mut found = seals(store, &newest)?;
    // A new key seals the same events again; the cursor is their number, so only the last counts.
    found.dedup_by_key(|seal| seal.statement.size);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|seal| seal.statement.size.to_string()).filter(|_| has_more);
    let attested = found.into_iter().map(|seal| seal.attested(store));
    let data = attested.map(|seal| Ok(SealJson::new(&seal?))).collect::<Result<_, Problem>>()?;
    Ok(SealPage { data, next_cursor: next })
}

/// The last seal, as it is given to others: a signed note (C2SP tlog-checkpoint), with the lines of witnesses.
#[utoipa::path(get, path = "/v1/seals/latest", operation_id = "latest_seal", tag = "evidence",
    responses((status = 200, body = String, content_type = "text/plain"), Failures))]
pub async fn latest(
    state: web::Data<AdminState>,
    _: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let note = web::block(move || {
        let seal = last_seal(&*state.store)?.ok_or_else(not_sealed)?;
        attested(&*state.store, seal)
    });
    Ok(HttpResponse::Ok().content_type(NOTE).body(note.await??.note.to_string()))
}

/// The seal of a number of events, likewise.
#[utoipa::path(get, path = "/v1/seals/{size}", operation_id = "seal", tag = "evidence",
    params(("size" = u64, Path, minimum = 0, description = "How many events were sealed")),
    responses((status = 200, body = String, content_type = "text/plain"), Failures))]
pub async fn one(
    size: web::Path<String>,
    state: web::Data<AdminState>,
    _: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let size = query::position("size", &size)?;
    let note = web::block(move || {
        let seal = sealed(&*state.store, size)?;
        attested(&*state.store, seal)
    });
    Ok(HttpResponse::Ok().content_type(NOTE).body(note.await??.note.to_string()))
}

/// The proof that one seal is of the beginning of what another is of (RFC 6962, section 2.1.2).
#[utoipa::path(get, path = "/v1/seals/{to}/consistency", operation_id = "seal_consistency", tag = "evidence",
    params(("to" = u64, Path, minimum = 0, description = "The number of events of the later seal"),
           ConsistencyParameters),
    responses((status = 200, body = ConsistencyJson), Failures))]
pub async fn consistency(
    to: web::Path<String>,
    state: web::Data<AdminState>,
    _: Redaction,
    Query(parameters, _): Query<ConsistencyParameters>,
) -> Result<HttpResponse, Problem> {
    let to = query::position("to", &to)?;
    let missing =
        || Problem::BadRequest("`from` is missing: the size of the earlier seal".to_owned());
    let from = parameters.from.ok_or_else(missing)?;
    let json = web::block(move || {
        let store = &*state.store;
        let (first, second) = (sealed(store, from)?, sealed(store, to)?);
        if from > to {
            return Err(Problem::BadRequest(format!("from `{from}` is more than {to}")));
        }
        let proof = consistency_proof(store, from, to)?;
        Ok::<_, Problem>(ConsistencyJson::new(&first.statement, &second.statement, &proof))
    });
    response::json(HttpResponse::Ok(), &json.await??)
}

/// The seal of a number of events.
fn sealed(store: &dyn Store, size: Position) -> Result<StoredSeal, Problem> {
    let none = || Problem::NotFound(format!("no seal is of {size} events"));
    seal_of_size(store, size)?.ok_or_else(none)
}

/// A seal with what others have attested of it.
pub fn attested(store: &dyn Store, seal: StoredSeal) -> Result<AttestedSeal, Problem> {
    Ok(seal.attested(store)?)
}

/// The problem that there is no seal.
pub fn not_sealed() -> Problem {
    Problem::NotFound("nothing was sealed yet".to_owned())
}
