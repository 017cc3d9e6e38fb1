//! Receives status callbacks from Twilio, or from a ledger that forwards them.
//!
//! ```sh
//! TWILIO_AUTH_TOKEN=… PORT=3000 cargo run --example receive
//! ```
//!
//! Twilio has no SDK for Rust, so the signature is checked here.

use std::collections::BTreeMap;
use std::env;

use actix_web::web::Form;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// Twilio signs the URL that it calls, followed by each name and value of the form in the order of the names.
fn is_signed(request: &HttpRequest, form: &BTreeMap<String, String>) -> bool {
    let token = env::var("TWILIO_AUTH_TOKEN").unwrap_or_default();
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("any length is right");
    let from = request.connection_info();
    mac.update(format!("{}://{}{}", from.scheme(), from.host(), request.uri()).as_bytes());
    for text in form.iter().flat_map(|(name, value)| [name, value]) {
        mac.update(text.as_bytes());
    }
    let signature = request.headers().get("X-Twilio-Signature");
    let signature = signature.and_then(|signature| STANDARD.decode(signature).ok());
    signature.is_some_and(|signature| mac.verify_slice(&signature).is_ok())
}

#[post("/twilio/status")]
async fn receive(request: HttpRequest, form: Form<BTreeMap<String, String>>) -> HttpResponse {
    if !is_signed(&request, &form) {
        return HttpResponse::Forbidden().finish();
    }
    let value = |name| form.get(name).map_or("", String::as_str);
    println!("{} {}", value("MessageSid"), value("MessageStatus"));
    HttpResponse::NoContent().finish()
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    HttpServer::new(|| App::new().service(receive)).bind(("127.0.0.1", port))?.run().await
}
