//! Errors of Twilio's API, repeated pages and refused accounts.

use std::time::Duration;

use serde_json::{Value, json};

use super::{counts, reconcile, statuses, stopped, with};
use crate::support::twilio::{Fault, Twilio};
use crate::support::{ACCOUNT, OTHER_ACCOUNT, sent, sid};

#[test]
fn twilios_error_message_is_shown_with_advice() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1)))]);
    twilio.has(&sid(1), "delivered");
    let message = "Messages older than 400 days cannot be listed.";
    twilio.next(Fault::Refuse(400, 20004, message));
    let (code, summary, stderr) = stopped(&app, &["--since", "2024-01-01"]);
    assert_eq!(code, Some(1));
    for expected in [
        "HTTP 400, error 20004: Messages older than 400 days cannot be listed",
        "https://www.twilio.com/docs/errors/20004",
        "--since",
    ] {
        assert!(stderr.contains(expected), "{expected}: {stderr}");
        assert!(
            summary["stopped_by"].as_str().unwrap().contains(expected),
            "{expected}: {summary}"
        );
    }
    assert_eq!(summary["appended"], 1, "messages are still fetched");

    twilio.always(Some(Fault::Refuse(401, 20003, "Authentication Error - invalid username")));
    let (_, _, stderr) = stopped(&app, &["--since", "2024-01-01"]);
    assert!(stderr.contains("error 20003, Authentication Error - invalid username"), "{stderr}");
}

// What goes wrong.

#[test]
fn every_transient_failure_is_retried_and_nothing_is_lost() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1)))]);
    (1..31).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    for fault in [
        Fault::Response(429, Some(1)),
        Fault::Response(500, None),
        Fault::Cut,
        Fault::DoneAndCut,
        Fault::Hang(Duration::from_millis(1500)),
    ] {
        twilio.next(fault);
    }
    let summary = reconcile(&app, &[]);
    assert_eq!(counts(&summary, &["appended", "failed"]), [&json!(30), &json!(0)]);
    assert_eq!(statuses(&app).values().filter(|status| *status == "delivered").count(), 30);
}

#[test]
fn a_repeated_page_adds_nothing_and_a_cycle_of_pages_ends() {
    let twilio = Twilio::start();
    let app = with(&twilio, []);
    (1..31).for_each(|number| twilio.has(&sid(number), "delivered"));
    twilio.page_size(10);
    twilio.next(Fault::SamePageAgain);
    let summary = reconcile(&app, &[]);
    assert_eq!(counts(&summary, &["listed", "appended"]), [&json!(40), &json!(30)]);

    twilio.always(Some(Fault::SamePageAgain));
    let circle = reconcile(&app, &[]);
    assert_eq!(counts(&circle, &["requests", "appended"]), [&json!(3), &json!(0)]);
    twilio.always(None);
    assert_eq!(reconcile(&app, &[])["listed"], 30);
}

#[test]
fn wrong_credentials_stop_the_run_at_once() {
    let twilio = Twilio::start();
    let app = with(&twilio, [(40, sent(&sid(1))), (40, sent(&sid(2)))]);
    twilio.always(Some(Fault::Response(401, None)));
    let (code, _, stderr) = stopped(&app, &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains(&format!("Twilio refuses account {ACCOUNT} (HTTP 401)")), "{stderr}");
    assert_eq!(twilio.requests().len(), 1);
}

#[test]
fn an_account_that_twilio_rejects_does_not_block_the_others() {
    let twilio = Twilio::start();
    let app = with(
        &twilio,
        [
            (40, sent(&sid(1))),
            (30, sent(&sid(2)).with("AccountSid", OTHER_ACCOUNT)),
            (20, sent(&sid(3)).with("AccountSid", OTHER_ACCOUNT)),
        ],
    );
    twilio.has(&sid(1), "delivered");
    let output = app.run(&["reconcile", "--format", "json"]);
    let (stderr, summary) = (String::from_utf8_lossy(&output.stderr), &output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains(&format!("Twilio refuses account {OTHER_ACCOUNT}")), "{stderr}");
    let summary: Value = serde_json::from_slice(summary).unwrap();
    assert_eq!(counts(&summary, &["appended", "requests"]), [&json!(1), &json!(3)]);
    assert_eq!(statuses(&app)[&sid(1)], "delivered");
}
