//! The first page of an empty ledger: what to do until the first callback arrives.

use actix_web::HttpResponse;
use askama::Template;

use super::frame::filters;
use super::frame::html::html;
use super::frame::page::Page;
use super::frame::visit::Visit;
use crate::checks::callback_counts::Counts;
use crate::domain::Timestamp;
use crate::http::admin::state::Receiving;
use crate::http::error::Problem;

/// The page.
#[derive(Template)]
#[template(path = "empty.html")]
struct EmptyPage {
    page: Page,
    /// The address and port that callbacks arrive at.
    listen: String,
    /// The URL for Twilio.
    callback_url: String,
    /// The same on this machine.
    local_url: String,
    /// Since when the server has listened, and its callbacks in the last two hours.
    seen: Option<(Timestamp, Counts)>,
}

/// The page of an empty ledger.
pub fn empty(visit: &Visit) -> Result<HttpResponse, Problem> {
    let page = visit.page(None, "No callbacks yet").as_of(0);
    let Receiving { listen, path, public_url } = &visit.state.receiving;
    let local_url = format!("http://{listen}{path}");
    let base = public_url.as_deref().map(|url| url.trim_end_matches('/'));
    html(&EmptyPage {
        page,
        listen: listen.to_string(),
        callback_url: base.map_or_else(|| local_url.clone(), |base| format!("{base}{path}")),
        local_url,
        seen: visit.state.checks.as_ref().and_then(|checks| {
            let recent = checks.recent();
            Some((recent.since?, recent.between(i64::MIN, i64::MAX)))
        }),
    })
}
