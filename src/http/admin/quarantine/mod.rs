//! `POST /v1/quarantine/recheck`: checks rejected requests again, and appends those that are valid.

pub mod recheck;

use actix_web::web::{self, Data, Payload};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::recheck::{RecheckOutcome, RecheckRequest};
use crate::http::admin::jobs::StartFailures;
use crate::http::admin::messages::send_request::require_json;
use crate::http::admin::state::AdminState;
use crate::http::auth::tokens::{Scope, Visibility};
use crate::http::body::{self, BodyBudget};
use crate::http::error::Problem;
use crate::http::query::{NoParameters, Query};
use crate::http::response::{self, Failures};
use crate::quarantine::recheck::Rechecked;
use crate::twilio::callback_path::CallbackPath;
use crate::twilio::signature::BaseUrl;

/// The maximum number of URLs, and of paths: a server has a few.
const GIVEN_MAX: usize = 16;

/// A recheck of the quarantine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecheck {
    /// Only count what would be appended
    #[serde(default)]
    pub dry_run: bool,
    /// Public URLs to check against, instead of the configured ones
    #[serde(default)]
    #[schema(max_items = 16)]
    pub public_urls: Vec<String>,
    /// Callback paths to check against, instead of the configured ones
    #[serde(default)]
    #[schema(max_items = 16)]
    pub callback_paths: Vec<String>,
}

/// The result of a recheck.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecheckJson {
    /// The number of requests that were checked
    rechecked: u64,
    /// The number that was appended, or would be
    appended: u64,
    /// The number that an earlier, interrupted recheck had already appended
    already_there: u64,
    /// The number that is still rejected
    refused: u64,
    dry_run: bool,
}

/// Checks the requests in the quarantine again, and appends those that are valid with their original time
/// of arrival. A dry run changes nothing, and needs only a scope that reads.
#[utoipa::path(post, path = "/v1/quarantine/recheck", operation_id = "recheck", tag = "state",
    request_body = NewRecheck,
    responses((status = 200, body = RecheckJson), StartFailures, Failures))]
pub async fn recheck(
    request: HttpRequest,
    payload: Payload,
    state: Data<AdminState>,
    _: Query<NoParameters>,
) -> Result<HttpResponse, Problem> {
    require_json(&request)?;
    let (headers, budget) = (request.headers(), BodyBudget::default());
    let body = body::read(headers, payload.into_inner(), body::FORM_BYTES_MAX, &budget);
    let body = body.await?.bytes;
    let asked: NewRecheck = serde_json::from_slice(&body)
        .map_err(|error| Problem::BadRequest(format!("the body is no such recheck: {error}")))?;
    let scope = request.extensions().get::<Scope>().copied().ok_or(Problem::Internal)?;
    let asked = parsed(asked)?;
    check_scope(scope, &asked)?;
    // A thread of its own continues if the client disconnects.
    let outcome = web::block(move || state.recheck.run(asked)).await??;
    response::json(HttpResponse::Ok(), &RecheckJson::from(&*outcome))
}

/// Rejects a recheck by a client that may not append, and a dry run by one that may not read either.
pub fn check_scope(scope: Scope, asked: &RecheckRequest) -> Result<(), Problem> {
    match (scope.may_operate, asked.dry_run, scope.visibility) {
        (true, _, _) | (false, true, Visibility::Masked | Visibility::Full) => Ok(()),
        (false, true, Visibility::Nothing) => Err(Problem::MayNotRead),
        (false, false, _) => Err(Problem::MayNotOperate),
    }
}

/// The request with its URLs and paths, each of which must be one that `serve` would accept.
pub fn parsed(asked: NewRecheck) -> Result<RecheckRequest, Problem> {
    let NewRecheck { dry_run, public_urls, callback_paths } = asked;
    if public_urls.len() > GIVEN_MAX || callback_paths.len() > GIVEN_MAX {
        let detail =
            format!("there are at most {GIVEN_MAX} public_urls and {GIVEN_MAX} callback_paths");
        return Err(Problem::BadRequest(detail));
    }
    let url = |text: &String| {
        BaseUrl::parse(text.trim_end_matches('/')).ok_or_else(|| {
            Problem::Conflict(format!(
                "public URL `{}` is not of the form https://hooks.example.com",
                text.escape_debug()
            ))
        })
    };
    let path = |text: &String| {
        CallbackPath::parse(text).map_err(|error| {
            Problem::Conflict(format!("callback path `{}` {error}", text.escape_debug()))
        })
    };
    Ok(RecheckRequest {
        dry_run,
        public_urls: public_urls.iter().map(url).collect::<Result<_, _>>()?,
        callback_paths: callback_paths.iter().map(path).collect::<Result<_, _>>()?,
    })
}

impl From<&RecheckOutcome> for RecheckJson {
    fn from(outcome: &RecheckOutcome) -> Self {
        let Rechecked { requests, appended, already_there, refused } = outcome.rechecked;
        let dry_run = outcome.request.dry_run;
        Self { rechecked: requests, appended, already_there, refused, dry_run }
    }
}
