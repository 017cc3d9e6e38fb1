//! A target that accepts nothing for a while, and one that refuses only some events.

use std::collections::BTreeMap;

use super::forwarding;
use crate::support::application::{Application, Received, Reply};
use crate::support::{App, delivered, sent, sid};

fn listed(app: &App) -> serde_json::Value {
    app.json(&["forward", "list", "--format", "json"])["data"][0].clone()
}

/// The positions of each message, in the order in which the target got them.
fn by_message(received: &[Received]) -> BTreeMap<String, Vec<u64>> {
    let mut positions: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for received in received {
        let sid = received.parameter("MessageSid").unwrap();
        positions.entry(sid).or_default().push(received.position());
    }
    positions
}

#[test]
fn a_target_that_was_gone_gets_everything_in_the_order_of_each_message() {
    let application = Application::start();
    application.answers(|_| Reply::Code(503));
    let app = forwarding(&application, "requests = 8");
    for _ in 0..2 {
        for number in 1..=100 {
            app.receive(sent(&sid(number)).bytes());
        }
    }
    app.eventually("it is failing", || !listed(&app)["failing_since"].is_null());
    let tried = application.positions().len();
    assert!(tried < 100, "a failing target is tried with few events: {tried} attempts");
    application.answers(|_| Reply::Code(200));
    app.eventually("everything is accepted", || listed(&app)["accepted"] == 200);
    assert!(listed(&app)["failing_since"].is_null());
    let accepted = by_message(&application.received()[tried..]);
    assert_eq!(accepted.len(), 100);
    assert!(accepted.values().all(|positions| positions.is_sorted()), "{accepted:?}");
}

#[test]
fn what_was_given_up_during_an_outage_is_sent_after_it_before_later_events_of_its_message() {
    let application = Application::start();
    application.answers(|_| Reply::Code(503));
    let app = forwarding(&application, "requests = 8\ngive_up_after = \"1s\"");
    for _ in 0..2 {
        for number in 1..=50 {
            app.receive(sent(&sid(number)).bytes());
        }
    }
    app.eventually("events are given up", || listed(&app)["failed"].as_u64() > Some(5));
    let tried = application.positions().len();
    application.answers(|_| Reply::Code(200));
    app.eventually("everything is accepted", || {
        let listed = listed(&app);
        listed["accepted"] == 100 && listed["failed"] == 0
    });
    let accepted = by_message(&application.received()[tried..]);
    assert!(accepted.values().all(|positions| positions.is_sorted()), "{accepted:?}");
}

#[test]
fn events_that_a_target_refuses_hold_up_no_others_however_many_they_are() {
    let application = Application::start();
    application.answers(|received| Reply::Code(if received.position() <= 100 { 403 } else { 204 }));
    let app = forwarding(&application, "");
    for number in 1..=120 {
        app.receive(sent(&sid(number)).bytes());
    }
    app.eventually("the others are accepted", || listed(&app)["accepted"] == 20);
    assert!(listed(&app)["failing_since"].is_null());
}

#[test]
fn events_on_which_a_target_fails_hold_up_others_for_some_seconds_only() {
    let application = Application::start();
    application.answers(|received| Reply::Code(if received.position() <= 60 { 500 } else { 204 }));
    let app = forwarding(&application, "");
    for number in 1..=80 {
        app.receive(sent(&sid(number)).bytes());
    }
    app.eventually("the others are accepted", || listed(&app)["accepted"] == 20);
}

#[test]
fn events_that_wait_while_the_views_are_rebuilt_are_sent_afterwards() {
    let application = Application::start();
    application.answers(|_| Reply::Code(503));
    let mut app = forwarding(&application, "events = \"advanced\"");
    for number in 1..=5 {
        app.receive(sent(&sid(number)).bytes());
        app.receive(delivered(&sid(number)).bytes());
    }
    app.eventually("they wait", || listed(&app)["waiting"] == 10);
    app.kill();
    for file in std::fs::read_dir(app.folder()).unwrap().map(Result::unwrap) {
        if file.file_name().to_string_lossy().starts_with("ledger.views") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    application.answers(|_| Reply::Code(204));
    app.restart();
    app.eventually("they are accepted", || listed(&app)["accepted"] == 10);
}

#[test]
fn a_target_that_is_forgotten_begins_anew_with_what_arrives_from_then_on() {
    let application = Application::start();
    let mut app = App::not_started(&[]);
    app.configure(&format!("\n[forward.orders]\nurl = \"{}\"\n", application.url("/")));
    app.restart();
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is accepted", || listed(&app)["accepted"] == 1);
    assert!(app.run(&["forward", "forget", "orders"]).status.success());
    app.eventually("it begins anew", || listed(&app)["position"] == 1);
    app.receive(sent(&sid(2)).bytes());
    app.eventually("the next one is accepted", || listed(&app)["accepted"] == 1);
    assert_eq!(application.positions(), [1, 2]);
}
