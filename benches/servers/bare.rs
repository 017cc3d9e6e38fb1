//! The baseline: actix-web reads a callback's body, with the same limit, and responds with 200.

use actix_web::{App, HttpResponse, HttpServer, web};

const BODY_BYTES_MAX: usize = 64 * 1024;

async fn receive(body: web::Bytes) -> HttpResponse {
    std::hint::black_box(body.len());
    HttpResponse::Ok().content_type("text/plain").finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = HttpServer::new(|| {
        App::new()
            .app_data(web::PayloadConfig::new(BODY_BYTES_MAX))
            .route("/message-status", web::post().to(receive))
    });
    server.bind(address)?.run().await
}
