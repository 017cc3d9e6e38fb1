//! `doctor`'s checks of forwarding: what keeps a target from getting its events.

use std::fs;

use delivery_ledger::domain::{NewEvent, Position, Timestamp};
use delivery_ledger::store::forward::{Answer, ReadTo, Step, UnacceptedEvent};
use delivery_ledger::store::{self, Store};

use super::{Page, doctor, now, seconds_ago};
use crate::support::events::event;
use crate::support::ledger::Ledger;
use crate::support::{ACCOUNT, OTHER_ACCOUNT, delivered, sid};

const NAME: &str = "target orders";

/// A ledger with three events, the first of which is older, and a target.
fn ledger() -> Ledger {
    let event = |number, seconds| seconds_ago(event(delivered(&sid(number))), seconds);
    ledger_with(&[event(1, 3600), event(2, 5), event(3, 5)])
}

fn ledger_with(events: &[NewEvent]) -> Ledger {
    let ledger = Ledger::with_events(events);
    configure(&ledger, "");
    ledger
}

fn configure(ledger: &Ledger, more: &str) {
    let file = format!("[forward.orders]\nurl = \"https://app.example.com/\"\n{more}");
    fs::write(ledger.file("delivery-ledger.toml"), file).unwrap();
}

fn place(log: &dyn Store, position: Position) -> ReadTo {
    let event_id = log.read_at(&[position]).unwrap().first().map(|event| event.event_id);
    ReadTo { position, event_id }
}

/// Stores that the target has read everything, with this step.
fn store_step(ledger: &Ledger, step: Step) {
    let log = ledger.open_for_reading();
    let mut forward = store::create_forward_store(&ledger.database()).unwrap();
    let read_to = place(&*log, log.head().unwrap());
    forward.create("orders", log.ledger_id(), read_to).unwrap();
    let version = forward.target("orders").unwrap().unwrap().version;
    assert!(forward.record("orders", version, &step, 0).unwrap());
}

fn answer(text: &str) -> Answer {
    Answer { at: now(), text: text.to_owned() }
}

fn waiting(position: Position, text: &str) -> UnacceptedEvent {
    UnacceptedEvent {
        position,
        order_key: [0; 16],
        attempts: 3,
        first_attempt_at: Some(now()),
        due_at: now(),
        last_answer: Some(answer(text)),
        failed_at: None,
    }
}

fn failed(position: Position) -> UnacceptedEvent {
    UnacceptedEvent { failed_at: Some(now()), ..waiting(position, "500") }
}

/// The outcome, detail and advice of each finding about the target.
fn findings(ledger: &Ledger) -> Vec<(String, String, String)> {
    let page = Page::from_command(doctor(&ledger.file(""), &[]));
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let of_target = page.checks().iter().filter(|check| check["name"] == NAME);
    let all = of_target.map(|check| {
        assert_eq!(check["area"], "forwarding");
        (text(&check["outcome"]), text(&check["detail"]), text(&check["advice"]))
    });
    all.collect()
}

/// The detail and advice of the only finding, which is a warning.
#[track_caller]
fn warning(ledger: &Ledger) -> (String, String) {
    let [(outcome, detail, advice)] = &findings(ledger)[..] else {
        panic!("not one finding: {:?}", findings(ledger));
    };
    assert_eq!(outcome, "warn", "{detail}");
    (detail.clone(), advice.clone())
}

#[test]
fn a_target_that_gets_its_events_is_ok() {
    let ledger = ledger();
    let details = |ledger| {
        let found = findings(ledger).into_iter();
        found.map(|(outcome, detail, _)| format!("{outcome}: {detail}")).collect::<Vec<_>>()
    };
    assert_eq!(details(&ledger), ["ok: not started yet; serve starts it"]);

    let at = Timestamp::parse("2026-11-26T10:00:00Z").unwrap();
    let last_answer = Some(Answer { at, text: "204".to_owned() });
    store_step(&ledger, Step { accepted: 2, last_answer, ..Step::default() });
    assert_eq!(
        details(&ledger),
        [
            "ok: up to position 3 of 3, 2 accepted, the last answer 204 at 2026-11-26T10:00:00.000000Z"
        ]
    );
}

#[test]
fn a_target_that_accepts_nothing_is_reported_with_its_last_answer() {
    let ledger = ledger();
    let failing_since = Timestamp::parse("2026-11-26T10:00:00Z");
    store_step(
        &ledger,
        Step {
            failing_since,
            last_answer: Some(answer("no_connection")),
            unaccepted: vec![waiting(1, "no_connection"), waiting(2, "no_connection")],
            ..Step::default()
        },
    );
    let (detail, advice) = warning(&ledger);
    assert_eq!(
        detail,
        "has accepted nothing since 2026-11-26T10:00:00.000000Z; the last answer: no_connection; 2 events \
         wait, the oldest for 60 min"
    );
    assert!(advice.starts_with("see whether the application runs"), "{advice}");
}

#[test]
fn a_target_that_is_behind_for_a_quarter_of_an_hour_is_reported() {
    let ledger = ledger();
    store_step(&ledger, Step { unaccepted: vec![waiting(2, "503")], ..Step::default() });
    assert_eq!(findings(&ledger)[0].0, "ok", "the event has been in the log for some seconds");

    store_step(&ledger, Step { unaccepted: vec![waiting(1, "503")], ..Step::default() });
    let (detail, advice) = warning(&ledger);
    assert_eq!(detail, "2 events wait, the oldest for 60 min");
    assert_eq!(advice, "start serve, which continues where it stopped");
    let server = ledger.open();
    let (_, advice) = warning(&ledger);
    assert!(advice.starts_with("forward list orders shows what waits"), "{advice}");
    drop(server);
}

#[test]
fn events_that_were_given_up_are_reported_with_the_commands_for_them() {
    let ledger = ledger();
    store_step(&ledger, Step { unaccepted: vec![failed(1), failed(2)], ..Step::default() });
    let (detail, advice) = warning(&ledger);
    assert_eq!(detail, "2 events were given up");
    for command in ["forward list orders", "forward retry orders", "forward skip orders --failed"] {
        assert!(advice.contains(command), "{advice}");
    }
}

#[test]
fn a_target_that_is_not_configured_any_more_is_reported() {
    let ledger = ledger();
    store_step(&ledger, Step::default());
    fs::write(ledger.file("delivery-ledger.toml"), "").unwrap();
    let (detail, advice) = warning(&ledger);
    assert!(detail.starts_with("is not configured any more; up to position 3 of 3"), "{detail}");
    assert!(advice.starts_with("run forward forget orders, or configure it again"), "{advice}");

    fs::write(ledger.file("delivery-ledger.toml"), "[forward.orders]\nurl = 1\n").unwrap();
    assert_eq!(findings(&ledger), [], "another check reports that it is invalid");
}

#[test]
fn events_that_no_token_can_sign_are_reported_with_their_account() {
    let event = |account: &str, number| {
        seconds_ago(event(delivered(&sid(number)).with("AccountSid", account)), 5)
    };
    let ledger =
        ledger_with(&[event(ACCOUNT, 1), event(OTHER_ACCOUNT, 2), event(OTHER_ACCOUNT, 3)]);
    let unaccepted = vec![waiting(1, "500"), waiting(2, "not_signed"), waiting(3, "not_signed")];
    store_step(&ledger, Step { unaccepted, ..Step::default() });
    let (detail, advice) = warning(&ledger);
    assert_eq!(
        detail,
        format!(
            "the event at position 2, of account {OTHER_ACCOUNT}, and 1 after it cannot be signed: there is \
             no auth token for it"
        )
    );
    assert!(advice.ends_with("then run forward retry orders"), "{advice}");
}

#[test]
fn a_target_for_an_account_without_a_token_is_reported_before_its_first_event() {
    let ledger = ledger();
    configure(&ledger, &format!("account = \"{OTHER_ACCOUNT}\"\n"));
    let (detail, _) = warning(&ledger);
    assert_eq!(
        detail,
        format!("its requests cannot be signed: there is no auth token for {OTHER_ACCOUNT}")
    );
    configure(&ledger, &format!("account = \"{ACCOUNT}\"\n"));
    assert_eq!(findings(&ledger)[0].0, "ok");
}

#[test]
fn a_store_that_cannot_be_read_is_reported() {
    let ledger = ledger();
    fs::write(ledger.file("ledger.forward.db"), "not a database").unwrap();
    let page = Page::from_command(doctor(&ledger.file(""), &[]));
    assert_eq!(page.outcome("target"), "warn");
    assert!(page.detail("target").starts_with("cannot be read: "), "{}", page.detail("target"));
}
