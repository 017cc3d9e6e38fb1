//! Overload: a locked log, slow clients, and a log that is moved or deleted.

use std::io::Write;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;

use crate::support::{App, Response, TOKEN, delivered, sid, signature};

/// Callbacks that can wait at the same time: 2,048 in the queue, and at least one and at most 1,024 with the
/// writer.
const CAN_WAIT: RangeInclusive<usize> = 2049..=3072;

/// More than can wait.
const MORE_THAN_CAN_WAIT: u32 = 3300;

/// At once, on a busy machine: clearly less than the 10 s of callbacks that wait.
const AT_ONCE: Duration = Duration::from_secs(5);

// A log that somebody else holds.

#[test]
fn callbacks_wait_while_another_program_locks_the_log() {
    let app = App::start();
    let intruder = hold(&app);

    let waiting = begin(&app, 1);
    app.eventually("the reason for the wait is logged", || {
        let ready = app.get("/readyz");
        let reason = ready.json()["reason"].as_str().unwrap_or_default().to_owned();
        ready.code == 503 && reason.contains("another program is writing to the ledger's file")
    });
    intruder.execute_batch("ROLLBACK").unwrap();

    assert_eq!(answer(waiting).code, 200);
    app.caught_up();
    assert_eq!(app.get("/readyz").json()["reason"], json!(null));
    assert_eq!(app.events().len(), 1);
}

#[test]
fn a_callback_that_waits_too_long_gets_503_and_is_still_stored() {
    let app = App::start();
    let intruder = hold(&app);

    let begun = Instant::now();
    let answer = answer(begin(&app, 1));
    let waited = begun.elapsed();

    assert_eq!(answer.code, 503, "{}", answer.head);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(
        answer.json()["detail"],
        "the event was not durable in time; it may still be stored"
    );
    // Twilio gives up after 15 s.
    assert!((10..14).contains(&waited.as_secs()), "{waited:?}");

    intruder.execute_batch("ROLLBACK").unwrap();
    app.eventually("it is kept", || app.events().len() == 1);
    assert_eq!(app.receive(delivered(&sid(2))).code, 200);
}

#[test]
fn a_full_queue_rejects_callbacks_at_once_and_loses_nothing_acknowledged() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let app = App::start();
    let intruder = hold(&app);

    let sent: Vec<_> = (0..MORE_THAN_CAN_WAIT).map(|number| begin(&app, number)).collect();
    // Once the lock is gone there is room for callbacks that the server has not read yet.
    let cannot_wait = MORE_THAN_CAN_WAIT as usize - CAN_WAIT.end();
    app.eventually("all that cannot wait are rejected", || rejected(&app) >= cannot_wait as f64);
    // One more, while the others wait.
    let begun = Instant::now();
    let refused = answer(begin(&app, MORE_THAN_CAN_WAIT));
    assert_eq!(refused.code, 503, "{}", refused.head);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.json()["detail"], "the queue of 2048 events is full");
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
    intruder.execute_batch("ROLLBACK").unwrap();

    let answers: Vec<_> = sent.into_iter().map(answer).collect();
    let normal = Instant::now();
    assert_eq!(app.receive(delivered(&sid(MORE_THAN_CAN_WAIT))).code, 200);
    assert!(normal.elapsed() < AT_ONCE, "{:?}", normal.elapsed());

    let acknowledged = answers.iter().filter(|answer| answer.code == 200).count();
    assert!(acknowledged > 0);
    let has_retry_after =
        |answer: &&Response| answer.code == 503 && answer.header("retry-after") == Some("1");
    assert_eq!(answers.iter().filter(has_retry_after).count(), answers.len() - acknowledged);
    let kept: Vec<_> = app.events();
    // Without the last one, but with those that were answered with 503 after 10 s and are stored nevertheless.
    let waited = kept.len() - 1;
    assert!(CAN_WAIT.contains(&waited), "{waited}");
    for (number, _) in (0..).zip(&answers).filter(|(_, answer)| answer.code == 200) {
        let is_it = |event: &serde_json::Value| event["message_sid"] == sid(number).as_str();
        assert!(kept.iter().any(is_it), "callback {number} was acknowledged");
    }
}

// A log that is taken away.

#[test]
fn a_server_whose_log_was_moved_accepts_no_callbacks() {
    let mut app = App::start();
    assert_eq!(app.receive(delivered(&sid(1))).code, 200);
    let away = app.folder().join("away.db");

    std::fs::rename(app.log_file(), &away).unwrap();

    let refused = app.receive(delivered(&sid(2)));
    assert_eq!(refused.code, 503, "{}", refused.head);
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("ledger.db is not the file that was opened"), "{detail}");
    assert_eq!(app.get("/readyz").code, 503);

    std::fs::rename(&away, app.log_file()).unwrap();
    app.stop();
    app.restart();
    assert_eq!(app.receive(delivered(&sid(3))).code, 200);
    assert_eq!(app.message(&sid(1))["status"], "delivered");
}

#[test]
fn a_deleted_log_or_wal_is_noticed_before_the_next_callback() {
    for name in ["ledger.db", "ledger.db-wal"] {
        let app = App::start();
        assert_eq!(app.receive(delivered(&sid(1))).code, 200);

        std::fs::remove_file(app.folder().join(name)).unwrap();

        app.eventually("the missing file is logged", || {
            let reason =
                app.get("/readyz").json()["reason"].as_str().unwrap_or_default().to_owned();
            reason.contains(&format!("{name} is not the file that was opened"))
        });
        assert_eq!(app.receive(delivered(&sid(2))).code, 503);
    }
}

// Clients that take their time.

#[test]
fn an_incomplete_request_head_times_out_after_10_s() {
    let app = App::start();
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(b"POST /message-status HTTP/1.1\r\nHost: hooks").unwrap();

    let begun = Instant::now();
    assert_eq!(answer(stream).code, 408);
    assert!((9..14).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[test]
fn a_slow_body_times_out_after_10_s() {
    let app = App::start();
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    let head = app.form("/message-status").header("Content-Length", "400");
    stream.write_all(&head.bytes(app.callbacks())).unwrap();
    let mut trickle = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        while trickle.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });

    let begun = Instant::now();
    let answer = answer(stream);
    assert_eq!(answer.code, 408);
    assert_eq!(answer.json()["detail"], "the body did not arrive in time");
    assert!((9..14).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    app.eventually("it is logged", || app.stderr().contains("the body did not arrive in time"));
}

#[test]
fn a_server_stops_in_time_while_another_program_locks_the_log() {
    let mut app = App::start();
    let _held = hold(&app);
    let _waiting: Vec<_> = (1..=3).map(|number| begin(&app, number)).collect();
    app.eventually("callbacks wait", || app.stderr().contains("callbacks wait for it"));
    app.stop(); // within ten seconds, else the harness complains
}

/// Holds the log's write lock, as another program can.
fn hold(app: &App) -> Connection {
    let intruder = Connection::open(app.log_file()).unwrap();
    intruder.execute_batch("BEGIN IMMEDIATE").unwrap();
    intruder
}

/// Sends a callback and does not wait for its answer.
fn begin(app: &App, number: u32) -> TcpStream {
    let body = delivered(&sid(number)).bytes();
    let signature = signature(TOKEN, &app.url("/message-status"), &body);
    let request = app.form("/message-status").header("X-Twilio-Signature", &signature).body(body);
    let mut stream = TcpStream::connect(app.callbacks()).unwrap();
    stream.write_all(&request.bytes(app.callbacks())).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> Response {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    Response::read(&mut stream)
}

/// How many callbacks were rejected because the queue is full.
fn rejected(app: &App) -> f64 {
    let metrics = String::from_utf8(app.get("/metrics").body).unwrap();
    let series = "delivery_ledger_refusals_total{reason=\"queue_full\"} ";
    let value = metrics.lines().find_map(|line| line.strip_prefix(series));
    value.unwrap_or_else(|| panic!("no {series}in\n{metrics}")).parse().unwrap()
}
