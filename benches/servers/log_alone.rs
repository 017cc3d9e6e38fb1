//! The limit of the design: verifies the signature, and appends packed rows in batches, each on disk before
//! its callbacks are answered. There is no projection, and nothing else that a ledger does.

mod signer;

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use rusqlite::Connection;
use tokio::sync::oneshot;

use signer::{Signer, signature};

/// Like the log's writer.
const QUEUE_ROWS_MAX: usize = 2048;
const COMMIT_ROWS_MAX: usize = 1024;

/// A row and whom to tell that it is on disk.
type Waiting = (Vec<u8>, oneshot::Sender<()>);

struct State {
    signer: Signer,
    queue: SyncSender<Waiting>,
}

async fn receive(request: HttpRequest, body: web::Bytes, state: web::Data<State>) -> HttpResponse {
    if !state.signer.has_signed(&request, &body) {
        return HttpResponse::Forbidden().finish();
    }
    let id = uuid::Uuid::now_v7();
    let row = [id.as_bytes(), signature(&request), &body].concat();
    let (on_disk, answer) = oneshot::channel();
    if state.queue.try_send((row, on_disk)).is_err() || answer.await.is_err() {
        return HttpResponse::ServiceUnavailable().finish();
    }
    HttpResponse::Ok().content_type("text/plain").finish()
}

/// Writes what was queued during the previous transaction, again and again.
fn write(mut log: Connection, waiting: &Receiver<Waiting>) -> rusqlite::Result<()> {
    while let Ok((row, on_disk)) = waiting.recv() {
        let transaction = log.transaction()?;
        let mut answers = vec![on_disk];
        {
            let mut insert = transaction.prepare_cached("INSERT INTO events(event) VALUES (?1)")?;
            insert.execute([row])?;
            for (row, on_disk) in waiting.try_iter().take(COMMIT_ROWS_MAX - 1) {
                insert.execute([row])?;
                answers.push(on_disk);
            }
        }
        transaction.commit()?;
        for on_disk in answers {
            let _gone = on_disk.send(());
        }
    }
    Ok(())
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let argument = |index: usize| std::env::args().nth(index).expect("ADDRESS DATABASE URL TOKEN");
    let log = Connection::open(argument(2)).expect("a database");
    log.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         CREATE TABLE IF NOT EXISTS events(position INTEGER PRIMARY KEY, event BLOB NOT NULL);",
    )
    .expect("a database that can be written");
    let (queue, waiting) = sync_channel(QUEUE_ROWS_MAX);
    std::thread::spawn(move || write(log, &waiting).expect("a log that can be written"));
    let signer = Signer::new(argument(3), &argument(4));
    let state = web::Data::new(State { signer, queue });
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).route("/message-status", web::post().to(receive))
    });
    server.bind(argument(1))?.run().await
}
