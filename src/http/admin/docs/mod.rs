//! `GET /docs/`: the OpenAPI document for people, shown by Swagger UI (<https://swagger.io/tools/swagger-ui/>).
//!
//! Its script and its stylesheet are those of release 5.32.6, unchanged but compressed (`gzip -9n`); their
//! licence is next to them.

use std::io::Read;
use std::sync::LazyLock;

use actix_web::http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use flate2::read::GzDecoder;

use crate::http::error::Problem;

/// The content security policy: nothing is loaded from elsewhere. Swagger UI sets styles of its elements.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; frame-ancestors 'none'";

const PAGE: &[u8] = include_bytes!("index.html");
const START: &[u8] = include_bytes!("swagger-initializer.js");
static SCRIPT: LazyLock<Bytes> =
    LazyLock::new(|| unpack(include_bytes!("swagger-ui-bundle.js.gz")));
static STYLE: LazyLock<Bytes> = LazyLock::new(|| unpack(include_bytes!("swagger-ui.css.gz")));

/// `GET /docs`: redirects to the page, whose files have relative URLs.
pub async fn redirect() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, "/docs/")).finish()
}

/// `GET /docs/…`: the page and its files.
pub async fn file(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (media_type, content) = match name.as_str() {
        "" | "index.html" => ("text/html; charset=utf-8", Bytes::from_static(PAGE)),
        "swagger-initializer.js" => ("text/javascript", Bytes::from_static(START)),
        "swagger-ui-bundle.js" => ("text/javascript", SCRIPT.clone()),
        "swagger-ui.css" => ("text/css", STYLE.clone()),
        _ => return Err(Problem::NotFound("there is nothing at this path".to_owned())),
    };
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .body(content))
}

fn unpack(packed: &[u8]) -> Bytes {
    let mut content = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut content).expect("the file is part of the program");
    content.into()
}
