//! The pages of the admin listener: HTML for people, by the same functions as the API, and complete without
//! a script.
//!
//! Each page is a file with its template next to it under the same name: a struct with a [`Page`], which every
//! page shows around its content, and a handler that returns the rendered struct or a problem. `frame` has what
//! pages share.
//!
//! [`Page`]: frame::page::Page

#![allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "templates pass references to the methods and functions that they call"
)]

mod checks;
mod codes;
mod empty;
pub mod error;
mod errors;
mod exports;
mod frame;
mod health;
mod ledger;
mod lifecycle;
mod list;
mod live;
pub mod login;
mod message;
mod messages;
mod overview;
mod reports;
mod search;

use actix_web::web::ServiceConfig;

pub use self::frame::html::restrict;
use self::frame::{assets, theme};
use crate::http::resource::{get, get_and_post, post};

/// Adds the path of every page.
pub fn routes(app: &mut ServiceConfig) {
    app.service(get("/", overview::overview))
        .service(get("/messages", messages::messages))
        .service(get("/errors", errors::errors))
        .service(get("/reports", reports::reports))
        .service(get("/live", live::live))
        .service(get("/live/stream", live::follow))
        .service(get("/health", health::health))
        .service(post("/health/recheck", health::recheck))
        .service(get("/messages/{sid}", message::message))
        .service(get_and_post(login::PATH, login::login, login::begin))
        .service(post("/logout", login::end))
        .service(get("/ledger", ledger::ledger))
        .service(post("/ledger/verify", ledger::verify))
        .service(post("/ledger/dry-run", ledger::dry_run))
        .service(get_and_post("/exports", exports::exports, exports::create))
        .service(post("/jobs/{job}/remove", exports::remove))
        .service(post("/theme", theme::set))
        .service(get("/assets/{file}", assets::asset));
}
