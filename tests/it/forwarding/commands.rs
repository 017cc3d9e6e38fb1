//! Commands on targets while a server sends to them: it notices what they change.

use serde_json::json;

use super::forwarding;
use crate::support::application::{Application, Reply};
use crate::support::{delivered, failed, sent, sid};

#[test]
fn what_was_skipped_is_not_sent_when_the_application_is_back() {
    let application = Application::start();
    application.answers(|_| Reply::Code(503));
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.receive(sent(&sid(2)).bytes());
    app.eventually("both are refused", || {
        let positions = application.positions();
        positions.contains(&1) && positions.contains(&2)
    });

    let skipped = app.json(&["forward", "skip", "orders", "--to", "head", "--format", "json"]);
    assert_eq!((&skipped["position"], &skipped["skipped"]), (&json!(2), &json!(2)));
    let none_waits = "delivery_ledger_forward_waiting_events{target=\"orders\"} 0\n";
    app.eventually("the server notices", || {
        String::from_utf8(app.get("/metrics").body).unwrap().contains(none_waits)
    });
    application.answers(|_| Reply::Code(204));
    let before = application.positions().len();
    app.receive(sent(&sid(3)).bytes());

    app.eventually("the next one is sent and accepted", || {
        let target = &app.json(&["forward", "list", "--format", "json"])["data"][0];
        let now = (&target["accepted"], &target["waiting"], &target["failed"], &target["position"]);
        now == (&json!(1), &json!(0), &json!(0), &json!(3))
    });
    assert_eq!(application.positions()[before..], [3]);
}

#[test]
fn a_target_that_goes_back_is_sent_everything_again() {
    let application = Application::start();
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.receive(delivered(&sid(1)).bytes());
    app.eventually("both are accepted", || application.positions() == [1, 2]);

    assert!(app.run(&["forward", "skip", "orders", "--to", "0"]).status.success());

    app.eventually("both are sent again", || application.positions() == [1, 2, 1, 2]);
    assert!(application.received().iter().all(|request| request.attempt() == 1));
}

#[test]
fn a_forgotten_target_begins_anew() {
    let application = Application::start();
    let app = forwarding(&application, "");
    app.receive(sent(&sid(1)).bytes());
    app.eventually("it is accepted", || {
        app.json(&["forward", "list", "--format", "json"])["data"][0]["accepted"] == 1
    });

    assert!(app.run(&["forward", "forget", "orders"]).status.success());

    app.eventually("it is sent again", || application.positions() == [1, 1]);
}

#[test]
fn the_comparison_counts_what_an_application_has_answered() {
    let application = Application::start();
    application.answers(|request| match request.parameter("MessageStatus").as_deref() {
        Some("failed") => Reply::Code(422),
        _ => Reply::Code(204),
    });
    let app = forwarding(&application, "give_up_after = \"1s\"");
    app.receive(sent(&sid(1)).bytes());
    app.receive(failed(&sid(1), "30003").bytes());
    app.receive(sent(&sid(2)).bytes());
    let compare = || app.json(&["forward", "compare", "orders", "--format", "json"]);
    app.eventually("one is given up, and the others are accepted", || {
        let compared = compare();
        compared["failed"] == 1 && compared["accepted"] == 2
    });

    let compared = compare();

    let refused = &compared["refused"][0];
    assert_eq!((&refused["answer"], &refused["status"]), (&json!("422"), &json!("failed")));
    assert_eq!((&refused["last_position"], &compared["waiting"]), (&json!(2), &json!(0)));
    assert!(refused["attempts"].as_u64().unwrap() >= 2, "{refused}");
}
