//! Batches that are too long, too many, or interrupted.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::{PATH, accept, of_account, send};
use crate::support::{App, Request, TOKEN, assert_problem, json_signature, sid};

#[test]
fn a_batch_of_more_than_a_mebibyte_is_rejected() {
    let app = App::start();
    let padded = |length: usize| {
        let body = format!("[{}]", of_account("EZ1", &sid(1), "sent"));
        format!("{body}{}", " ".repeat(length - body.len()))
    };

    accept(&app, &padded(1 << 20));
    let answer = send(&app, PATH, TOKEN, &padded((1 << 20) + 1));

    assert_problem(&answer, 413, "the body is longer than 1048576 bytes");
    let events = app.events();
    assert_eq!(events.len(), 1);
    let after = events[0]["notes"]["after"].as_str().unwrap();
    assert_eq!(after.len() + events[0]["body"].as_str().unwrap().len(), (1 << 20) - 1);
}

#[test]
fn ten_thousand_and_one_elements_are_kept_whole() {
    let app = App::start();
    let body = format!("[{}]", vec!["{}"; 10_001].join(","));

    accept(&app, &body);

    assert_eq!(app.events().len(), 1);
    assert_eq!(app.events()[0]["body"], body);
}

/// Whatever the moment, the log ends with a whole batch.
#[test]
fn a_kill_leaves_all_events_of_a_batch_or_none() {
    const EVENTS: u32 = 1_000;
    let mut app = App::start();
    let each: Vec<_> =
        (0..EVENTS).map(|n| of_account(&format!("EZ{n}"), &sid(n), "sent")).collect();
    let body = format!("[{}]", each.join(","));
    accept(&app, &body);

    let (address, hash) = (app.callbacks(), super::hash_of(&body));
    let target = format!("{PATH}?bodySHA256={hash}");
    let request = Request::new("POST", &target)
        .header("Content-Type", "application/json")
        .header("X-Twilio-Signature", &json_signature(TOKEN, &app.url(&target)))
        .header("Connection", "keep-alive")
        .body(body)
        .bytes(address);
    let sender = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // Nobody reads the answers: the server is killed before the last.
        (0..50).take_while(|_| stream.write_all(&request).is_ok()).count()
    });
    thread::sleep(Duration::from_millis(150));
    app.kill();
    sender.join().unwrap();

    let stored = app.events().len() as u32;
    assert!(stored >= EVENTS && stored.is_multiple_of(EVENTS), "{stored}");
}
