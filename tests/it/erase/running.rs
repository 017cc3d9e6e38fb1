//! Erasing next to a running server.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::{ADDRESS, DIGITS, files_with, stderr, to_address};
use crate::support::ledger::findings;
use crate::support::seals::{app_with_key, note};
use crate::support::{App, delivered, sent, sid};

fn erase(app: &App, arguments: &[&str]) -> std::process::Output {
    let always = ["erase", "--request", "DSR-1", "--yes"];
    let output = app.run(&[&always, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    output
}

/// Longer than a server waits before it looks at the files of its log.
const IDLE: std::time::Duration = std::time::Duration::from_millis(1_200);

fn verified(app: &App) -> serde_json::Value {
    serde_json::from_slice(&app.run(&["verify", "--format", "json"]).stdout).unwrap()
}

#[test]
fn callbacks_are_accepted_while_a_server_runs_and_a_command_erases() {
    let app = App::start();
    for number in 0..50 {
        app.receive(to_address(delivered(&sid(number))));
    }
    let (stop, sent_so_far) = (AtomicBool::new(false), AtomicU32::new(1000));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = sent_so_far.fetch_add(1, Ordering::Relaxed);
                    assert_eq!(app.receive(delivered(&sid(number))).code, 200);
                }
            });
        }
        erase(&app, &["--address", ADDRESS]);
        stop.store(true, Ordering::Relaxed);
    });
    app.caught_up();
    assert_eq!(files_with(app.folder(), DIGITS), [""; 0]);
    let verified = verified(&app);
    assert_eq!(findings(&verified), [""; 0], "{verified}");
    assert_eq!(app.messages().len() as u32, sent_so_far.load(Ordering::Relaxed) - 1000);
}

/// An erasure leaves an empty WAL, and the next write to it is not the server's.
#[test]
fn a_write_by_a_command_after_an_erasure_is_no_damage() {
    let mut app = app_with_key(&[]);
    for number in 1..=3 {
        assert_eq!(app.receive(delivered(&sid(number))).code, 200);
        app.caught_up();
        erase(&app, &["--message", &sid(number)]);
        // The server looks at its files when nothing is received.
        std::thread::sleep(IDLE);
        note(&app, &["seal"]);
        std::thread::sleep(IDLE);
        assert_eq!(app.get("/readyz").code, 200);
    }
    let log = app.stop();
    assert!(!log.contains("another program"), "{log}");
}

/// The server knows the envelope, and must not use it again once it is empty.
#[test]
fn a_server_does_not_use_an_envelope_that_was_emptied() {
    let app = App::start_with(&["--callback-path", "/*"]);
    let at = |path: &str, number| app.receive_at(path, to_address(delivered(&sid(number)))).code;
    assert_eq!((at("/jane-doe", 1), at("/other", 2)), (200, 200));
    erase(&app, &["--message", &sid(1)]);
    assert_eq!(files_with(app.folder(), "jane-doe"), [""; 0]);

    assert_eq!(at("/jane-doe", 3), 200);

    let events = app.events();
    assert_eq!(events.last().unwrap()["url"], app.url("/jane-doe"));
    assert_eq!(findings(&verified(&app)), [""; 0]);
}

#[test]
fn a_server_continues_in_the_rebuilt_views() {
    let app = App::start();
    app.receive(to_address(sent(&sid(1))));
    app.receive(sent(&sid(2)));
    app.caught_up();
    erase(&app, &["--message", &sid(1), "--open"]);
    let sids = |app: &App| {
        let messages = app.messages().into_iter();
        messages
            .map(|message| message["message_sid"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(sids(&app), [sid(2)]);
    app.receive(delivered(&sid(2)));
    app.caught_up();
    assert_eq!(app.message(&sid(2))["status"], "delivered");
}

#[test]
fn a_server_erases_messages_of_a_certain_age() {
    let ledger = crate::support::ledger::Ledger::with_events(&[
        crate::support::events::event(delivered(&sid(1))), // of January
    ]);
    let mut app = App::not_started(&[]);
    std::fs::copy(ledger.log_file(), app.log_file()).unwrap();
    app.configure("[retention]\nerase_after = \"40d\"\n");
    app.restart();
    app.receive(delivered(&sid(2)));
    app.eventually("it is erased", || app.get(&format!("/v1/messages/{}", sid(1))).code == 410);
    assert_eq!(app.message(&sid(2))["status"], "delivered");
    app.eventually("it is logged", || app.stderr().contains("erased because of their age"));
}

#[test]
fn messages_are_not_erased_while_callbacks_are_expected() {
    let app = App::not_started(&[]);
    app.configure("[retention]\nerase_after = \"7d\"\n");
    let output = app.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a time from 30d on"), "{}", stderr(&output));
}
