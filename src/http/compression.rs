//! Compression of the admin listener's responses with gzip or zstd, if the client accepts one of them.
//!
//! Text only: Parquet is compressed already, and an event of the stream has to leave at once instead of
//! waiting for a block to fill. A streamed response is compressed chunk by chunk, so memory stays bounded.

use actix_http::encoding::Encoder;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    AcceptEncoding, CONTENT_TYPE, ContentEncoding, ETAG, Encoding, Header, HeaderMap, HeaderValue,
    VARY,
};
use actix_web::middleware::Next;

/// The size below which a response is sent as it is: it fits into one packet in any case.
const COMPRESSED_BYTES_MIN: u64 = 1024;

/// The middleware. A client that accepts neither form gets the response as it is.
pub async fn compress<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<Encoder<B>>, actix_web::Error> {
    let accepted = accepted(&request);
    let response = next.call(request).await?;
    Ok(response.map_body(|head, body| {
        let is_text = is_text(head.headers());
        let encoding = match is_text && is_worth_it(body.size()) {
            true => accepted,
            false => ContentEncoding::Identity,
        };
        let headers = head.headers_mut();
        // The encoder adds it to what it compresses.
        if encoding == ContentEncoding::Identity && (is_text || headers.contains_key(ETAG)) {
            headers.append(VARY, HeaderValue::from_static("accept-encoding"));
        }
        if accepted != ContentEncoding::Identity {
            weaken_tag(headers);
        }
        Encoder::response(encoding, head, body)
    }))
}

/// The encoding that the client prefers among ours.
fn accepted(request: &ServiceRequest) -> ContentEncoding {
    let ours = [Encoding::identity(), Encoding::gzip(), Encoding::zstd()];
    let accepted = AcceptEncoding::parse(request).ok();
    match accepted.and_then(|accepted| accepted.negotiate(ours.iter())) {
        Some(Encoding::Known(encoding)) => encoding,
        Some(Encoding::Unknown(_)) | None => ContentEncoding::Identity,
    }
}

/// Whether the content is text of which a block may wait for the next one.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    match media_type.trim().split_once('/') {
        Some(("text", subtype)) => subtype != "event-stream",
        Some(("application", subtype)) => {
            matches!(subtype, "json" | "x-ndjson" | "javascript") || subtype.ends_with("+json")
        }
        Some(("image", subtype)) => subtype == "svg+xml",
        _ => false,
    }
}

fn is_worth_it(size: BodySize) -> bool {
    match size {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= COMPRESSED_BYTES_MIN,
        BodySize::Stream => true,
    }
}

/// Makes an `ETag` a weak one: the bytes of a compressed response are not those of the plain one, which
/// a strong tag would promise (RFC 9110, 8.8.3). `If-None-Match` compares tags weakly.
fn weaken_tag(headers: &mut HeaderMap) {
    let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok());
    let weak = tag.filter(|tag| tag.starts_with('"')).map(|tag| format!("W/{tag}"));
    if let Some(Ok(weak)) = weak.map(HeaderValue::try_from) {
        headers.insert(ETAG, weak);
    }
}
