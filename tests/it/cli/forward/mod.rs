//! `forward`: what the targets have got, and what is sent to them again or never.

mod sending;

use delivery_ledger::domain::{NewEvent, Timestamp};
use delivery_ledger::store;
use delivery_ledger::store::forward::{
    Answer, AnswerCount, ForwardStore, ReadTo, Step, UnacceptedEvent, Which,
};
use serde_json::{Value, json};

use crate::support::events::{event, one_a_second};
use crate::support::ledger::Ledger;
use crate::support::{delivered, failed, sent, sid};

const TARGETS: &str = "
[forward.orders]
url = \"https://app.example.com/twilio?key=hidden\"

[forward.billing]
url = \"https://billing.example.com/\"
";

/// A time in the seconds after noon.
fn at(second: i64) -> Timestamp {
    let noon = Timestamp::parse("2026-11-26T12:00:00Z").unwrap();
    Timestamp::from_micros(noon.micros() + second * 1_000_000)
}

/// The exit code, stdout and stderr of a command.
fn ended(ledger: &Ledger, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = ledger.run(arguments);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The stdout of a command that succeeds.
#[track_caller]
fn done(ledger: &Ledger, arguments: &[&str]) -> String {
    let (code, out, err) = ended(ledger, arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    out
}

#[track_caller]
fn json_of(ledger: &Ledger, arguments: &[&str]) -> Value {
    serde_json::from_str(&done(ledger, &[arguments, &["--format", "json"]].concat())).unwrap()
}

fn four_events() -> Vec<NewEvent> {
    let bodies = [sent(&sid(1)), delivered(&sid(1)), sent(&sid(2)), failed(&sid(2), "30003")];
    one_a_second(bodies.map(event))
}

fn read_to(ledger: &Ledger, position: u64) -> ReadTo {
    let events = ledger.open_for_reading().read(0, 10).unwrap();
    let event_id = position.checked_sub(1).map(|index| events[index as usize].event_id);
    ReadTo { position, event_id }
}

fn forward(ledger: &Ledger) -> Box<dyn ForwardStore> {
    store::create_forward_store(&ledger.database()).unwrap()
}

/// A ledger of four events, with two targets; `orders` has read this far, and has not accepted events 1 (given
/// up) and 2 (waiting).
fn with_targets(position: u64) -> Ledger {
    let ledger = Ledger::with_events(&four_events());
    std::fs::write(ledger.file("delivery-ledger.toml"), TARGETS).unwrap();
    let answer = |second, text: &str| Some(Answer { at: at(second), text: text.to_owned() });
    let waiting = UnacceptedEvent {
        position: 2,
        order_key: [1; 16],
        attempts: 2,
        first_attempt_at: Some(at(2)),
        due_at: at(60),
        last_answer: answer(3, "503"),
        failed_at: None,
    };
    let failed = UnacceptedEvent {
        position: 1,
        attempts: 9,
        first_attempt_at: Some(at(1)),
        last_answer: answer(5, "timeout"),
        failed_at: Some(at(50)),
        ..waiting.clone()
    };
    let mut store = forward(&ledger);
    let ledger_id = ledger.open_for_reading().ledger_id();
    store.create("orders", ledger_id, read_to(&ledger, 0)).unwrap();
    let step = Step {
        read_to: Some(read_to(&ledger, position)),
        unaccepted: vec![failed, waiting],
        accepted: 2,
        last_answer: answer(9, "204"),
        ..Step::default()
    };
    assert!(store.record("orders", 1, &step, 0).unwrap());
    ledger
}

#[test]
fn the_list_says_how_far_each_target_has_got() {
    let ledger = with_targets(4);
    let json = json_of(&ledger, &["forward", "list"]);
    assert_eq!(json["data"][0]["position"], Value::Null);
    let orders = &json["data"][1];
    assert!(orders["lag_seconds"].as_u64().unwrap() > 0, "{orders}");
    assert_eq!(
        (&orders["url"], &orders["lag_events"], &orders["last_answer"]),
        (
            &json!("https://app.example.com/twilio"),
            &json!(1),
            &json!({ "at": "2026-11-26T12:00:09.000000Z", "answer": "204" })
        )
    );

    // Nothing waits, so that no time passes until the test is over.
    forward(&ledger).skip("orders", Which::At(2)).unwrap();
    let expected = "\
target   position  behind  by time  waiting  failed  accepted  last answer  answered at (UTC)            state
billing         -       0        -        0       0         0  -            -                            never started
orders          4       0        -        0       1         2  204          2026-11-26T12:00:09.000000Z  gave up events; `forward retry orders` sends them again
";
    assert_eq!(done(&ledger, &["forward", "list"]), expected);
}

#[test]
fn the_list_of_one_target_has_the_events_that_it_has_not_accepted() {
    let ledger = with_targets(4);
    let listed = done(&ledger, &["forward", "list", "orders"]);
    let (_, events) = listed.split_once("\n\n").unwrap();
    let expected = "\
position  message                             status     attempts  first tried at (UTC)         state    due or given up at (UTC)     last answer
       1  SM00000000000000000000000000000001  sent              9  2026-11-26T12:00:01.000000Z  failed   2026-11-26T12:00:50.000000Z  timeout
       2  SM00000000000000000000000000000001  delivered         2  2026-11-26T12:00:02.000000Z  waiting  2026-11-26T12:01:00.000000Z  503
";
    assert_eq!(events, expected);

    let json = json_of(&ledger, &["forward", "list", "orders", "--after", "1"]);
    assert_eq!(json["target"]["name"], "orders");
    assert_eq!(
        json["data"],
        json!([{
            "position": 2,
            "message_sid": sid(1),
            "status": "delivered",
            "state": "waiting",
            "attempts": 2,
            "first_attempt_at": "2026-11-26T12:00:02.000000Z",
            "next_attempt_at": "2026-11-26T12:01:00.000000Z",
            "failed_at": null,
            "last_answer": { "at": "2026-11-26T12:00:03.000000Z", "answer": "503" },
        }])
    );
    let one = json_of(&ledger, &["forward", "list", "orders", "-n", "1"]);
    assert_eq!(one["data"].as_array().unwrap().len(), 1);
}

#[test]
fn the_list_says_what_is_wrong_with_a_target() {
    let state_of = |ledger: &Ledger, name: &str| {
        let listed = done(ledger, &["forward", "list"]);
        let line = listed.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        line.rsplit("  ").next().unwrap().to_owned()
    };
    let ledger = with_targets(4);
    let mut store = forward(&ledger);
    let step = Step { failing_since: Some(at(7)), ..Step::default() };
    assert!(store.record("orders", 1, &step, 0).unwrap());
    assert_eq!(state_of(&ledger, "orders"), "failing since 2026-11-26T12:00:07.000000Z");

    store.create("old", ledger.open_for_reading().ledger_id(), read_to(&ledger, 4)).unwrap();
    assert_eq!(state_of(&ledger, "old"), "no longer configured; `forward forget old` removes it");

    store.create("billing", uuid::Uuid::from_u128(1), read_to(&ledger, 4)).unwrap();
    assert_eq!(
        state_of(&ledger, "billing"),
        "has read another log; `forward skip billing --to POSITION` has it continue in this one"
    );
}

#[test]
fn without_targets_the_list_says_so() {
    let ledger = Ledger::with_events(&four_events());
    assert_eq!(done(&ledger, &["forward", "list"]), "No target is configured.\n");
    assert!(!ledger.file("ledger.forward.db").exists());
}

#[test]
fn an_unknown_target_is_wrong_usage_and_the_known_ones_are_named() {
    let ledger = with_targets(4);
    for arguments in [
        &["list", "oders"][..],
        &["retry", "oders"],
        &["skip", "oders", "--failed"],
        &["skip", "oders", "--to", "head"],
        &["compare", "oders"],
        &["forget", "oders"],
    ] {
        let (code, _, err) = ended(&ledger, &[&["forward"], arguments].concat());
        let expected = "there is no target `oders`; there are: billing, orders; similar: orders\n";
        assert_eq!((code, err.as_str()), (Some(2), format!("error: {expected}").as_str()));
    }
    std::fs::remove_file(ledger.file("delivery-ledger.toml")).unwrap();
    std::fs::remove_file(ledger.file("ledger.forward.db")).unwrap();
    let (code, _, err) = ended(&ledger, &["forward", "retry", "orders"]);
    let expected = "error: there is no target `orders`; none is configured\n";
    assert_eq!((code, err.as_str()), (Some(2), expected));
}

#[test]
fn retry_sends_failed_events_again_or_the_one_at_a_position() {
    let ledger = with_targets(4);
    let again = "orders: sending 1 event again once serve is running.\n";
    assert_eq!(done(&ledger, &["forward", "retry", "orders"]), again);
    let counts = forward(&ledger).counts("orders").unwrap();
    assert_eq!((counts.waiting, counts.failed), (2, 0));

    assert_eq!(done(&ledger, &["forward", "retry", "orders"]), "orders has no failed events.\n");
    let one = json_of(&ledger, &["forward", "retry", "orders", "--position", "2"]);
    assert_eq!(one, json!({ "target": "orders", "retried": 1 }));
    let (code, _, err) = ended(&ledger, &["forward", "retry", "orders", "--position", "3"]);
    let expected = "error: orders has no unaccepted event at position 3\n";
    assert_eq!((code, err.as_str()), (Some(4), expected));
    assert_eq!(done(&ledger, &["forward", "retry", "billing"]), "billing has no failed events.\n");
}

#[test]
fn skip_gives_up_failed_events_or_the_one_at_a_position() {
    let ledger = with_targets(4);
    let skipped = "orders: skipped 1 event; never sent from now on.\n";
    assert_eq!(done(&ledger, &["forward", "skip", "orders", "--position", "2"]), skipped);
    let failed = json_of(&ledger, &["forward", "skip", "orders", "--failed"]);
    assert_eq!(failed, json!({ "target": "orders", "skipped": 1 }));
    assert_eq!(forward(&ledger).unaccepted("orders", 0, 9).unwrap(), []);
    let (code, _, err) = ended(&ledger, &["forward", "skip", "orders", "--position", "2"]);
    let expected = "error: orders has no unaccepted event at position 2\n";
    assert_eq!((code, err.as_str()), (Some(4), expected));
}

#[test]
fn skip_needs_exactly_one_of_its_flags() {
    let ledger = with_targets(4);
    for flags in [&[][..], &["--failed", "--to", "head"], &["--to", "the end"], &["--to", "5"]] {
        let (code, _, err) = ended(&ledger, &[&["forward", "skip", "orders"], flags].concat());
        assert_eq!(code, Some(2), "{flags:?}: {err}");
    }
    let (_, _, err) = ended(&ledger, &["forward", "skip", "orders", "--to", "5"]);
    assert_eq!(err, "error: --to: 5 is beyond the head, 4\n");
}

#[test]
fn a_target_that_skips_to_the_head_leaves_out_what_waits_and_what_it_has_not_read() {
    let ledger = with_targets(2);
    let expected = "\
orders continues after position 4; it was at 2.
Never sent: 1 event that had been waiting.
Never sent: what it would have got of the 2 events from 3 to 4.
";
    assert_eq!(done(&ledger, &["forward", "skip", "orders", "--to", "head"]), expected);
    let state = forward(&ledger).target("orders").unwrap().unwrap();
    assert_eq!((state.read_to, state.version), (read_to(&ledger, 4), 2));
    let failed = forward(&ledger).counts("orders").unwrap();
    assert_eq!((failed.waiting, failed.failed), (0, 1), "`forward retry` still can send it");
}

#[test]
fn a_target_that_goes_back_gets_events_again() {
    let ledger = with_targets(4);
    let expected = "\
orders continues after position 1; it was at 4.
Sent again: what it gets of the 3 events from 2 to 4, accepted or not.
";
    assert_eq!(done(&ledger, &["forward", "skip", "orders", "--to", "1"]), expected);
    let json = json_of(&ledger, &["forward", "skip", "orders", "--to", "0"]);
    let expected = json!({
        "target": "orders", "from_position": 1, "position": 0,
        "skipped": 0, "unread": 0, "read_again": 1,
    });
    assert_eq!(json, expected);
}

#[test]
fn a_waiting_event_at_the_new_position_is_never_sent() {
    let ledger = with_targets(4);
    let moved = json_of(&ledger, &["forward", "skip", "orders", "--to", "2"]);
    assert_eq!((&moved["skipped"], &moved["read_again"]), (&json!(1), &json!(0)));
    assert_eq!(forward(&ledger).counts("orders").unwrap().waiting, 0);
}

#[test]
fn a_target_that_was_never_started_begins_where_it_is_told_to() {
    let ledger = with_targets(4);
    let expected = "billing continues after position 3; it had never been started.\n";
    assert_eq!(done(&ledger, &["forward", "skip", "billing", "--to", "3"]), expected);
    let state = forward(&ledger).target("billing").unwrap().unwrap();
    assert_eq!(state.read_to, read_to(&ledger, 3));
    assert_eq!(state.ledger_id, ledger.open_for_reading().ledger_id());
}

#[test]
fn a_target_that_has_read_another_log_continues_in_this_one() {
    let ledger = with_targets(4);
    let (mut store, other) = (forward(&ledger), uuid::Uuid::from_u128(1));
    store.remove("orders").unwrap();
    store.create("orders", other, ReadTo { position: 9, event_id: Some(other) }).unwrap();
    let expected = "orders continues after position 3; it had read another log.\n";
    assert_eq!(done(&ledger, &["forward", "skip", "orders", "--to", "3"]), expected);
    let state = store.target("orders").unwrap().unwrap();
    assert_eq!(state.read_to, read_to(&ledger, 3));
    assert_eq!(state.ledger_id, ledger.open_for_reading().ledger_id());
}

#[test]
fn compare_reports_what_was_refused_with_advice() {
    let ledger = with_targets(4);
    let hour = Timestamp::parse("2026-11-26T10:00:00Z").unwrap().micros() / 3_600_000_000;
    let count = |hour, answer: &str, status: &str, attempts, last_position| AnswerCount {
        hour,
        answer: answer.to_owned(),
        status: status.to_owned(),
        attempts,
        last_position,
    };
    let answers = vec![
        count(hour - 1, "500", "failed", 7, 3),
        count(hour, "204", "sent", 15, 1),
        count(hour, "200", "delivered", 2, 2),
        count(hour, "403", "", 2, 4),
        count(hour, "timeout", "failed", 1, 4),
    ];
    let step = Step { answers, ..Step::default() };
    assert!(forward(&ledger).record("orders", 1, &step, 0).unwrap());
    let compare = ["forward", "compare", "orders", "--since", "2026-11-26T10:30:00Z"];

    let expected = "\
orders accepted 17 of 20 attempts since 2026-11-26T10:00:00.000000Z (85.00 %).

answer   status  attempts  last position  advice
403      -              2              4  it did not accept the signature: it must validate for `url`, with the account's auth token
timeout  failed         1              4  it took longer than `timeout`: it should answer first, and work then

It has not accepted 2 events: 1 waiting, 1 given up; `forward list orders` lists them.
";
    assert_eq!(done(&ledger, &compare), expected);

    let json = json_of(&ledger, &compare);
    assert_eq!(
        (&json["accepted"], &json["waiting"], &json["failed"]),
        (&json!(17), &json!(1), &json!(1))
    );
    assert_eq!(json["refused"][0]["answer"], "403");
    assert_eq!(json["refused"][0]["status"], Value::Null);

    let none = "billing has been sent nothing since 2026-11-26T10:00:00.000000Z.\n";
    let billing = ["forward", "compare", "billing", "--since", "2026-11-26T10:30:00Z"];
    assert_eq!(done(&ledger, &billing), none);
}

#[test]
fn compare_says_that_everything_was_accepted() {
    let ledger = with_targets(4);
    let now = Timestamp::from(time::OffsetDateTime::now_utc()).micros() / 3_600_000_000;
    let answers = vec![AnswerCount {
        hour: now,
        answer: "204".to_owned(),
        status: "sent".to_owned(),
        attempts: 3,
        last_position: 4,
    }];
    let step = Step { answers, finished: vec![1, 2], ..Step::default() };
    assert!(forward(&ledger).record("orders", 1, &step, 0).unwrap());
    let compared = done(&ledger, &["forward", "compare", "orders"]);
    assert!(compared.starts_with("orders accepted 3 of 3 attempts since "), "{compared}");
    let end = "(100.00 %).\n\nIn the end it accepted every event that it was sent.\n";
    assert!(compared.ends_with(end), "{compared}");
}

#[test]
fn forget_removes_the_state_of_a_target() {
    let ledger = with_targets(4);
    assert_eq!(
        done(&ledger, &["forward", "forget", "billing"]),
        "Nothing is stored about billing.\n"
    );
    let expected = "orders is forgotten, with 2 events that it had not accepted; it begins anew, at its `from`.\n";
    assert_eq!(done(&ledger, &["forward", "forget", "orders"]), expected);
    assert_eq!(forward(&ledger).targets().unwrap(), []);
}
