//! The files that pages load: stylesheet, icon and scripts. Their names contain a hash of their content, so that
//! browsers keep them for ever and never show an old one.

use std::fmt::Write;
use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};
use sha2::{Digest, Sha256};

use crate::http::error::Problem;

/// The bytes of a hash in a name: two versions of a file never have the same.
const HASH_BYTES: usize = 8;

/// A year: the longest that caches are expected to keep anything (RFC 2616, 14.21).
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The stylesheet.
pub static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("style", "css", "text/css", include_bytes!("style.css")));

/// The icon of the pages.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_bytes!("icon.svg")));

/// htmx 2.0.10 (<https://htmx.org>), unchanged; its licence is next to it.
pub static HTMX: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("htmx", "js", "text/javascript", include_bytes!("htmx.min.js")));

/// The script of every page.
pub static PAGES: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("pages", "js", "text/javascript", include_bytes!("pages.js")));

/// The script that continues the page Live.
pub static LIVE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("live", "js", "text/javascript", include_bytes!("live.js")));

/// A file that pages load.
pub struct Asset {
    url: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(name: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        let hash = Sha256::digest(bytes).into_iter().take(HASH_BYTES);
        let hash = hash.fold(String::new(), |mut text, byte| {
            let _infallible = write!(text, "{byte:02x}");
            text
        });
        Self { url: format!("/assets/{name}.{hash}.{extension}"), media_type, bytes }
    }

    /// Its path.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// `GET /assets/{file}`.
pub async fn asset(file: web::Path<String>) -> Result<HttpResponse, Problem> {
    let all = [&STYLE, &ICON, &HTMX, &PAGES, &LIVE];
    let asked = all.into_iter().find(|asset| asset.url.strip_prefix("/assets/") == Some(&file));
    let asset = asked.ok_or_else(|| {
        Problem::NotFound("there is no such file; reload the page that names it".to_owned())
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.media_type))
        .insert_header((CACHE_CONTROL, FOR_EVER))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(asset.bytes))
}
