//! Starting a server with views that were deleted, damaged, or built from another log or rule.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;

use delivery_ledger::domain::Status;
use delivery_ledger::store;
use delivery_ledger::store::{Access, Database, Message};
use rusqlite::Connection;
use serde_json::json;

use super::{open, set_rule};
use crate::support::events::event;
use crate::support::{
    App, MessageBody, Request, TOKEN, delivered, failed, sent, sid, signature, status,
};

/// A stopped server that has received and projected these callbacks.
fn stopped_after<const N: usize>(bodies: [MessageBody; N]) -> App {
    let mut app = App::start();
    receive_and_stop(&mut app, bodies);
    app
}

fn receive_and_stop<const N: usize>(app: &mut App, bodies: [MessageBody; N]) {
    for body in bodies {
        assert_eq!(app.receive(body).code, 200);
    }
    app.caught_up();
    app.stop();
}

fn views_sql(app: &App, sql: &str) {
    Connection::open(app.views_file()).unwrap().execute_batch(sql).unwrap();
}

/// Marks a message in the views; a rebuild would remove the mark.
fn mark(app: &App) {
    let views = Connection::open(app.views_file()).unwrap();
    views
        .execute("UPDATE messages SET status = 'canceled', flags = flags & ~8 WHERE id = 1", [])
        .unwrap();
}

fn is_marked(app: &App) -> bool {
    in_views(app)[0].lifecycle.evidence.status() == Some(Status::Canceled)
}

/// Reads the messages directly from the views, without asking the server.
fn in_views(app: &App) -> Vec<Message> {
    let store = store::open(&Database::Sqlite(app.log_file()), Access::Read).unwrap();
    store.views().page(0, 1000).unwrap().1
}

/// SID and status of each message in the views.
fn statuses(app: &App) -> Vec<(String, &'static str)> {
    let status = |message: &Message| message.lifecycle.evidence.status().unwrap().name();
    in_views(app)
        .iter()
        .map(|message| (message.key.message_sid.to_string(), status(message)))
        .collect()
}

/// Asserts that the views equal a replay of the log up to the head.
fn assert_sound_and_caught_up(app: &App) {
    app.caught_up();
    let verified = app.json(&["verify", "--format", "json"]);
    assert_eq!(verified["findings"], json!([]));
    assert_eq!(verified["checkpoint"], verified["head"]);
}

#[test]
fn a_server_continues_from_its_checkpoint() {
    let mut app = App::start();
    app.receive(sent(&sid(1)));
    app.caught_up();
    app.kill();
    mark(&app);

    app.restart();
    app.receive(sent(&sid(2)));

    app.caught_up();
    assert!(is_marked(&app), "the views were not read on but rebuilt");
    assert_eq!(statuses(&app), [(sid(1), "canceled"), (sid(2), "sent")]);
}

#[test]
fn after_a_kill_under_load_views_equal_a_replay() {
    let mut app = App::start();
    let acknowledged = Mutex::new(Vec::new());
    let (callbacks, url) = (app.callbacks(), app.url("/message-status"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (acknowledged, url) = (&acknowledged, &url);
            scope.spawn(move || {
                let mut number = thread;
                while let Some(body) = acknowledged_callback(callbacks, url, number) {
                    acknowledged.lock().unwrap().push(body);
                    number += 4;
                }
            });
        }
        app.eventually("some hundred callbacks are acknowledged", || {
            acknowledged.lock().unwrap().len() > 300
        });
        app.kill();
    });
    app.restart();

    assert_sound_and_caught_up(&app);

    let kept: Vec<_> = app.events().into_iter().map(|event| event["body"].clone()).collect();
    for body in acknowledged.into_inner().unwrap() {
        assert!(kept.contains(&json!(body)), "acknowledged and not kept: {body}");
    }
    let live = app.json(&["replay", "--dry-run", "--format", "json"]);
    let verified = app.json(&["verify", "--format", "json"]);
    app.stop();
    let replayed = app.json(&["replay", "--format", "json"]);
    assert_eq!(replayed["digest"], verified["digest"]);
    assert_eq!(replayed["digest"], live["digest"]);
    assert_eq!(replayed["events"], kept.len());
    assert_eq!(app.json(&["verify", "--format", "json"])["findings"], json!([]));
}

/// Sends a callback; returns its body if it was acknowledged.
fn acknowledged_callback(callbacks: SocketAddr, url: &str, number: u32) -> Option<String> {
    let words = ["queued", "sent", "delivered", "failed"];
    let body = status(&sid(number % 60), words[number as usize % 4]).with("N", &number.to_string());
    let body = body.bytes();
    let request = Request::new("POST", "/message-status")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("X-Twilio-Signature", &signature(TOKEN, url, &body))
        .body(body.clone());
    let mut stream = TcpStream::connect(callbacks).ok()?;
    stream.write_all(&request.bytes(callbacks)).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    (&start == b"HTTP/1.1 200").then(|| String::from_utf8(body).unwrap())
}

#[test]
fn deleted_views_are_rebuilt_while_callbacks_are_accepted() {
    let mut app = App::start();
    app.receive(delivered(&sid(1)));
    app.stop();
    std::fs::remove_file(app.views_file()).unwrap();

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    assert_sound_and_caught_up(&app);
    assert_eq!(statuses(&app), [(sid(1), "delivered")]);
    assert_eq!(in_views(&app)[0].lifecycle.counts.events, 2);
}

#[test]
fn views_of_another_version_are_rebuilt_with_a_log_line() {
    let mut app = stopped_after([delivered(&sid(1))]);
    views_sql(&app, "UPDATE refinery_schema_history SET checksum = '0'");
    mark(&app);

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    assert_sound_and_caught_up(&app);
    assert!(!is_marked(&app));
    assert!(app.stderr().contains("the views are rebuilt"), "{}", app.stderr());
}

#[test]
fn views_built_by_another_rule_are_rebuilt_with_a_log_line() {
    let mut app = stopped_after([delivered(&sid(1)), failed(&sid(1), "30003")]);
    assert_eq!(statuses(&app), [(sid(1), "failed")]);
    set_rule(&app, "delivery-wins");

    app.restart();
    assert_eq!(app.receive(sent(&sid(1))).code, 200);

    assert_sound_and_caught_up(&app);
    assert_eq!(statuses(&app), [(sid(1), "delivered")]);
    assert_eq!(app.message(&sid(1))["rule"], "delivery-wins");
    assert_eq!(app.message(&sid(1))["status"], "delivered");
    let stderr = app.stderr();
    assert!(stderr.contains("the views were built by the rule failure-terminal"), "{stderr}");
}

#[test]
fn views_with_a_damaged_checkpoint_are_rebuilt_with_a_log_line() {
    let mut app = stopped_after([delivered(&sid(1))]);
    views_sql(&app, "UPDATE checkpoint SET rule = 'no rule'");

    app.restart();

    assert_sound_and_caught_up(&app);
    let stderr = app.stderr();
    assert!(stderr.contains("the views are rebuilt from the log"), "{stderr}");
}

#[test]
fn a_log_older_than_its_views_is_reported_and_the_views_are_rebuilt() {
    let mut app = stopped_after([sent(&sid(1))]);
    let older = std::fs::read(app.log_file()).unwrap();
    app.restart();
    receive_and_stop(&mut app, [delivered(&sid(1)), delivered(&sid(2))]);
    std::fs::write(app.log_file(), older).unwrap();

    app.restart();

    app.eventually("it is logged", || app.stderr().contains("the log is older than its views"));
    assert_sound_and_caught_up(&app);
    let stderr = app.stderr();
    assert!(stderr.contains("ends at position 1, they have read up to 3"), "{stderr}");
    assert!(stderr.contains("events that were acknowledged may be missing"), "{stderr}");
    assert_eq!(statuses(&app), [(sid(1), "sent")]);
}

#[test]
fn an_older_log_that_has_grown_past_its_views_is_reported() {
    let mut app = stopped_after([sent(&sid(1))]);
    let older = std::fs::read(app.log_file()).unwrap();
    app.restart();
    receive_and_stop(&mut app, [delivered(&sid(1))]);
    std::fs::write(app.log_file(), older).unwrap();
    open(&app).append(&[event(failed(&sid(1), "30003")), event(sent(&sid(2)))]).unwrap();

    app.restart();

    app.eventually("it is logged", || app.stderr().contains("another event is at position 2"));
    assert_sound_and_caught_up(&app);
    assert_eq!(statuses(&app), [(sid(1), "failed"), (sid(2), "sent")]);
}

#[test]
fn the_log_of_another_ledger_is_reported_and_the_views_are_rebuilt() {
    let mut app = stopped_after([sent(&sid(1))]);
    let other = stopped_after([delivered(&sid(9))]);
    std::fs::copy(other.log_file(), app.log_file()).unwrap();

    app.restart();

    app.eventually("it is logged", || app.stderr().contains("the views belong to another ledger"));
    assert_sound_and_caught_up(&app);
    assert_eq!(statuses(&app), [(sid(9), "delivered")]);
}
