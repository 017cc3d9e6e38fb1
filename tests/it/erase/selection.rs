//! Which events an erasure takes, and which it refuses.

use delivery_ledger::domain::{NewEvent, Source, Timestamp};
use serde_json::{Value, json};

use super::{ADDRESS, audit, erase, erased, stderr, to_address};
use crate::support::events::{event, one_a_second, resource};
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, delivered, sent, sid, status};

/// The positions that are erased.
fn erased_positions(ledger: &Ledger) -> Vec<u64> {
    let events = ledger.open_for_reading().read(0, 1000).unwrap();
    events.iter().filter(|event| event.erased.is_some()).map(|event| event.position).collect()
}

fn with_notes(event: NewEvent, notes: &[(&str, &str)]) -> NewEvent {
    let notes = notes.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    NewEvent { notes: notes.collect(), ..event }
}

/// An intent to send to the address, and Twilio's answer with this message.
fn a_send(send_id: &str, message_sid: &str) -> [NewEvent; 2] {
    let body = format!("To=%2B{}&From=%2B15017250604&Body=Hi", &ADDRESS[1..]);
    let intent = NewEvent { source: Source::Send, ..event(body) };
    let answer = resource(
        Source::Send,
        json!({ "sid": message_sid, "account_sid": ACCOUNT, "status": "queued", "to": ADDRESS }),
    );
    [
        with_notes(
            intent,
            &[("send_id", send_id), ("stage", "intent"), ("idempotency_key", "k-1")],
        ),
        with_notes(answer, &[("send_id", send_id), ("stage", "answer")]),
    ]
}

fn now() -> Timestamp {
    Timestamp::from(time::OffsetDateTime::now_utc())
}

#[test]
fn an_address_takes_whole_messages_on_every_channel_and_what_has_no_message() {
    let ledger = Ledger::with_events(&one_a_second([
        event(to_address(sent(&sid(1)))),
        event(delivered(&sid(1)).without("To")), // of the same message
        event(delivered(&sid(2)).with("To", "whatsapp:+15558675399")),
        event(status(&sid(3), "received").with("From", ADDRESS)),
        event(delivered(&sid(4))),
        event("Note=call%20%2B1%20555%20867%205399"), // without a message
        event("Note=call%20%2B1%20555%20867%205398"),
        event(delivered(&sid(5)).with("To", "+155586753990")),
    ]));
    let erased = erased(&ledger, &["--address", "whatsapp:+1 (555) 867-5399"]);
    assert_eq!(erased_positions(&ledger), [1, 2, 3, 4, 6]);
    assert_eq!(erased["messages"], 3);
    assert_eq!(ledger.verify(&[]).0, Some(0));
}

#[test]
fn a_message_takes_the_send_that_it_answers() {
    let [intent, answer] = a_send("s-1", &sid(1));
    let [other_intent, other_answer] = a_send("s-2", &sid(2));
    let ledger = Ledger::with_events(&one_a_second([
        intent,
        other_intent,
        answer,
        other_answer,
        event(to_address(delivered(&sid(1)))),
    ]));
    erased(&ledger, &["--message", &sid(1)]);
    assert_eq!(erased_positions(&ledger), [1, 3, 5]);
    assert_eq!((audit(&ledger, &sid(1)), audit(&ledger, &sid(2))), (Some(4), Some(0)));
}

#[test]
fn an_address_takes_sends_whose_answer_is_unknown() {
    let [intent, _] = a_send("s-1", &sid(1));
    let ledger = Ledger::with_events(&one_a_second([intent, event(delivered(&sid(2)))]));
    erased(&ledger, &["--address", ADDRESS]);
    assert_eq!(erased_positions(&ledger), [1]);
}

#[test]
fn a_sid_that_several_accounts_have_needs_an_account() {
    let ledger = Ledger::with_events(&one_a_second([
        event(delivered(&sid(1))),
        event(delivered(&sid(1)).with("AccountSid", OTHER_ACCOUNT)),
    ]));
    let output = erase(&ledger, &["--message", &sid(1)]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--account-sid"), "{}", stderr(&output));
    erased(&ledger, &["--message", &sid(1), "--account-sid", OTHER_ACCOUNT]);
    assert_eq!(erased_positions(&ledger), [2]);
}

#[test]
fn before_takes_messages_whose_last_event_is_older() {
    let ledger = Ledger::with_events(&one_a_second([
        event(delivered(&sid(1))),
        event(sent(&sid(2))),
        event(delivered(&sid(3))),
        event(delivered(&sid(2))),
    ]));
    erased(&ledger, &["--before", "2026-01-02T03:04:07.500000Z"]);
    assert_eq!(erased_positions(&ledger), [1, 3]);
}

#[test]
fn our_own_address_is_refused_unless_it_is_asked_for() {
    let ledger = Ledger::with_events(&one_a_second([event(delivered(&sid(1)))]));
    let output = erase(&ledger, &["--address", "+15017250604"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--sender"), "{}", stderr(&output));
    erased(&ledger, &["--address", "+15017250604", "--sender"]);
    assert_eq!(erased_positions(&ledger), [1]);
}

#[test]
fn open_messages_and_young_sends_are_refused_unless_they_are_asked_for() {
    let young = |event: NewEvent| NewEvent { received_at: now(), ..event };
    let [intent, answer] = a_send("s-1", &sid(2));
    for (events, expected) in [
        (vec![young(event(sent(&sid(1)).with("To", ADDRESS)))], "1 of these messages are open"),
        (
            vec![young(intent), young(answer), young(event(to_address(delivered(&sid(2)))))],
            "1 of these messages were sent from here",
        ),
    ] {
        let ledger = Ledger::with_events(&events);
        let output = erase(&ledger, &["--address", ADDRESS]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert_eq!(erased_positions(&ledger), [0; 0]);
        erased(&ledger, &["--address", ADDRESS, "--open"]);
        assert_eq!(erased_positions(&ledger).len(), events.len());
    }
}

#[test]
fn a_dry_run_erases_nothing() {
    let ledger = Ledger::with_events(&super::story(20));
    let output = ledger.run(&[
        "erase",
        "--address",
        ADDRESS,
        "--request",
        "1",
        "--dry-run",
        "--format",
        "json",
    ]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&shown["messages"], &shown["events"]), (&json!(2), &json!(4)));
    assert_eq!(erased_positions(&ledger), [0; 0]);
}

#[test]
fn without_a_terminal_or_yes_nothing_is_erased() {
    let ledger = Ledger::with_events(&super::story(10));
    let output = ledger.run(&["erase", "--address", ADDRESS, "--request", "1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("repeat with --yes"), "{}", stderr(&output));
}

#[test]
fn the_reference_must_not_be_the_address() {
    let ledger = Ledger::with_events(&super::story(10));
    let output =
        ledger.run(&["erase", "--address", ADDRESS, "--yes", "--request", "of 1 555 867 5399"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("it contains the address"), "{}", stderr(&output));
}

#[test]
fn mentions_in_other_messages_are_reported_and_left() {
    let ledger = Ledger::with_events(&one_a_second([
        event(to_address(delivered(&sid(1)))),
        event(delivered(&sid(2)).with("Body", "call +1 555 867 5399")),
    ]));
    let output = erase(&ledger, &["--address", ADDRESS]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("at positions 2"), "{shown}");
    assert_eq!(erased_positions(&ledger), [1]);
}

#[test]
fn again_takes_what_arrived_since_of_erased_messages() {
    let ledger = Ledger::with_events(&super::story(20));
    erased(&ledger, &["--message", &sid(10)]);
    ledger.append(&[event(to_address(delivered(&sid(10)))), event(delivered(&sid(77)))]);
    ledger.project();
    let before = erased_positions(&ledger).len();
    let again = erased(&ledger, &["--again"]);
    assert_eq!(again["events"], 1);
    assert_eq!(erased_positions(&ledger).len(), before + 1);
    assert_eq!(erased(&ledger, &["--again"])["events"], 0);
}

#[test]
fn the_erasure_names_its_positions_its_messages_and_the_request() {
    let ledger = Ledger::with_events(&super::story(20));
    let record = erased(&ledger, &["--address", ADDRESS]);
    let events = ledger.open_for_reading().read(0, 100).unwrap();
    let erasure = events.last().unwrap();
    let body: Value = serde_json::from_slice(&erasure.body).unwrap();
    assert_eq!(body, json!({ "erased": [[1, 2], [21, 22]], "messages": 2, "request": "DSR-1" }));
    assert_eq!(record["erasures"][0]["position"], 41);
    let ids = record["erasures"][0]["events"].as_array().unwrap();
    assert_eq!(ids[0], events[0].event_id.to_string());
    let whole = ledger.run(&["erase", "--record"]);
    let whole: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!(whole["erasures"], record["erasures"]);
}

#[test]
fn mentions_are_reported_each_time_also_if_no_message_has_the_address() {
    let ledger = Ledger::with_events(&one_a_second([
        event(to_address(delivered(&sid(1)))),
        event(delivered(&sid(2)).with("Body", "call +1 555 867 5399")),
    ]));
    for time in ["with the message", "without it"] {
        let output = erase(&ledger, &["--address", ADDRESS]);
        assert_eq!(output.status.code(), Some(3), "{time}: {}", stderr(&output));
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains("at positions 2"), "{time}: {shown}");
    }
    assert_eq!(erased_positions(&ledger), [1]);
}

/// It cannot be erased, so it has to be reported.
#[test]
fn the_reference_of_an_earlier_erasure_that_contains_the_address_is_a_mention() {
    let ledger = Ledger::with_events(&one_a_second([event(delivered(&sid(1)))]));
    let message = sid(1);
    let earlier = ["erase", "--message", &message, "--yes", "--request", "of 1 555 867 5399"];
    assert_eq!(ledger.run(&earlier).status.code(), Some(0));
    let output = erase(&ledger, &["--address", ADDRESS]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("at positions 2"), "{shown}");
}

#[test]
fn the_reference_must_not_be_a_telephone_number_whatever_is_erased() {
    let ledger = Ledger::with_events(&super::story(10));
    for reference in ["of +1 555 867 5399", "0049 (151) 2345678"] {
        let output = ledger.run(&["erase", "--again", "--yes", "--request", reference]);
        assert_eq!(output.status.code(), Some(2), "{reference}: {}", stderr(&output));
        assert!(stderr(&output).contains("a telephone number"), "{}", stderr(&output));
    }
    let output = ledger.run(&["erase", "--again", "--yes", "--request", "DSR-2026-0017"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn an_account_needs_a_message_and_no_sid_may_be_empty() {
    let ledger = Ledger::with_events(&one_a_second([event(to_address(delivered(&sid(1))))]));
    let message = sid(1);
    for arguments in [
        vec!["--address", ADDRESS, "--account-sid", OTHER_ACCOUNT],
        vec!["--before", "1d", "--account-sid", OTHER_ACCOUNT],
        vec!["--again", "--account-sid", OTHER_ACCOUNT],
        vec!["--record", "--account-sid", OTHER_ACCOUNT],
        vec!["--message", &message, "--account-sid", ""],
        vec!["--message", ""],
    ] {
        let output = erase(&ledger, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(erased_positions(&ledger), [0; 0]);
}

#[test]
fn the_refusal_of_an_open_message_names_no_address_that_was_not_given() {
    let young = NewEvent { received_at: now(), ..event(sent(&sid(1))) };
    let ledger = Ledger::with_events(&[young]);
    let output = erase(&ledger, &["--message", &sid(1)]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("callbacks about them will follow"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("address"), "{}", stderr(&output));
}

#[test]
fn an_address_is_recognised_although_it_was_encoded_twice() {
    let ledger = Ledger::with_events(&one_a_second([
        event("Note=https%3A%2F%2Fexample.com%3Fto%3D%252B%2531%2535558675399"),
        event("Note=of+Jane+Doe"),
    ]));
    erased(&ledger, &["--address", ADDRESS]);
    assert_eq!(erased_positions(&ledger), [1]);
    erased(&ledger, &["--address", "Jane Doe"]);
    assert_eq!(erased_positions(&ledger), [1, 2]);
}

#[test]
fn an_address_of_messenger_is_no_telephone_number() {
    let ledger = Ledger::with_events(&one_a_second([
        event(delivered(&sid(1)).with("To", "messenger:1000123456789012")),
        event(delivered(&sid(2)).with("To", "messenger:1000123456789013")),
    ]));
    erased(&ledger, &["--address", "messenger:1000123456789012"]);
    assert_eq!(erased_positions(&ledger), [1]);
}
