//! `GET /v1/tree/…`: the tree up to the last seal, as tiles (C2SP tlog-tiles).

use actix_web::{HttpResponse, web};

use super::seals::{self, not_sealed};
use super::state::AdminState;
use crate::http::auth::redaction::Redaction;
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::Failures;
use crate::seal::stored::last_seal;
use crate::seal::tiles::{Tile, TileKind};

/// The last seal, under the name that clients of tiles expect.
#[utoipa::path(get, path = "/v1/tree/checkpoint", operation_id = "tree_checkpoint", tag = "evidence",
    responses((status = 200, body = String, content_type = "text/plain"), Failures))]
pub async fn checkpoint(
    state: web::Data<AdminState>,
    redaction: Redaction,
    query: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    seals::latest(state, redaction, query).await
}

/// A tile: up to 256 hashes of a level of the tree, `LEVEL/INDEX`, or as many entries, `entries/INDEX`; with
/// `.p/WIDTH` for one at the right edge. The index is written in groups of three digits, such as `x001/234`.
#[utoipa::path(get, path = "/v1/tree/tile/{path}", operation_id = "tree_tile", tag = "evidence",
    params(("path" = String, Path, description = "Which tile, such as `0/x001/234` or `entries/000.p/33`")),
    responses((status = 200, body = String, content_type = "application/octet-stream"), Failures))]
pub async fn tile(
    path: web::Path<String>,
    state: web::Data<AdminState>,
    redaction: Redaction,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    let none = || Problem::NotFound("there is no such tile up to the last seal".to_owned());
    let tile = Tile::parse(&path).ok_or_else(none)?;
    if tile.kind == TileKind::Entries {
        // The hash of a message whose SID is a number would confirm a guess.
        redaction.check_raw()?;
    }
    let bytes = web::block(move || {
        let size = last_seal(&*state.store)?.ok_or_else(not_sealed)?.statement.size;
        let found = if tile.exists(size) { tile.read(&*state.store)? } else { None };
        found.ok_or_else(none)
    });
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(bytes.await??))
}
