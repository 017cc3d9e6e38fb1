//! The conventional design: verifies the signature, then writes an event and the message's status in one
//! transaction per callback.

mod signer;

use std::sync::Mutex;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use delivery_ledger::domain::NewEvent;
use delivery_ledger::domain::event::{Headers, Source};
use delivery_ledger::twilio::callback::ParsedCallback;
use rusqlite::{Connection, params};

use signer::Signer;

struct State {
    signer: Signer,
    database: Mutex<Connection>,
}

async fn receive(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    if !state.signer.has_signed(&request, &body) {
        return HttpResponse::Forbidden().finish();
    }
    let written = web::block(move || write(&state, &body)).await;
    match written {
        Ok(Ok(())) => HttpResponse::Ok().content_type("text/plain").finish(),
        _ => HttpResponse::ServiceUnavailable().finish(),
    }
}

fn write(state: &State, body: &[u8]) -> rusqlite::Result<()> {
    let event = event(body);
    let reading = ParsedCallback::parse(&event);
    let sid = reading.message_sid.map(|sid| sid.to_string()).unwrap_or_default();
    let status = reading.reported.and_then(|reported| reported.status).map(|status| status.name());
    let mut database = state.database.lock().expect("no thread panics while it holds this");
    let transaction = database.transaction()?;
    transaction
        .prepare_cached("INSERT INTO events(sid, body) VALUES (?1, ?2)")?
        .execute(params![sid, body])?;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO messages(sid, status) VALUES (?1, ?2)")?
        .execute(params![sid, status])?;
    transaction.commit()
}

fn event(body: &[u8]) -> NewEvent {
    NewEvent {
        event_id: uuid::Uuid::nil(),
        received_at: delivery_ledger::domain::Timestamp::from_micros(0),
        source: Source::Callback,
        method: "POST".to_owned(),
        url: String::new(),
        headers: Headers::default(),
        body: body.to_vec(),
        verified_by: None,
        notes: Default::default(),
        salt: delivery_ledger::store::new_salt(),
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let argument = |index: usize| std::env::args().nth(index).expect("ADDRESS DATABASE URL TOKEN");
    let database = Connection::open(argument(2)).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, sid TEXT, body BLOB);
             CREATE TABLE IF NOT EXISTS messages(sid TEXT PRIMARY KEY, status TEXT);",
        )
        .expect("a database that can be written");
    let state = web::Data::new(State {
        signer: Signer::new(argument(3), &argument(4)),
        database: Mutex::new(database),
    });
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).route("/message-status", web::post().to(receive))
    });
    server.bind(argument(1))?.run().await
}
