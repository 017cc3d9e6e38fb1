//! The `feedback` command, and messages that are sent with the promise of feedback.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use super::{alone, hello, post, send, sent, serving, stderr};
use crate::support::twilio::{Fault, Twilio};
use crate::support::{ACCOUNT, App, OTHER_ACCOUNT, OTHER_TOKEN, delivered, sid, status};

const PREVIEW: [&str; 6] = ["reconcile", "--format", "json", "--account-sid", ACCOUNT, "--dry-run"];

fn feedback(app: &App, arguments: &[&str]) -> Output {
    app.run(&[&["feedback", "--format", "json"], arguments].concat())
}

/// A message of the fake that this ledger knows by a callback.
fn known(twilio: &Twilio, app: &App, number: u32) -> String {
    let message = sid(number);
    twilio.has(&message, "delivered");
    assert_eq!(app.receive(delivered(&message)).code, 200);
    message
}

#[test]
fn the_intent_is_logged_before_the_request_and_twilios_answer_after_it() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let message = sent(&send(&app, &["--from", "+15017250604", "--body", "Hi"]));
    let message = message["message_sid"].as_str().unwrap();

    let result = sent(&feedback(&app, &[message, "confirmed"]));

    assert_eq!(twilio.feedback(), [(message.to_owned(), "confirmed".to_owned())]);
    assert_eq!(
        (&result["outcome"], &result["message_sid"]),
        (&json!("confirmed"), &json!(message))
    );
    assert_eq!((&result["intent_position"], &result["answer_position"]), (&json!(3), &json!(4)));
    let events = app.events();
    let [_, _, intent, answer] = &events[..] else { panic!("{events:?}") };
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Messages/{message}/Feedback.json");
    for (event, stage) in [(intent, "intent"), (answer, "answer")] {
        assert_eq!((&event["source"], &event["method"]), (&json!("send"), &json!("POST")));
        assert!(event["url"].as_str().unwrap().ends_with(&path), "{event}");
        assert_eq!(event["notes"]["send_id"], result["send_id"]);
        assert_eq!(event["notes"]["stage"], stage);
        assert_eq!(event["notes"].get("content"), None);
    }
    assert_eq!(intent["body"], "Outcome=confirmed");
    assert_eq!(
        (&intent["message_sid"], &intent["notes"]["message_sid"]),
        (&Value::Null, &json!(message))
    );
    assert_eq!(
        (&answer["account_sid"], &answer["message_sid"]),
        (&json!(ACCOUNT), &json!(message))
    );
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!((&body["message_sid"], &body["outcome"]), (&json!(message), &json!("confirmed")));
    assert_eq!(answer["notes"]["http_status"], "201");
    assert_eq!(app.messages()[0]["status"], "queued", "feedback is no status");
    assert!(app.run(&["verify"]).status.success());
}

#[test]
fn both_outcomes_can_be_reported_and_the_text_output_names_them() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.has(&sid(1), "delivered");
    for outcome in ["unconfirmed", "confirmed"] {
        let output = app.run(&["feedback", &sid(1), outcome]);
        assert!(output.status.success(), "{}", stderr(&output));
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed, format!("message  {}\nfeedback {outcome}\n", sid(1)));
    }
    let reported: Vec<_> = twilio.feedback().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(reported, ["unconfirmed", "confirmed"]);
}

#[test]
fn the_command_works_beside_a_server_and_takes_the_account_from_the_ledger() {
    let twilio = Twilio::start();
    twilio.has_subaccount(OTHER_ACCOUNT, "other", "active", OTHER_TOKEN);
    twilio.has(&sid(1), "delivered");
    let app = serving(&twilio);
    assert_eq!(app.receive_of_other_account(delivered(&sid(1))).code, 200);

    sent(&feedback(&app, &[&sid(1), "confirmed"]));

    assert!(twilio.requests()[0].contains(OTHER_ACCOUNT), "{:?}", twilio.requests());
    app.caught_up_to(3);
    assert_eq!(app.message(&sid(1))["events"], 2);
}

#[test]
fn a_message_that_the_ledger_does_not_know_is_of_the_named_account_or_the_default_one() {
    let twilio = Twilio::start();
    twilio.has_subaccount(OTHER_ACCOUNT, "other", "active", OTHER_TOKEN);
    twilio.has(&sid(1), "delivered");
    let app = alone(&twilio);
    sent(&feedback(&app, &[&sid(1), "confirmed"]));
    let app = alone(&twilio);
    sent(&feedback(&app, &[&sid(1), "confirmed", "--account-sid", OTHER_ACCOUNT]));
    let requests = twilio.requests();
    assert!(requests[0].contains(ACCOUNT) && requests[1].contains(OTHER_ACCOUNT), "{requests:?}");
    let refused = feedback(&app, &[&sid(1), "confirmed", "--account-sid", "AC1"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("no token is configured for account AC1"));
}

#[test]
fn if_several_accounts_have_the_message_one_has_to_be_named() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let message = known(&twilio, &app, 1);
    assert_eq!(app.receive_of_other_account(delivered(&message)).code, 200);
    let refused = feedback(&app, &[&message, "confirmed"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("add --account-sid, one of:"), "{}", stderr(&refused));
    assert_eq!(twilio.requests(), [""; 0]);
    sent(&feedback(&app, &[&message, "confirmed", "--account-sid", ACCOUNT]));
}

#[test]
fn a_wrong_outcome_or_sid_reaches_neither_twilio_nor_the_log() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    for (arguments, expected) in [
        (&[&*sid(1), "delivered"][..], "[possible values: unconfirmed, confirmed]"),
        (&["+15558675310", "confirmed"], "`+15558675310` is not a message's SID"),
        (&[&*sid(1)], "OUTCOME"),
    ] {
        let output = feedback(&app, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    assert_eq!(twilio.requests(), [""; 0]);
    assert!(!app.log_file().exists());
}

#[test]
fn a_refusal_is_logged_and_reported_with_its_code() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    let output = feedback(&app, &[&sid(1), "confirmed"]);
    assert_eq!(output.status.code(), Some(1));
    let expected = "Twilio refused the feedback (HTTP 404, error 20404): not found";
    assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&result["outcome"], &result["error_code"]), (&json!("refused"), &json!(20404)));
    let answer = &app.events()[1];
    assert_eq!(
        (&answer["notes"]["http_status"], &answer["message_sid"]),
        (&json!("404"), &Value::Null)
    );
    assert_eq!(app.messages(), [Value::Null; 0]);
}

#[test]
fn feedback_without_an_answer_can_be_repeated_and_is_no_unanswered_send() {
    let hangs = Fault::Hang(Duration::from_secs(3));
    for fault in [Fault::DoneBut(502), Fault::DoneAndCut, hangs] {
        let twilio = Twilio::start();
        let app = alone(&twilio);
        twilio.has(&sid(1), "delivered");
        twilio.next(fault);

        let output = feedback(&app, &[&sid(1), "confirmed"]);

        assert_eq!(output.status.code(), Some(1), "{fault:?}");
        let expected = "It can be reported again: the same outcome twice changes nothing";
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        let result: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(result["outcome"], "unknown");
        assert_eq!(twilio.requests().len(), 1, "it is not repeated without being asked to");
        assert_eq!(app.json(&PREVIEW)["unanswered_sends"], 0);
        sent(&feedback(&app, &[&sid(1), "confirmed"]));
    }
}

#[test]
fn a_crash_between_intent_and_answer_leaves_the_intent() {
    let twilio = Twilio::start();
    let app = alone(&twilio);
    twilio.has(&sid(1), "delivered");
    twilio.next(Fault::Hang(Duration::from_secs(30)));
    let command = app.command(&["feedback", &sid(1), "confirmed"]).env("TWILIO_API_TIMEOUT", "60s");
    let mut child = command.spawn();
    app.eventually("Twilio has recorded it", || twilio.feedback().len() == 1);
    child.kill().unwrap();
    child.wait().unwrap();

    let stages: Vec<_> = app.events().iter().map(|event| event["notes"]["stage"].clone()).collect();
    assert_eq!(stages, ["intent"]);
    assert_eq!(app.json(&PREVIEW)["unanswered_sends"], 0);
}

/// Feedback is an event of source `send`, but does not say which send its message belongs to.
#[test]
fn an_unanswered_send_is_reconciled_even_if_there_is_feedback_on_its_message() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    twilio.next(Fault::DoneBut(500));
    let unknown = send(&app, &["--from", "+15017250604", "--body", "Hi"]);
    let unknown: Value = serde_json::from_slice(&unknown.stdout).unwrap();
    let message = twilio.sids().remove(0);
    assert_eq!(app.receive(status(&message, "queued")).code, 200);
    sent(&feedback(&app, &[&message, "confirmed"]));
    app.caught_up_to(5);

    let found = app.json(&PREVIEW[..5]);

    assert_eq!(found["sends_found"], 1, "{found}");
    assert_eq!(app.events().pop().unwrap()["notes"]["may_answer_send"], unknown["send_id"]);
}

#[test]
fn a_message_can_be_sent_with_the_promise_of_feedback() {
    let twilio = Twilio::start();
    let app = serving(&twilio);
    let promise = ("ProvideFeedback".to_owned(), "true".to_owned());
    sent(&send(&app, &["--from", "+1", "--body", "Hi", "--provide-feedback"]));
    let mut message = hello();
    message["provide_feedback"] = json!(true);
    assert_eq!(post(&app, None, message).code, 201);
    assert!(twilio.made().iter().all(|form| form.contains(&promise)), "{:?}", twilio.made());
    assert_eq!(post(&app, None, hello()).code, 201);
    assert!(!twilio.made()[2].contains(&promise));
    assert!(app.events()[0]["body"].as_str().unwrap().contains("ProvideFeedback=true"));
}
